//! From a URL to the addresses that may be connected to: resolved once, classified all.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;

use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use super::address::{AddressClass, classify};
use super::error::FetchError;
use super::hosts::Reach;
use super::private_hosts::{PrivateHosts, literal};

/// Addresses that the classifier approved for one URL. Nothing else can be connected to, and only this file makes them.
#[derive(Debug)]
pub(super) struct Approved(Vec<SocketAddr>);

impl Approved {
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

/// Where names are looked up.
pub(super) trait Resolve: fmt::Debug + Send + Sync {
    /// `permit` is given back when the look-up has ended, also when nobody waits for it any more.
    fn resolve(&self, host: String, permit: OwnedSemaphorePermit) -> Answers;
}

pub(super) type Answers = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// The machine's own resolver, with its hosts file and search list, as everything else on it has.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: String, permit: OwnedSemaphorePermit) -> Answers {
        Box::pin(async move {
            let looked_up = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                #[expect(clippy::disallowed_methods, reason = "this is the file that resolves names")]
                let found = (host.as_str(), 0).to_socket_addrs();
                found.map(|found| found.map(|address| address.ip()).collect())
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }
}

/// The one look-up of a hop. One forbidden address among many refuses them all, as in EmDash: the others are bait.
pub(super) async fn approve(
    url: &Url,
    reach: &Reach,
    private: &PrivateHosts,
    resolver: &dyn Resolve,
    permit: OwnedSemaphorePermit,
) -> Result<Approved, FetchError> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().ok_or(FetchError::InvalidUrl)?;
    let (addresses, forbidden) = match literal(url) {
        Some(address) => (
            vec![address],
            "URLs targeting private IP addresses are not allowed",
        ),
        None => {
            let found = resolver.resolve(host.to_owned(), permit).await;
            let found = found.map_err(|error| unresolved(url, reach, &error.to_string()))?;
            (found, "Hostname resolves to a private IP address")
        }
    };
    if addresses.is_empty() {
        return Err(unresolved(url, reach, ""));
    }
    if !addresses.iter().all(|address| admits(url, *address, private)) {
        return Err(reach.blocked(url, forbidden).into());
    }
    let addresses = addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port));
    Ok(Approved(addresses.collect()))
}

fn admits(url: &Url, address: IpAddr, private: &PrivateHosts) -> bool {
    match classify(address) {
        AddressClass::Global => true,
        class => private.admits(url, class),
    }
}

/// EmDash looks a name up by itself only for those that are unrestricted.
fn unresolved(url: &Url, reach: &Reach, why: &str) -> FetchError {
    if !reach.is_unrestricted() {
        return FetchError::Unresolved(url.host_str().unwrap_or_default().to_owned());
    }
    let why = match why {
        "" => "Hostname resolved to no addresses".to_owned(),
        why => format!("Could not resolve hostname: {why}"),
    };
    reach.blocked(url, why).into()
}
