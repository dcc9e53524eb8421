//! Which hosts a plugin may reach, by name: EmDash's rules.

use url::{Host, Url};

use super::private_hosts::PrivateHosts;

/// What a plugin has been granted, fixed while it is loaded.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(super) plugin_id: String,
    hosts: Hosts,
}

#[derive(Debug, Clone)]
enum Hosts {
    /// The manifest's list, as it stands there.
    Declared(Vec<String>),
    Unrestricted,
}

/// Why a URL is refused before anything is resolved. Plugins see these texts, which EmDash has set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error(
        "Plugin \"{0}\" has no allowed hosts configured. Add hosts to the plugin's allowedHosts array to enable HTTP requests."
    )]
    NoHosts(String),
    #[error("Plugin \"{plugin}\" is not allowed to fetch from host \"{host}\". Allowed hosts: {allowed}")]
    NotAllowed {
        plugin: String,
        host: String,
        allowed: String,
    },
    #[error("Plugin \"{plugin}\": blocked fetch to \"{host}\": {why}")]
    Blocked {
        plugin: String,
        host: String,
        why: String,
    },
}

impl Reach {
    /// `hosts` counts only for a plugin that is not `unrestricted`.
    pub(crate) fn new(plugin_id: &str, unrestricted: bool, hosts: &[String]) -> Self {
        let hosts = if unrestricted {
            Hosts::Unrestricted
        } else {
            Hosts::Declared(hosts.to_vec())
        };
        Self {
            plugin_id: plugin_id.to_owned(),
            hosts,
        }
    }

    /// Asked before the URL is read: without hosts every URL is refused alike.
    pub(super) fn check_any(&self) -> Result<(), Denied> {
        match &self.hosts {
            Hosts::Declared(hosts) if hosts.is_empty() => Err(Denied::NoHosts(self.plugin_id.clone())),
            _ => Ok(()),
        }
    }

    /// Whether the URL's scheme and name may be asked for. Its addresses are another question.
    pub(super) fn check(&self, url: &Url, private: &PrivateHosts) -> Result<(), Denied> {
        self.check_any()?;
        let host = comparable(url.host_str().unwrap_or_default());
        if let Hosts::Declared(allowed) = &self.hosts
            && !allowed.iter().any(|pattern| matches(pattern, &host))
        {
            return Err(Denied::NotAllowed {
                plugin: self.plugin_id.clone(),
                host: url.host_str().unwrap_or_default().to_owned(),
                allowed: allowed.join(", "),
            });
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(self.blocked(url, format!("Scheme '{}:' is not allowed", url.scheme())));
        }
        // A declared name is one that somebody has looked at; where it leads is checked either way.
        if self.is_unrestricted() && !private.opens(url) {
            if is_internal(&host) {
                return Err(self.blocked(url, "URLs targeting internal hosts are not allowed"));
            }
            if WILDCARD_DNS.iter().any(|service| is_within(&host, service)) {
                return Err(self.blocked(url, "URLs targeting wildcard DNS services are not allowed"));
            }
        }
        Ok(())
    }

    pub(super) fn is_unrestricted(&self) -> bool {
        matches!(self.hosts, Hosts::Unrestricted)
    }

    pub(super) fn blocked(&self, url: &Url, why: impl Into<String>) -> Denied {
        Denied::Blocked {
            plugin: self.plugin_id.clone(),
            host: url.host_str().unwrap_or_default().to_owned(),
            why: why.into(),
        }
    }
}

/// Names of the machine itself and of what clouds tell it. What else is internal shows by its address.
fn is_internal(host: &str) -> bool {
    const NAMES: [&str; 4] = [
        "metadata",
        "metadata.google",
        "metadata.google.internal",
        "instance-data",
    ];
    NAMES.contains(&host) || is_within(host, "localhost")
}

/// Services whose names hold the address that they lead to. EmDash's list.
const WILDCARD_DNS: [&str; 6] = [
    "nip.io",
    "sslip.io",
    "xip.io",
    "traefik.me",
    "lvh.me",
    "localtest.me",
];

/// `*` is any host; `*.example.com` is example.com and all below it; anything else is that host. Ports and schemes are no
/// part of a pattern.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        _ if pattern == "*" => true,
        Some(domain) => is_within(host, &normal(domain)),
        None => normal(pattern) == host,
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        && !domain.is_empty()
}

/// A host as URLs hold it: lower case, IDNA, an address in its one form.
pub(super) fn normal(host: &str) -> String {
    let host = Host::parse(host).map_or_else(|_| host.to_ascii_lowercase(), |host| host.to_string());
    comparable(&host)
}

/// `localhost.` is `localhost`.
pub(super) fn comparable(host: &str) -> String {
    host.trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
