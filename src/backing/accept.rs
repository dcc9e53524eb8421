//! Taking connections: each has a place among those of whoever is at its other end, or is not heard.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::admission::Admissions;
use super::caller::Caller;
use super::connections::{Connections, Owner};
use super::serve;
use crate::workerd::{BackingAddress, Transport};

/// Out of descriptors, most likely: leave those who have one the time to give it back.
const PAUSE: Duration = Duration::from_millis(50);

/// Must be called within the io thread's runtime.
pub(super) fn start(
    transport: Transport,
    admissions: &Arc<Admissions>,
) -> io::Result<(BackingAddress, JoinHandle<()>)> {
    match transport {
        #[cfg(target_os = "linux")]
        Transport::Unix => unix::start(Arc::clone(admissions)),
        #[cfg(not(target_os = "linux"))]
        Transport::Unix => Err(io::ErrorKind::Unsupported.into()),
        Transport::Tcp => tcp(Arc::clone(admissions)),
    }
}

fn tcp(admissions: Arc<Admissions>) -> io::Result<(BackingAddress, JoinHandle<()>)> {
    let (listener, port) = crate::workerd::listen()?;
    let task = tokio::spawn(async move {
        let connections = Arc::new(Connections::default());
        loop {
            match listener.accept().await {
                // What is not of this machine can't get here, since we listen on 127.0.0.1; it would not be heard.
                Ok((stream, peer)) if peer.ip().is_loopback() => {
                    hear(
                        stream,
                        Caller::Loopback,
                        Owner::Stranger,
                        &connections,
                        &admissions,
                    );
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    });
    Ok((BackingAddress::Tcp(port), task))
}

fn hear(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    caller: Caller,
    owner: Owner,
    connections: &Arc<Connections>,
    admissions: &Arc<Admissions>,
) {
    // Who has too many connections is not heard.
    if let Some(place) = Connections::place(connections, owner) {
        tokio::spawn(serve(stream, caller, place, Arc::clone(admissions)));
    }
}

#[cfg(target_os = "linux")]
mod unix {
    use tokio::net::UnixListener;

    use super::*;
    use crate::workerd::PrivateSocket;

    pub(super) fn start(admissions: Arc<Admissions>) -> io::Result<(BackingAddress, JoinHandle<()>)> {
        let (socket, listener) = PrivateSocket::bind()?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let task = tokio::spawn(accept(listener, admissions));
        Ok((BackingAddress::Unix(Arc::new(socket)), task))
    }

    async fn accept(listener: UnixListener, admissions: Arc<Admissions>) {
        let connections = Arc::new(Connections::default());
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
            // Who has no process id is not heard.
            if let Some(pid) = pid.and_then(|pid| u32::try_from(pid).ok()) {
                hear(
                    stream,
                    Caller::Process(pid),
                    Owner::Process(pid),
                    &connections,
                    &admissions,
                );
            }
        }
    }
}
