//! What bounds a process before a look could: the kernel, from before the plugin's code runs. Where it keeps no bounds, a
//! look from the start on.

use std::sync::OnceLock;
use std::time::Duration;

use crate::limits::Limits;
use crate::workerd::Process;

/// Private memory past the plugin's own that the kernel allows: workerd's compiler, caches and threads. With the 9 MB
/// that it has taken when it listens, 57 MB.
const OWN_MEMORY: u64 = 48 * 1024 * 1024;

/// The longest time between two looks, where nothing but those bounds a process's memory. Filling 100 MB takes a processor
/// about this long.
pub(super) const LONGEST_STEP_UNBOUND: Duration = Duration::from_millis(50);

/// A process whose private memory is bounded, by the kernel or by looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounded {
    /// What it had in memory before: workerd's, not the plugin's.
    pub(super) own_at_first: u64,
    /// What it may have in memory in all, where only a look tells; `None` where the kernel refuses it more.
    pub(super) ceiling: Option<u64>,
}

impl Bounded {
    /// To be called before any of the plugin's code has run: what the process has taken by then is granted to it on top.
    ///
    /// # Errors
    /// When the system does not let us: then the plugin must not run.
    pub(super) fn new(process: &Process, limits: &Limits) -> std::io::Result<Self> {
        let memory = process.memory()?;
        let ceiling = match process.has_kernel_bounds() {
            true => {
                process.bound_data(memory.data + limits.memory() + OWN_MEMORY)?;
                None
            }
            false => Some(memory.own + limits.memory() + OWN_MEMORY),
        };
        Ok(Self {
            own_at_first: memory.own,
            ceiling,
        })
    }
}

/// Resolves, with what it is, when a process that has not come to serve uses more than it may. Never, where the kernel
/// bounds it. `bounded` is set before the plugin's code runs: what memory there is before is workerd's.
pub(super) async fn excess_at_start(
    process: &Process,
    limits: &Limits,
    cpu: Duration,
    bounded: &OnceLock<Bounded>,
) -> String {
    if process.has_kernel_bounds() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LONGEST_STEP_UNBOUND).await;
        // One that has ended is reported another way.
        if process.cpu_time().is_ok_and(|used| used > cpu) {
            return too_much_at_start(cpu);
        }
        let ceiling = bounded.get().and_then(|bounded| bounded.ceiling);
        if ceiling.is_some_and(|ceiling| process.memory().is_ok_and(|memory| memory.own > ceiling)) {
            return too_large_at_start(limits);
        }
    }
}

/// Why a start has ended that took too much memory.
pub(super) fn too_large_at_start(limits: &Limits) -> String {
    format!("it used more than {} MB of memory at its start", limits.memory_mb)
}

/// Why a start has ended that took too much of the processor.
pub(super) fn too_much_at_start(cpu: Duration) -> String {
    format!(
        "it used more than {} s of processor time at its start",
        cpu.as_secs()
    )
}
