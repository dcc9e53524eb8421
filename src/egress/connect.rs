//! The one place that opens an outbound connection, to addresses that were approved and to nothing else.

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::error::{FetchError, chain};
use super::resolve::Approved;
use super::trust::Trust;

/// One address's share of the time when others are left to try.
const ATTEMPT: Duration = Duration::from_secs(3);

pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection to the URL's origin, with TLS where its scheme says so. No proxy of the host's environment is heeded.
pub(super) async fn connect(
    url: &Url,
    approved: &Approved,
    trust: &Trust,
) -> Result<Box<dyn Wire>, FetchError> {
    let host = url.host_str().unwrap_or_default();
    let stream = open(approved).await.map_err(|error| FetchError::Connect {
        host: host.to_owned(),
        why: error.to_string(),
    })?;
    // Requests are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    if url.scheme() == "http" {
        return Ok(Box::new(stream));
    }
    let failed = |why: String| FetchError::Tls {
        host: host.to_owned(),
        why,
    };
    let connector = TlsConnector::from(trust.config().await.map_err(failed)?);
    let name =
        server_name(url).ok_or_else(|| failed("its name is none that a certificate can have".into()))?;
    let stream = connector.connect(name, stream).await;
    Ok(Box::new(stream.map_err(|error| failed(chain(&error)))?))
}

/// In the order of the look-up, which is the system's preference.
async fn open(approved: &Approved) -> io::Result<TcpStream> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    let mut left = approved.addresses().len();
    for address in approved.addresses() {
        left -= 1;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let opened = TcpStream::connect(address);
        outcome = if left == 0 {
            opened.await
        } else {
            tokio::time::timeout(ATTEMPT, opened)
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
        Host::Ipv4(address) => Some(ServerName::IpAddress(address.into())),
        Host::Ipv6(address) => Some(ServerName::IpAddress(address.into())),
    }
}
