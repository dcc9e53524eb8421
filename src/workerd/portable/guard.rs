//! The watchdog that ends plugins' processes when Node's has ended, on systems whose kernel does not.
//!
//! It is the launcher under another name, one for all of a Node process, and it reads a pipe of ours: a line for each
//! process that it is to watch, and one for each that it need not any more. When the pipe ends, so has Node, and it ends
//! them. It is there for as long as there is a process to watch.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::workerd::launch::Programs;

static GUARD: Mutex<Guard> = Mutex::new(Guard {
    wards: BTreeSet::new(),
    running: None,
});

struct Guard {
    wards: BTreeSet<u32>,
    running: Option<Running>,
}

/// Dropping it ends the watchdog alone, and waits for that.
pub(super) struct Running {
    child: Child,
    lines: ChildStdin,
}

/// Has this child ended with Node.
///
/// # Errors
/// When no watchdog can be started, or it ends at once.
pub(super) fn watch_over(programs: &Programs, pid: u32) -> io::Result<()> {
    let mut guard = lock();
    guard.wards.insert(pid);
    let outcome = guard.tell_or_restart(programs, pid);
    if outcome.is_err() {
        drop(guard.forget(pid));
    }
    outcome
}

/// Must be called before the child is reaped: its number may be another's afterwards. Where the watchdog has nobody left to
/// watch it is on its way out, and for the caller to drop when it has nothing more urgent to do.
#[must_use = "it waits when it is dropped"]
pub(super) fn release(pid: u32) -> Option<Running> {
    lock().forget(pid)
}

impl Guard {
    fn tell_or_restart(&mut self, programs: &Programs, pid: u32) -> io::Result<()> {
        if let Some(running) = &mut self.running
            && running.tell('+', pid).is_ok()
        {
            return Ok(());
        }
        // There was none, or somebody has ended it.
        self.running = None;
        let mut running = Running::start(programs)?;
        for ward in &self.wards {
            running.tell('+', *ward)?;
        }
        self.running = Some(running);
        Ok(())
    }

    fn forget(&mut self, pid: u32) -> Option<Running> {
        if !self.wards.remove(&pid) {
            return None;
        }
        let running = self.running.as_mut()?;
        if self.wards.is_empty() {
            running.end();
            return self.running.take();
        }
        // One that is gone ends nobody; the next process brings another.
        let _ = running.tell('-', pid);
        None
    }
}

impl Running {
    fn start(programs: &Programs) -> io::Result<Self> {
        let mut command = programs.command_apart(&programs.launcher);
        command
            .arg("watch")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        match child.stdin.take() {
            Some(lines) => Ok(Self { child, lines }),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn tell(&mut self, sign: char, pid: u32) -> io::Result<()> {
        self.lines.write_all(format!("{sign}{pid}\n").as_bytes())
    }
}

impl Running {
    /// By SIGKILL, so that it does not take the pipe's end for Node's.
    fn end(&mut self) {
        // It may have been ended by somebody else.
        let _ = self.child.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        let _ = self.child.wait();
    }
}

fn lock() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}
