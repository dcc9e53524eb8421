//! A running child: a guard whose drop ends it, and the news of its end.

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::Arc;

#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::Instant;

use super::portable::Ward;

/// A child process. Dropping it kills it (SIGKILL: a process that spins ignores SIGTERM, and workerd keeps nothing worth
/// saving); whoever watches it reaps it.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    pub(super) handle: Handle,
    exit: Ended,
}

/// What a process is named by, however it was started.
#[derive(Debug)]
pub(super) enum Handle {
    #[cfg(target_os = "linux")]
    Pidfd(Arc<AsyncFd<OwnedFd>>),
    Ward(Arc<Ward>),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// Its end was seen, its status was not.
    Unknown,
}

/// How and when, once it has.
pub(super) type Ended = watch::Receiver<Option<(Exit, Instant)>>;
pub(super) type Report = watch::Sender<Option<(Exit, Instant)>>;

/// The kernel's signal for a process whose processor time is up; none of Windows's.
const SIGXCPU: i32 = 24;

impl Process {
    pub(super) fn new(pid: u32, handle: Handle, exit: Ended) -> Self {
        Self { pid, handle, exit }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its end has been seen. It is not reaped before.
    pub(super) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Harmless once it has ended: what it is named by never names another process.
    pub(crate) fn kill(&self) {
        match &self.handle {
            #[cfg(target_os = "linux")]
            Handle::Pidfd(pidfd) => super::jailed::signal(pidfd.get_ref(), rustix::process::Signal::KILL),
            Handle::Ward(ward) => ward.kill(),
        }
    }

    /// As [`Process::kill`], but it may ignore it, where there is such a thing.
    pub(crate) fn ask_to_end(&self) {
        match &self.handle {
            #[cfg(target_os = "linux")]
            Handle::Pidfd(pidfd) => super::jailed::signal(pidfd.get_ref(), rustix::process::Signal::TERM),
            Handle::Ward(ward) => ward.ask_to_end(),
        }
    }

    /// Resolves when the process has ended and has been reaped; cheap to await again.
    pub(crate) async fn exited(&self) -> Exit {
        self.ended().await.0
    }

    /// As [`Process::exited`], with the time of it.
    pub(crate) async fn ended(&self) -> (Exit, Instant) {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await.map(|ended| *ended);
        ended.ok().flatten().unwrap_or((Exit::Unknown, Instant::now()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Exit {
    /// Whether the kernel ended it for its use of the processor.
    pub(crate) fn is_out_of_time(self) -> bool {
        self == Self::Signal(SIGXCPU)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        #[cfg(not(unix))]
        let signal = None;
        match (status.code(), signal) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("an unknown status"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(unix)]
    fn the_signal_of_processor_time_has_the_number_that_this_system_gives_it() {
        assert_eq!(super::SIGXCPU, libc::SIGXCPU);
    }
}
