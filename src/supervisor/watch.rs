//! What a process uses while it serves: looked at while invocations run, bounded by the kernel at all times.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;
use crate::limits::cpu::{CpuAccount, End, Overdrawn};
use crate::workerd::{Memory, Process};

/// The least time between two looks at the clock while something runs; what a limit may be passed by, with the tardiness
/// of a busy machine. A look costs about 1 µs.
const SHORTEST_STEP: Duration = Duration::from_millis(5);

/// The first look after the last answer, when mostly nothing goes on; each further one comes twice as late.
const FIRST_STEP_AFTER: Duration = Duration::from_millis(10);

/// Looks in a row that find a process at rest, past which nobody looks any more: 70 ms after the last answer, mostly.
const LOOKS_AT_REST: u32 = 3;

/// What a process at rest uses between two looks, at most: waking up for a timer takes some 50 µs.
const REST: Duration = Duration::from_millis(1);

/// The longest time between two looks. Shorter than [`SPARE`] is used up in, even by two threads at once.
const LONGEST_STEP: Duration = Duration::from_millis(500);

/// What a process may use of the processor before somebody has to look at it again, or the kernel ends it. It is what a
/// plugin that spins while nothing was asked of it costs.
const SPARE: Duration = Duration::from_secs(2);

/// Private memory past the plugin's own that the kernel allows: workerd's compiler, caches and threads. With the 9 MB
/// that it has taken when it listens, 57 MB.
const OWN_MEMORY: u64 = 48 * 1024 * 1024;

/// Memory is measured for `status()` alone, and costs more than a look at the clock: some 10 µs.
const BETWEEN_MEASURES: Duration = Duration::from_millis(100);

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
    /// Looks in a row, since then, that found it at rest.
    at_rest: u32,
    /// When the last invocation's time is over: what goes on after it is the kernel's to end.
    until: Instant,
    wall_time: Duration,
    /// What the clock showed when it was told of last.
    told: Duration,
    /// When memory was looked at last.
    measured: Option<Instant>,
}

/// What a watch asks of its process.
pub(super) trait Meter {
    fn cpu_time(&self) -> std::io::Result<Duration>;
    fn bound_cpu(&self, total: Duration) -> std::io::Result<()>;
    fn memory(&self) -> std::io::Result<Memory>;
}

impl Meter for Process {
    fn cpu_time(&self) -> std::io::Result<Duration> {
        self.cpu_time()
    }

    fn bound_cpu(&self, total: Duration) -> std::io::Result<()> {
        self.bound_cpu(total)
    }

    fn memory(&self) -> std::io::Result<Memory> {
        self.memory()
    }
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
        process: &impl Meter,
        limits: &Limits,
        bounded: Bounded,
        now: Instant,
    ) -> std::io::Result<Self> {
        let used = process.cpu_time()?;
        let mut watch = Self {
            account: CpuAccount::new(limits.cpu, limits.wall_time, used, now),
            bounded,
            bound: Duration::ZERO,
            next_look: None,
            step: FIRST_STEP_AFTER,
            at_rest: 0,
            until: now,
            wall_time: limits.wall_time,
            told: used,
            measured: None,
        };
        watch.extend(process, used)?;
        Ok(watch)
    }

    pub(super) fn begin(&mut self, process: &impl Meter, invocation: u64, now: Instant) {
        // A process that has ended is reported another way.
        let Ok(used) = process.cpu_time() else { return };
        self.began(process, invocation, used, now);
    }

    /// The same for one that began a moment ago, when the process had used so much.
    pub(super) fn began(&mut self, process: &impl Meter, invocation: u64, used: Duration, now: Instant) {
        self.account.begin(invocation, used, now);
        // What was used since the last look must not be missing now; where the kernel does not let us move the bound it
        // stays, which is the safe side.
        let _ = self.extend(process, used);
        self.until = now + self.wall_time;
        // Never later than it was: calls that keep coming must not put the look off.
        let due = now + self.step_while_open();
        self.next_look = Some(self.next_look.map_or(due, |look| look.min(due)));
    }

    pub(super) fn end(&mut self, process: &impl Meter, invocation: u64, end: End, now: Instant) {
        let Ok(used) = process.cpu_time() else { return };
        self.account.end(invocation, end, used);
        if !self.account.has_open() {
            self.look_for_rest(now);
        }
    }

    /// An invocation waits for one more answer of the host, or has one of them.
    pub(super) fn waits(&mut self, invocation: u64) {
        self.account.waits(invocation);
    }

    pub(super) fn resumes(&mut self, invocation: u64) {
        self.account.resumes(invocation);
    }

    /// The guest has said something.
    pub(super) fn heard(&mut self) {
        self.account.heard();
        // Work that was left behind has woken up after nobody looked any more.
        if self.next_look.is_none() {
            self.look_for_rest(Instant::now());
        }
    }

    /// When [`Watch::look`] is due.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// When the last invocation's time is over.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Whose processor time is up, where somebody's is.
    pub(super) fn look(&mut self, process: &impl Meter, now: Instant) -> Option<Overdrawn> {
        let before = self.account.used();
        let Ok(used) = process.cpu_time() else {
            // It has ended: there is nothing to look at any more.
            self.next_look = None;
            return None;
        };
        let overdrawn = self.account.check(used, now);
        let _ = self.extend(process, used);
        self.look_again(used.saturating_sub(before), now);
        overdrawn
    }

    /// What was used since the last time, and what the plugin has in memory, if that was not looked at just now.
    pub(super) fn take_used(&mut self, process: &Process, now: Instant) -> (Duration, Option<u64>) {
        let used = self.account.used();
        let since = used.saturating_sub(std::mem::replace(&mut self.told, used));
        let is_due = self
            .measured
            .is_none_or(|at| now.duration_since(at) >= BETWEEN_MEASURES);
        if is_due {
            self.measured = Some(now);
        }
        (since, is_due.then(|| self.memory(process)))
    }

    /// Whether a process that the kernel has ended at the bound had used more than it may.
    pub(super) fn is_overdrawn_at_bound(&self) -> bool {
        self.bound.saturating_sub(self.account.used()) >= self.account.left()
    }

    /// What the plugin has in memory, about; 0 when that can't be told.
    pub(super) fn memory(&self, process: &impl Meter) -> u64 {
        let own = process.memory().map_or(0, |memory| memory.own);
        own.saturating_sub(self.bounded.own_at_first)
    }

    /// What the process's clock may show when an invocation begins, without the kernel's bound having to be moved first.
    pub(super) fn may_use(&self) -> Duration {
        self.bound.saturating_sub(SPARE / 2)
    }

    /// How soon it must be looked at when an invocation begins now.
    pub(super) fn looks_within(&self) -> Duration {
        self.step_while_open().min(self.wall_time)
    }

    fn look_for_rest(&mut self, now: Instant) {
        self.step = FIRST_STEP_AFTER;
        self.at_rest = 0;
        self.next_look = (now < self.until).then_some(now + self.step);
    }

    /// `delta` is what it has used since the look before.
    fn look_again(&mut self, delta: Duration, now: Instant) {
        if self.account.has_open() {
            self.next_look = Some(now + self.step_while_open());
            return;
        }
        self.at_rest = match delta < REST {
            true => self.at_rest + 1,
            false => 0,
        };
        self.step = (self.step * 2).min(LONGEST_STEP);
        let goes_on = self.at_rest < LOOKS_AT_REST && now < self.until;
        self.next_look = goes_on.then_some(now + self.step);
    }

    /// Several threads of a process may use processors at once.
    fn step_while_open(&self) -> Duration {
        (self.account.left() / 2).clamp(SHORTEST_STEP, LONGEST_STEP)
    }

    fn extend(&mut self, process: &impl Meter, used: Duration) -> std::io::Result<()> {
        if self.bound < used + SPARE / 2 {
            process.bound_cpu(used + SPARE)?;
            self.bound = used + SPARE;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
