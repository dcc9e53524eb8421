//! Ports of 127.0.0.1, on which a plugin's process and the host meet where there are no Unix sockets to hand over.
//!
//! Everybody on the machine can connect to them. So each end shows the other a secret before anything else passes; both
//! live as long as the process. What a stranger learns from either port is that it is there.
#![expect(
    clippy::disallowed_methods,
    reason = "it connects to 127.0.0.1 alone, to the port that our own child has told with the secret that it was given"
)]

use std::io;
use std::net::Ipv4Addr;

use hyper::HeaderMap;
use hyper::header::HeaderValue;
use tokio::net::{TcpListener, TcpStream};

/// Only this file makes one.
pub(super) type LoopbackStream = TcpStream;

use crate::token::Secret;

/// The headers of `guest/gate.js`.
pub(crate) const KEY_HEADER: &str = "x-emdash-sandbox-key";
pub(crate) const PROOF_HEADER: &str = "x-emdash-sandbox-proof";

/// Where a plugin's process listens.
#[derive(Debug)]
pub(crate) struct Loopback {
    port: u16,
    keys: Keys,
}

#[derive(Debug)]
pub(crate) struct Keys {
    /// What the host shows.
    pub(crate) key: Secret,
    /// What the process answers with.
    pub(crate) proof: Secret,
}

impl Keys {
    pub(super) fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self {
            key: Secret::generate()?,
            proof: Secret::generate()?,
        })
    }
}

impl Loopback {
    pub(super) fn new(port: u16, keys: Keys) -> Self {
        Self { port, keys }
    }

    pub(crate) async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        // Frames are small, and each is waited for.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What lets the host in.
    pub(crate) fn key(&self) -> Option<HeaderValue> {
        let mut key = HeaderValue::from_str(self.keys.key.expose()).ok()?;
        key.set_sensitive(true);
        Some(key)
    }

    /// Whether whoever answers with these is the process that was started: its port may be another's by now.
    pub(crate) fn is_shown_by(&self, headers: &HeaderMap) -> bool {
        let proof = headers.get(PROOF_HEADER);
        proof.is_some_and(|proof| self.is_proof(proof.as_bytes()))
    }

    /// Whether this is the value of [`PROOF_HEADER`] that only the process knows.
    pub(crate) fn is_proof(&self, shown: &[u8]) -> bool {
        self.keys.proof.is(shown)
    }
}

/// A listener that this machine alone can connect to, and its port.
pub(crate) fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((TcpListener::from_std(listener)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proof_itself_is_one() {
        let keys = Keys::generate().unwrap();
        let (key, proof) = (keys.key.expose().to_owned(), keys.proof.expose().to_owned());
        let door = Loopback::new(1, keys);
        let shown = |value: &str| {
            let value = HeaderValue::from_str(value).unwrap();
            door.is_shown_by(&HeaderMap::from_iter([(PROOF_HEADER.parse().unwrap(), value)]))
        };
        assert!(shown(&proof));
        assert!(!shown(&key), "what the host has shown proves nothing");
        assert!(!shown(""));
        assert!(!door.is_shown_by(&HeaderMap::new()));
        assert!(door.key().unwrap().is_sensitive());
    }

    #[tokio::test]
    async fn it_listens_on_loopback_alone() {
        let (listener, port) = listen().unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        assert_eq!(address.port(), port);
    }
}
