//! A running child: a guard whose drop ends it, and the news of its end.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::Instant;

use super::launch::Launched;

/// A child process. Dropping it kills it (SIGKILL: a process that spins ignores SIGTERM, and workerd keeps nothing worth
/// saving); a task of its own reaps it.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    pidfd: Arc<AsyncFd<OwnedFd>>,
    exit: watch::Receiver<Option<(Exit, Instant)>>,
}

/// Standard output and standard error.
pub(super) type Streams = (Option<OwnedFd>, Option<OwnedFd>);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// Its end was seen, its status was not.
    Unknown,
}

impl Process {
    /// The process, and its standard output and error. Must be called on the io thread, whose runtime watches it.
    pub(super) fn adopt(launched: Launched) -> io::Result<(Self, Streams)> {
        let pidfd = Arc::new(crate::sys::watch_readable(launched.pidfd().try_clone()?)?);
        let mut child = launched.take_over().ok_or(io::ErrorKind::NotFound)?;
        let streams = (
            child.stdout.take().map(OwnedFd::from),
            child.stderr.take().map(OwnedFd::from),
        );
        let pid = child.id();
        let (report, exit) = watch::channel(None);
        tokio::spawn(reap(child, Arc::clone(&pidfd), report));
        Ok((Self { pid, pidfd, exit }, streams))
    }

    pub(crate) fn clock(&self) -> CpuClock {
        CpuClock {
            pid: self.pid,
            exit: self.exit.clone(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its end has been seen. It is not reaped before.
    pub(super) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Harmless once it has ended: the pidfd never names another process.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(self.pidfd.get_ref(), Signal::KILL);
    }

    /// As [`Process::kill`], but it may ignore it.
    pub(crate) fn ask_to_end(&self) {
        let _ = pidfd_send_signal(self.pidfd.get_ref(), Signal::TERM);
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

/// The processor time of a process, also for other threads than the io thread, which reaps it.
#[derive(Debug, Clone)]
pub(crate) struct CpuClock {
    pid: u32,
    exit: watch::Receiver<Option<(Exit, Instant)>>,
}

impl CpuClock {
    /// # Errors
    /// When the process has ended. (One that is reaped at this very moment may be mistaken for another process, if the
    /// kernel has given its number away already: it gives all the others first.)
    pub(crate) fn read(&self) -> io::Result<Duration> {
        if self.exit.borrow().is_some() {
            return Err(io::ErrorKind::NotFound.into());
        }
        crate::sys::process_cpu_time(self.pid)
    }
}

#[cfg(test)]
impl CpuClock {
    /// This process's own; it stops with `is_over`.
    pub(crate) fn own(is_over: bool) -> Self {
        let exit = is_over.then(|| (Exit::Code(0), Instant::now()));
        let pid = std::process::id();
        let exit = watch::channel(exit).1;
        Self { pid, exit }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A pidfd becomes readable when its process ends. No SIGCHLD: that signal is Node's.
async fn reap(
    mut child: Child,
    pidfd: Arc<AsyncFd<OwnedFd>>,
    report: watch::Sender<Option<(Exit, Instant)>>,
) {
    let exit = match pidfd.readable().await {
        Ok(_) => child.wait().map_or(Exit::Unknown, Exit::from),
        Err(_) => Exit::Unknown,
    };
    report.send_replace(Some((exit, Instant::now())));
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
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
