//! What a process uses while it serves: looked at while invocations run, bounded by the kernel at all times. Where the
//! kernel keeps no bounds, somebody looks at all times.

use std::time::Duration;

use tokio::time::Instant;

use super::bounds::{Bounded, LONGEST_STEP_UNBOUND};
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

/// How long what the clock showed stands for what it shows, where one invocation alone is open: it may be charged what was
/// used in that time before it began, and its successor the same of it. Hooks that are called one after another take 0.1 ms
/// each, and reading the clock of a process that runs takes 2 µs.
const FRESH: Duration = Duration::from_millis(1);

/// What a process may use of the processor before somebody has to look at it again, or the kernel ends it. It is what a
/// plugin that spins while nothing was asked of it costs.
const SPARE: Duration = Duration::from_secs(2);

/// What `bench/limits.mjs` compares with.
const UNWATCHED: bool = cfg!(feature = "unwatched");

/// No invocation's number.
const NOBODY: u64 = 0;

/// What a look has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// Somebody's time or memory is up.
    Overdrawn(Overdrawn),
    /// It used the processor while nothing was asked of it.
    Unasked,
}

/// Memory is measured for `status()` alone, and costs more than a look at the clock: some 10 µs.
const BETWEEN_MEASURES: Duration = Duration::from_millis(100);

/// Watches one process. Its methods are called with the process's invocations as they come and go.
#[derive(Debug)]
pub(super) struct Watch {
    account: CpuAccount,
    bounded: Bounded,
    /// When the kernel, or a look, ends it.
    bound: Duration,
    next_look: Option<Instant>,
    /// From the last answer on.
    step: Duration,
    /// Looks in a row, since then, that found it at rest.
    at_rest: u32,
    /// When the last invocation began.
    began: Instant,
    /// When its time is over: what goes on after it is the kernel's to end.
    until: Instant,
    wall_time: Duration,
    /// What the clock showed when it was told of last.
    told: Duration,
    /// When the clock was read last.
    read_at: Instant,
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
            next_look: bounded.ceiling.map(|_| now + LONGEST_STEP),
            step: FIRST_STEP_AFTER,
            at_rest: 0,
            began: now,
            until: now,
            wall_time: limits.wall_time,
            told: used,
            read_at: now,
            measured: None,
        };
        watch.extend(process, used)?;
        Ok(watch)
    }

    pub(super) fn begin(&mut self, process: &impl Meter, invocation: u64, now: Instant) {
        if UNWATCHED {
            return;
        }
        // A process that has ended is reported another way.
        let Some(used) = self.read(process, self.account.open(), now) else {
            return;
        };
        self.account.begin(invocation, used, now);
        self.began = now;
        self.until = now + self.wall_time;
        // As soon as it can be due, mostly, where calls keep coming.
        if self.next_look.is_none_or(|look| look > now + SHORTEST_STEP) {
            self.look_by(now + self.step_while_open());
        }
    }

    pub(super) fn end(&mut self, process: &impl Meter, invocation: u64, end: End, now: Instant) {
        if UNWATCHED {
            return;
        }
        let others = self.account.open().saturating_sub(1);
        let Some(used) = self.read(process, others, now) else {
            return;
        };
        self.account.end(invocation, end, used);
        if self.account.open() == 0 {
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
        if UNWATCHED {
            return;
        }
        self.account.heard();
        // Work that was left behind has woken up after nobody looked any more.
        if self.next_look.is_none() {
            self.look_for_rest(Instant::now());
        }
    }

    /// What the process's clock shows, as far as it matters with so many others open: with each of them a moment that is
    /// not told apart would go to the wrong one, for as long as calls keep coming.
    fn read(&mut self, process: &impl Meter, others: usize, now: Instant) -> Option<Duration> {
        if others == 0 && now < self.read_at + FRESH {
            return Some(self.account.used());
        }
        let used = process.cpu_time().ok()?;
        self.read_at = now;
        // What was used since the last look must not be missing now; where the kernel does not let us move the bound it
        // stays, which is the safe side.
        let _ = self.extend(process, used);
        Some(used)
    }

    /// When [`Watch::look`] is due.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// When the last invocation's time is over.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Who has used more than they may, where somebody has.
    pub(super) fn look(&mut self, process: &impl Meter, now: Instant) -> Option<Excess> {
        let before = self.account.used();
        let Ok(used) = process.cpu_time() else {
            // It has ended: there is nothing to look at any more.
            self.next_look = None;
            return None;
        };
        let since = used.saturating_sub(before);
        // What goes on while nothing is asked of it is nobody's, and for the kernel to end, or a look in its place.
        if self.bounded.ceiling.is_some() && !self.is_asked(now) {
            self.look_again(since, now);
            return self.excess(process, used, now);
        }
        self.read_at = now;
        let overdrawn = self.account.check(used, now).map(Excess::Overdrawn);
        let excess = overdrawn.or_else(|| self.excess(process, used, now));
        let _ = self.extend(process, used);
        self.look_again(since, now);
        excess
    }

    /// What the kernel would not have let it have.
    fn excess(&self, process: &impl Meter, used: Duration, now: Instant) -> Option<Excess> {
        let ceiling = self.bounded.ceiling?;
        if process.memory().ok()?.own > ceiling {
            let invocation = self.account.first_to_pay().unwrap_or(NOBODY);
            return Some(Excess::Overdrawn(Overdrawn { invocation }));
        }
        (used > self.bound && !self.is_asked(now)).then_some(Excess::Unasked)
    }

    fn is_asked(&self, now: Instant) -> bool {
        self.account.open() > 0 || now < self.until
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

    /// A look that is due about then will do: where calls keep coming, a timer that is moved wakes the io thread.
    fn look_for_rest(&mut self, now: Instant) {
        self.step = FIRST_STEP_AFTER;
        self.at_rest = 0;
        match self.looks_on(now) {
            true if self.next_look.is_some_and(|look| look <= now + 2 * self.step) => {}
            true => self.look_by(now + self.step),
            false => self.next_look = None,
        }
    }

    /// Never later than it was: calls that keep coming must not put the look off.
    fn look_by(&mut self, due: Instant) {
        self.next_look = Some(self.next_look.map_or(due, |look| look.min(due)));
    }

    /// Whether what goes on now can still be somebody's, or is nobody else's to end.
    fn looks_on(&self, now: Instant) -> bool {
        now < self.until || self.bounded.ceiling.is_some()
    }

    /// `delta` is what it has used since the look before.
    fn look_again(&mut self, delta: Duration, now: Instant) {
        if self.account.open() > 0 {
            // One that has just begun will mostly be over soon, and then it is looked at as below.
            let age = now.saturating_duration_since(self.began).max(FIRST_STEP_AFTER);
            self.next_look = Some(now + self.step_while_open().min(age));
            return;
        }
        self.at_rest = match delta < REST {
            true => self.at_rest + 1,
            false => 0,
        };
        self.step = (self.step * 2).min(LONGEST_STEP);
        let is_at_rest = self.at_rest >= LOOKS_AT_REST && self.bounded.ceiling.is_none();
        let goes_on = !is_at_rest && self.looks_on(now);
        self.next_look = goes_on.then_some(now + self.step);
    }

    /// Several threads of a process may use processors at once.
    fn step_while_open(&self) -> Duration {
        let longest = match self.bounded.ceiling {
            None => LONGEST_STEP,
            Some(_) => LONGEST_STEP_UNBOUND,
        };
        (self.account.left() / 2).clamp(SHORTEST_STEP, longest)
    }

    fn extend(&mut self, process: &impl Meter, used: Duration) -> std::io::Result<()> {
        if self.bound < used + SPARE / 2 {
            if self.bounded.ceiling.is_none() {
                process.bound_cpu(used + SPARE)?;
            }
            self.bound = used + SPARE;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
