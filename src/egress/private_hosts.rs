//! The operator's exception: destinations of the site's own network that plugins may reach, by name.

use std::net::IpAddr;

use url::Url;

use super::address::AddressClass;
use super::hosts::{comparable, normal};
use crate::error::{Error, ErrorCode};

/// The variable that holds the list.
const VARIABLE: &str = "EMDASH_SANDBOX_PRIVATE_HOSTS";

/// `host[:port],…`: hosts whose private addresses may be connected to. It opens no host to a plugin that was not granted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PrivateHosts(Vec<PrivateHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct PrivateHost {
    host: String,
    /// `None` is any.
    port: Option<u16>,
}

impl PrivateHosts {
    /// # Errors
    /// When an entry is no host, or its port none.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(PrivateHost::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What an operator is told at the start, where there are any.
    pub(crate) fn notice(&self) -> Option<String> {
        let shown = self.shown();
        (!shown.is_empty()).then(|| {
            format!("plugins that may fetch from these hosts reach them at private addresses, too: {shown}")
        })
    }

    /// As an operator would read it.
    fn shown(&self) -> String {
        let entries = self.0.iter().map(|PrivateHost { host, port }| match port {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        });
        entries.collect::<Vec<_>>().join(", ")
    }

    /// Whether the URL names one of them.
    pub(super) fn opens(&self, url: &Url) -> bool {
        let host = comparable(url.host_str().unwrap_or_default());
        let port = url.port_or_known_default();
        self.0
            .iter()
            .any(|open| open.host == host && open.port.is_none_or(|open| Some(open) == port))
    }

    /// Whether the URL's host may be at such an address. Where a cloud keeps credentials is opened by that very address
    /// only: a name may come to lead there without the operator's knowing.
    pub(super) fn admits(&self, url: &Url, class: AddressClass) -> bool {
        match class {
            AddressClass::Global => true,
            AddressClass::Loopback
            | AddressClass::Private
            | AddressClass::LinkLocal
            | AddressClass::Shared
            | AddressClass::Benchmarking => self.opens(url),
            AddressClass::Metadata => literal(url).is_some() && self.opens(url),
            AddressClass::Unspecified
            | AddressClass::Multicast
            | AddressClass::Documentation
            | AddressClass::Reserved => false,
        }
    }
}

/// The address that stands in the URL in place of a name.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Ipv4(address) => Some(address.into()),
        url::Host::Ipv6(address) => Some(address.into()),
        url::Host::Domain(_) => None,
    }
}

impl PrivateHost {
    fn parse(entry: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("{VARIABLE} must be a list of host or host:port, and {entry:?} {why}"),
            )
        };
        // An IPv6 address has colons of its own, so it stands in brackets, as in a URL.
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (entry, None),
        };
        let port = match port.map(str::parse::<u16>) {
            Some(Ok(0) | Err(_)) => {
                return Err(wrong(
                    "has a port that is none, or is an IPv6 address without brackets",
                ));
            }
            Some(Ok(port)) => Some(port),
            None => None,
        };
        // `*` and the like would open the whole network.
        if url::Host::parse(host).is_err() || host.contains(['*', '/', '@']) {
            return Err(wrong("is no host name or address"));
        }
        Ok(Self {
            host: normal(host),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_host_is_opened_by_its_name_and_port() {
        let open = PrivateHosts::parse(" Intranet.Example , 10.0.0.5:8080,[::1]:3000,0x7f.1 ").unwrap();
        assert_eq!(
            open.shown(),
            "intranet.example, 10.0.0.5:8080, [::1]:3000, 127.0.0.1"
        );
        for yes in [
            "http://intranet.example/",
            "https://INTRANET.example.:444/",
            "http://10.0.0.5:8080/",
            "http://[::1]:3000/",
            "http://[0:0::1]:3000/",
            "http://127.0.0.1:1/",
        ] {
            assert!(open.opens(&url(yes)), "{yes}");
        }
        for no in [
            "http://a.intranet.example/",
            "http://10.0.0.5/",
            "http://[::1]/",
            "http://localhost/",
            "http://127.0.0.2/",
        ] {
            assert!(!open.opens(&url(no)), "{no}");
        }
        assert!(PrivateHosts::parse(" , ").unwrap().notice().is_none());
    }

    #[test]
    fn nonsense_is_refused_by_the_variables_name() {
        for wrong in [
            "*",
            "*.internal",
            "http://a",
            "a:0",
            "a:99999",
            "a:b",
            "::1",
            "a b",
            "[::1",
            "a/b",
            "u@h",
            "a:",
        ] {
            let error = PrivateHosts::parse(wrong).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidOption);
            assert!(error.message.starts_with(VARIABLE), "{error}");
        }
    }

    #[test]
    fn what_is_no_private_host_stays_closed_and_metadata_opens_by_address_only() {
        let open = PrivateHosts::parse("a.example,169.254.169.254").unwrap();
        let (name, address) = (url("http://a.example"), url("http://169.254.169.254"));
        assert!(open.admits(&name, AddressClass::Private));
        assert!(!open.admits(&url("http://b.example"), AddressClass::Private));
        for never in [
            AddressClass::Unspecified,
            AddressClass::Multicast,
            AddressClass::Documentation,
            AddressClass::Reserved,
            AddressClass::Metadata,
        ] {
            assert!(!open.admits(&name, never), "{never:?}");
        }
        assert!(open.admits(&address, AddressClass::Metadata));
    }
}
