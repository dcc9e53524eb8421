//! Where a plugin's process is met, and where it meets the backing server.

use std::io;
#[cfg(target_os = "linux")]
use std::sync::Arc;

use super::connection::Connection;
use super::loopback::Loopback;
#[cfg(target_os = "linux")]
use super::socket::PrivateSocket;

/// Where a plugin's process listens.
#[derive(Debug)]
pub(crate) enum Door {
    #[cfg(target_os = "linux")]
    Unix(PrivateSocket),
    Tcp(Loopback),
}

impl Door {
    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unix(socket) => socket.connect().await.map(Connection::from),
            Self::Tcp(loopback) => loopback.connect().await.map(Connection::from),
        }
    }

    /// What must be shown there, where everybody can connect.
    pub(crate) fn loopback(&self) -> Option<&Loopback> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unix(_) => None,
            Self::Tcp(loopback) => Some(loopback),
        }
    }
}

/// Where the backing server listens.
#[derive(Debug, Clone)]
pub(crate) enum BackingAddress {
    #[cfg(target_os = "linux")]
    Unix(Arc<PrivateSocket>),
    /// A port of 127.0.0.1.
    Tcp(u16),
}
