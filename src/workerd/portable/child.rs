//! A child by its handle: a thread of its own waits for its end, and reaps it.
//!
//! Not tokio's children: where it has no other way it goes by SIGCHLD, and that signal is Node's.

use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::Started;
use crate::workerd::process::{Ended, Exit, Report};

/// Stack of a thread that waits for one thing.
pub(super) const SMALL_STACK: usize = 128 * 1024;

/// A child that nobody reaps while it is being signalled: its number is its own under the lock.
#[derive(Debug)]
pub(in crate::workerd) struct Ward {
    pid: u32,
    child: Mutex<Child>,
}

/// Its ends that are ours.
pub(super) struct Pipes {
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

impl Ward {
    pub(super) fn new(mut started: Started) -> io::Result<Arc<Self>> {
        let child = started.0.take().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Self {
            pid: child.id(),
            child: Mutex::new(child),
        }))
    }

    /// Begins to wait for its end. Where no thread can be had, it is ended.
    pub(super) fn watch(self: &Arc<Self>) -> io::Result<(Pipes, Ended)> {
        let mut child = self.lock();
        let pipes = Pipes {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        };
        drop(child);
        let (report, exit) = watch::channel(None);
        let waiting = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("emdash-reaper".into())
            .stack_size(SMALL_STACK)
            .spawn(move || waiting.reap(&report));
        thread.inspect_err(|_| {
            self.kill();
            self.wait(|_| {});
        })?;
        Ok((pipes, exit))
    }

    pub(in crate::workerd) fn pid(&self) -> u32 {
        self.pid
    }

    pub(in crate::workerd) fn kill(&self) {
        // One that has been reaped is not signalled.
        let _ = self.lock().kill();
    }

    #[cfg(unix)]
    pub(in crate::workerd) fn ask_to_end(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let mut child = self.lock();
        // Ended and not reaped, it may be signalled: its number is still its own.
        if matches!(child.try_wait(), Ok(None))
            && let Some(pid) = Pid::from_raw(self.pid.cast_signed())
        {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Windows has nothing that asks a process without a window.
    #[cfg(windows)]
    pub(in crate::workerd) fn ask_to_end(&self) {
        self.kill();
    }

    /// What it has used so far: processor time, and its own memory in bytes.
    #[cfg(windows)]
    pub(in crate::workerd) fn usage(&self) -> io::Result<(std::time::Duration, u64)> {
        crate::sys::process_usage(std::os::windows::io::AsHandle::as_handle(&*self.lock()))
    }

    fn reap(&self, report: &Report) {
        // Without the lock, which whoever ends it needs.
        self.until_ended();
        self.wait(|exit| {
            report.send_replace(Some((exit, Instant::now())));
        });
    }

    fn wait(&self, tell: impl FnOnce(Exit)) {
        // Before its number can become another process's.
        #[cfg(unix)]
        let _retired = super::guard::release(self.pid);
        let exit = self.lock().wait().map_or(Exit::Unknown, Exit::from);
        tell(exit);
    }

    #[cfg(unix)]
    fn until_ended(&self) {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let Some(pid) = Pid::from_raw(self.pid.cast_signed()) else {
            return;
        };
        let without_reaping = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), without_reaping) {}
    }

    #[cfg(windows)]
    fn until_ended(&self) {
        let handle = std::os::windows::io::AsHandle::as_handle(&*self.lock()).try_clone_to_owned();
        if let Ok(handle) = handle {
            crate::sys::wait_for_end(&handle);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
