//! What a process uses while it serves: looked at while invocations run, bounded by the kernel at all times. Where the
//! kernel keeps no bounds, somebody looks at all times.

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
/// that it has taken when it is ready, 57 MB.
const OWN_MEMORY: u64 = 48 * 1024 * 1024;

/// As [`LONGEST_STEP`], where nothing but a look bounds a process's memory. Filling 100 MB takes a processor about this long.
const LONGEST_STEP_UNBOUND: Duration = Duration::from_millis(50);

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

/// Watches one process. Its methods are called with the process's invocations as they come and go.
#[derive(Debug)]
pub(super) struct Watch {
    account: CpuAccount,
    /// What it had in memory when it was ready: workerd's, not the plugin's.
    own_at_first: u64,
    /// What it may have in memory in all, where only a look tells; `None` where the kernel refuses it more.
    ceiling: Option<u64>,
    /// When the kernel, or a look, ends it.
    bound: Duration,
    next_look: Option<Instant>,
    /// From the last answer on.
    step: Duration,
    /// When the last invocation's time is over: what goes on after it is the kernel's to end.
    until: Instant,
    wall_time: Duration,
}

impl Watch {
    /// # Errors
    /// When the system does not let us watch it: then it must not serve.
    pub(super) fn new(process: &Process, limits: &Limits, now: Instant) -> std::io::Result<Self> {
        let used = process.cpu_time()?;
        let memory = process.memory()?;
        let ceiling = match process.has_kernel_bounds() {
            true => {
                process.bound_data(memory.data + limits.memory() + OWN_MEMORY)?;
                None
            }
            false => Some(memory.own + limits.memory() + OWN_MEMORY),
        };
        let mut watch = Self {
            account: CpuAccount::new(limits.cpu, used, now),
            own_at_first: memory.own,
            ceiling,
            bound: Duration::ZERO,
            next_look: ceiling.map(|_| now + LONGEST_STEP),
            step: FIRST_STEP_AFTER,
            until: now,
            wall_time: limits.wall_time,
        };
        watch.extend(process, used)?;
        Ok(watch)
    }

    /// Resolves, with what it is, when a process that has not come to serve uses more than it may. Never, where the kernel
    /// bounds it.
    pub(super) async fn excess_at_start(process: &Process, limits: &Limits, cpu: Duration) -> String {
        if process.has_kernel_bounds() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(LONGEST_STEP_UNBOUND).await;
            // One that has ended is reported another way.
            if process.cpu_time().is_ok_and(|used| used > cpu) {
                return too_much_at_start(cpu);
            }
            if process
                .memory()
                .is_ok_and(|memory| memory.own > limits.memory() + OWN_MEMORY)
            {
                return format!(
                    "it used more than its {} MB of memory at its start",
                    limits.memory_mb
                );
            }
        }
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

    /// Who has used more than they may, where somebody has.
    pub(super) fn look(&mut self, process: &Process, now: Instant) -> Option<Excess> {
        let used = process.cpu_time().ok()?;
        if self.ceiling.is_some() && !self.is_asked(now) {
            self.look_again(now);
            return self.excess(process, used, now);
        }
        let overdrawn = self.account.check(used, now).map(Excess::Overdrawn);
        let excess = overdrawn.or_else(|| self.excess(process, used, now));
        let _ = self.extend(process, used);
        self.look_again(now);
        excess
    }

    /// What the kernel would not have let it have.
    fn excess(&self, process: &Process, used: Duration, now: Instant) -> Option<Excess> {
        let ceiling = self.ceiling?;
        if process.memory().ok()?.own > ceiling {
            let invocation = self.account.payer().map_or(NOBODY, |(number, _)| number);
            return Some(Excess::Overdrawn(Overdrawn { invocation }));
        }
        (used > self.bound && !self.is_asked(now)).then_some(Excess::Unasked)
    }

    fn is_asked(&self, now: Instant) -> bool {
        self.account.has_open() || now < self.until
    }

    /// Whether a process that the kernel has ended at the bound had used more than it may.
    pub(super) fn is_overdrawn_at_bound(&self) -> bool {
        self.bound.saturating_sub(self.account.used()) >= self.account.left()
    }

    /// What the plugin has in memory, about; 0 when that can't be told.
    pub(super) fn memory(&self, process: &Process) -> u64 {
        let own = process.memory().map_or(0, |memory| memory.own);
        own.saturating_sub(self.own_at_first)
    }

    fn look_again(&mut self, now: Instant) {
        self.next_look = if self.account.has_open() {
            Some(now + self.step_while_open())
        } else {
            self.step = (self.step * 2).min(LONGEST_STEP);
            (now < self.until || self.ceiling.is_some()).then_some(now + self.step)
        };
    }

    /// Several threads of a process may use processors at once.
    fn step_while_open(&self) -> Duration {
        let longest = match self.ceiling {
            None => LONGEST_STEP,
            Some(_) => LONGEST_STEP_UNBOUND,
        };
        (self.account.left() / 2).clamp(SHORTEST_STEP, longest)
    }

    fn extend(&mut self, process: &Process, used: Duration) -> std::io::Result<()> {
        if self.bound < used + SPARE / 2 {
            if self.ceiling.is_none() {
                process.bound_cpu(used + SPARE)?;
            }
            self.bound = used + SPARE;
        }
        Ok(())
    }
}

/// Why a start has ended that took too much of the processor.
pub(super) fn too_much_at_start(cpu: Duration) -> String {
    format!(
        "it used more than {} s of processor time at its start",
        cpu.as_secs()
    )
}
