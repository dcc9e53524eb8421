//! What a process uses while it serves: looked at while invocations run, bounded by the kernel at all times.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::cpu::{CpuAccount, Overdrawn};
use crate::workerd::Process;

/// The least time between two looks at the clock while something runs; what a limit may be passed by, with the tardiness
/// of a busy machine. A look costs about 1 µs.
const SHORTEST_STEP: Duration = Duration::from_millis(5);

/// The first look after the last answer, when mostly nothing goes on; each further one comes twice as late.
const FIRST_STEP_AFTER: Duration = Duration::from_millis(10);

/// The longest time between two looks. Shorter than [`SPARE`] is used up in, even by two threads at once.
const LONGEST_STEP: Duration = Duration::from_millis(500);

/// What a process may use of the processor before somebody has to look at it again, or the kernel ends it. It is what a
/// plugin that spins while nothing was asked of it costs.
const SPARE: Duration = Duration::from_secs(2);

/// Private memory past the plugin's own that the kernel allows: workerd's compiler, caches and threads. With the 9 MB
/// that it has taken when it listens, 57 MB.
const OWN_MEMORY: u64 = 48 * 1024 * 1024;

/// Watches one process. Its methods are called with the process's invocations as they come and go.
#[derive(Debug)]
pub(super) struct Watch {
    account: CpuAccount,
    bounded: Bounded,
    /// When the kernel ends it.
    bound: Duration,
    next_look: Option<Instant>,
    /// From the last answer on.
    step: Duration,
    /// When the last invocation's time is over: what goes on after it is the kernel's to end.
    until: Instant,
    wall_time: Duration,
}

/// A process whose private memory the kernel bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounded {
    /// What it had in memory before: workerd's, not the plugin's.
    own_at_first: u64,
}

impl Bounded {
    /// To be called before any of the plugin's code has run: what the process has taken by then is granted to it on top.
    ///
    /// # Errors
    /// When the system does not let us: then the plugin must not run.
    pub(super) fn new(process: &Process, limits: &Limits) -> std::io::Result<Self> {
        let memory = process.memory()?;
        process.bound_data(memory.data + limits.memory() + OWN_MEMORY)?;
        let own_at_first = memory.own;
        Ok(Self { own_at_first })
    }
}

impl Watch {
    /// # Errors
    /// When the system does not let us watch it: then it must not serve.
    pub(super) fn new(
        process: &Process,
        limits: &Limits,
        bounded: Bounded,
        now: Instant,
    ) -> std::io::Result<Self> {
        let used = process.cpu_time()?;
        let mut watch = Self {
            account: CpuAccount::new(limits.cpu, used, now),
            bounded,
            bound: Duration::ZERO,
            next_look: None,
            step: FIRST_STEP_AFTER,
            until: now,
            wall_time: limits.wall_time,
        };
        watch.extend(process, used)?;
        Ok(watch)
    }

    pub(super) fn begin(&mut self, process: &Process, invocation: u64, now: Instant) {
        // A process that has ended is reported another way.
        let Ok(used) = process.cpu_time() else { return };
        self.account.begin(invocation, used, now);
        // What was used since the last look must not be missing now; where the kernel does not let us move the bound it
        // stays, which is the safe side.
        let _ = self.extend(process, used);
        self.until = now + self.wall_time;
        // Never later than it was: calls that keep coming must not put the look off.
        let due = now + self.step_while_open();
        self.next_look = Some(self.next_look.map_or(due, |look| look.min(due)));
    }

    pub(super) fn end(&mut self, process: &Process, invocation: u64, now: Instant) {
        let Ok(used) = process.cpu_time() else { return };
        self.account.end(invocation, used);
        if !self.account.has_open() {
            self.step = FIRST_STEP_AFTER;
            self.next_look = Some(now + self.step);
        }
    }

    /// When [`Watch::look`] is due.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Whose processor time is up, where somebody's is.
    pub(super) fn look(&mut self, process: &Process, now: Instant) -> Option<Overdrawn> {
        let used = process.cpu_time().ok()?;
        let overdrawn = self.account.check(used, now);
        let _ = self.extend(process, used);
        self.look_again(now);
        overdrawn
    }

    /// Whether a process that the kernel has ended at the bound had used more than it may.
    pub(super) fn is_overdrawn_at_bound(&self) -> bool {
        self.bound.saturating_sub(self.account.used()) >= self.account.left()
    }

    /// What the plugin has in memory, about; 0 when that can't be told.
    pub(super) fn memory(&self, process: &Process) -> u64 {
        let own = process.memory().map_or(0, |memory| memory.own);
        own.saturating_sub(self.bounded.own_at_first)
    }

    fn look_again(&mut self, now: Instant) {
        self.next_look = if self.account.has_open() {
            Some(now + self.step_while_open())
        } else {
            self.step = (self.step * 2).min(LONGEST_STEP);
            (now < self.until).then_some(now + self.step)
        };
    }

    /// Several threads of a process may use processors at once.
    fn step_while_open(&self) -> Duration {
        (self.account.left() / 2).clamp(SHORTEST_STEP, LONGEST_STEP)
    }

    fn extend(&mut self, process: &Process, used: Duration) -> std::io::Result<()> {
        if self.bound < used + SPARE / 2 {
            process.bound_cpu(used + SPARE)?;
            self.bound = used + SPARE;
        }
        Ok(())
    }
}
