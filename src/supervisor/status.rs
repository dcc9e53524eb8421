//! What `status()` tells of a plugin. Its actor writes, the JavaScript thread reads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Failures that are told; as many as open the circuit breaker.
const KEPT_FAILURES: usize = super::restart::INTENSITY;

/// A plugin at one moment.
#[derive(Debug, Clone)]
pub struct PluginStatus {
    pub plugin_id: String,
    pub version: String,
    /// A name of [`State`](super::state::State).
    pub state: &'static str,
    pub since: SystemTime,
    /// When it restarts, or may be tried again, where it waits for that.
    pub next_start: Option<SystemTime>,
    pub process_id: Option<u32>,
    /// Processes of it that came to serve.
    pub starts: u64,
    /// Processes that ended without having been asked to, and starts that failed.
    pub failures: u64,
    /// The latest of them, oldest first.
    pub last_failures: VecDeque<(SystemTime, String)>,
    /// Calls that have not been answered: those in the plugin, and those that wait for a process.
    pub in_flight: usize,
    pub used: Used,
}

/// What a plugin's hooks and routes have used since it was loaded, as far as has been looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Of the processor, the starts of its processes not counted.
    pub cpu: Duration,
    /// The most bytes of its own that were seen in memory, at an answer or while something ran.
    pub memory: u64,
    /// Calls on `ctx`, without those that were refused for being too many.
    pub subrequests: u64,
}

/// Where one plugin's status stands.
#[derive(Debug)]
pub(super) struct Board {
    status: Mutex<PluginStatus>,
    in_flight: AtomicUsize,
    /// Host operations that have not been answered.
    host_calls: AtomicUsize,
    cpu_ns: AtomicU64,
    memory: AtomicU64,
    subrequests: AtomicU64,
}

impl Board {
    pub(super) fn new(plugin_id: &str, version: &str) -> Self {
        Self {
            status: Mutex::new(PluginStatus {
                plugin_id: plugin_id.to_owned(),
                version: version.to_owned(),
                state: "idle",
                since: SystemTime::now(),
                next_start: None,
                process_id: None,
                starts: 0,
                failures: 0,
                last_failures: VecDeque::new(),
                in_flight: 0,
                used: Used::default(),
            }),
            in_flight: AtomicUsize::new(0),
            host_calls: AtomicUsize::new(0),
            cpu_ns: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            subrequests: AtomicU64::new(0),
        }
    }

    pub(super) fn read(&self) -> PluginStatus {
        let mut status = self.lock().clone();
        status.in_flight = self.in_flight.load(Ordering::Relaxed);
        status.used = Used {
            cpu: Duration::from_nanos(self.cpu_ns.load(Ordering::Relaxed)),
            memory: self.memory.load(Ordering::Relaxed),
            subrequests: self.subrequests.load(Ordering::Relaxed),
        };
        status
    }

    pub(super) fn enters(&self, state: &'static str, next_start: Option<Instant>, process_id: Option<u32>) {
        let now = SystemTime::now();
        let mut status = self.lock();
        if status.state != state {
            status.since = now;
        }
        status.state = state;
        status.process_id = process_id;
        status.next_start = next_start.map(|at| now + at.saturating_duration_since(Instant::now()));
    }

    pub(super) fn started(&self) {
        self.lock().starts += 1;
    }

    pub(super) fn failed(&self, reason: &str) {
        let mut status = self.lock();
        status.failures += 1;
        if status.last_failures.len() == KEPT_FAILURES {
            status.last_failures.pop_front();
        }
        status
            .last_failures
            .push_back((SystemTime::now(), reason.to_owned()));
    }

    /// So much more of the processor, and so much in memory if somebody has looked.
    pub(super) fn used(&self, cpu: Duration, memory: Option<u64>) {
        let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_ns.fetch_add(cpu_ns, Ordering::Relaxed);
        self.memory.fetch_max(memory.unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn counts_subrequest(&self) {
        self.subrequests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn in_flight(&self, calls: usize, host_calls: usize) {
        self.in_flight.store(calls, Ordering::Relaxed);
        self.host_calls.store(host_calls, Ordering::Relaxed);
    }

    /// Whether no more than this is under way, of either kind, as far as the actor has told.
    pub(super) fn has_at_most(&self, count: usize) -> bool {
        self.in_flight.load(Ordering::Relaxed) <= count && self.host_calls.load(Ordering::Relaxed) <= count
    }

    fn lock(&self) -> MutexGuard<'_, PluginStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
