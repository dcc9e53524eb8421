//! One workerd process: its configuration, its start, its output, its end.

mod capnp;
mod cgroup;
mod config;
mod guest;
mod launch;
mod output;
mod process;
mod readiness;
mod resources;
mod sanitise;
mod socket;
mod spawner;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

pub(crate) use self::cgroup::{Cgroup, Delegation};
pub(crate) use self::config::{
    BINDING, COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, Config, PLUGIN_MODULE, WALL,
};
pub(crate) use self::guest::guest_modules;
use self::launch::Launch;
pub use self::launch::Programs;
pub use self::output::Stream;
pub(crate) use self::output::{LineSink, Output};
pub(crate) use self::process::{CpuClock, Exit, Process};
pub(crate) use self::readiness::listening;
pub(crate) use self::resources::Memory;
pub(crate) use self::sanitise::{sanitise_line, sanitise_text};
pub(crate) use self::socket::PrivateSocket;

/// A child that has been started, and our ends of what connects us.
pub(crate) struct Spawned {
    pub(crate) process: Process,
    pub(crate) control: OwnedFd,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// Must be called on the io thread.
pub(crate) async fn spawn(
    programs: &Programs,
    configuration: String,
    listener: UnixListener,
    backing: Arc<PrivateSocket>,
) -> io::Result<Spawned> {
    let (ours, theirs) = readiness::control_pipe()?;
    let launch = Launch {
        programs: programs.clone(),
        configuration,
        listener,
        control: theirs,
        backing,
    };
    let (process, (stdout, stderr)) = Process::adopt(spawner::spawn(launch).await?)?;
    Ok(Spawned {
        process,
        control: ours,
        stdout,
        stderr,
    })
}
