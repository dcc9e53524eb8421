//! One workerd process: its configuration, its start, its output, its end.

// Text is what Linux alone gives workerd; its tests are for every system.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod capnp;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(not(target_os = "linux"))]
#[path = "no_cgroup.rs"]
mod cgroup;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod config;
mod connection;
mod door;
#[cfg(target_os = "linux")]
mod ear;
#[cfg(not(target_os = "linux"))]
#[path = "no_ear.rs"]
mod ear;
mod guest;
#[cfg(target_os = "linux")]
mod jailed;
mod launch;
mod loopback;
mod output;
mod portable;
mod process;
mod readiness;
mod resources;
mod sanitise;
#[cfg(target_os = "linux")]
mod shared;
#[cfg(target_os = "linux")]
mod socket;
mod spawner;
mod transport;

use std::io;

pub(crate) use self::cgroup::{Cgroup, Delegation};
pub(crate) use self::config::{
    BINDING, COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, Config, PLUGIN_MODULE, WALL,
};
pub(crate) use self::connection::Connection;
pub(crate) use self::door::{BackingAddress, Door};
pub use self::ear::Ear;
pub(crate) use self::guest::guest_modules;
pub use self::launch::Programs;
pub(crate) use self::loopback::{KEY_HEADER, Loopback, PROOF_HEADER, listen};
pub use self::output::Stream;
pub(crate) use self::output::{LineSink, Output, Source};
pub(crate) use self::process::{Exit, Process};
pub(crate) use self::readiness::Opening;
pub(crate) use self::resources::Memory;
pub(crate) use self::sanitise::{sanitise_line, sanitise_text};
#[cfg(target_os = "linux")]
pub(crate) use self::socket::PrivateSocket;
pub use self::transport::Transport;

/// A child that has been started, and our ends of what connects us.
pub(crate) struct Spawned {
    pub(crate) process: Process,
    pub(crate) opening: Opening,
    pub(crate) stdout: Source,
    pub(crate) stderr: Source,
}

/// Must be called on the io thread. `backing` says which way the process is to be met: as the backing server is.
pub(crate) async fn spawn(
    programs: &Programs,
    config: &Config<'_>,
    backing: &BackingAddress,
) -> io::Result<Spawned> {
    match backing {
        #[cfg(target_os = "linux")]
        BackingAddress::Unix(socket) => jailed::spawn(programs, config, socket).await,
        BackingAddress::Tcp(port) => portable::spawn(programs, config, *port).await,
    }
}
