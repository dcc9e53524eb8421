//! Where a plugin's process is met, and where it meets the backing server.

#[cfg(target_os = "linux")]
use std::sync::Arc;

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

/// Where the backing server listens.
#[derive(Debug, Clone)]
pub(crate) enum BackingAddress {
    #[cfg(target_os = "linux")]
    Unix(Arc<PrivateSocket>),
    /// A port of 127.0.0.1.
    Tcp(u16),
}
