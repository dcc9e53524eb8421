//! What a process uses of processor and memory, and the bounds that the kernel keeps for us.

use std::io;
use std::time::Duration;

use super::process::{Handle, Process};

/// Memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What it has taken for itself alone, used or not: what [`Process::bound_data`] bounds.
    pub(crate) data: u64,
    /// What of it is in memory and is its own: no file's, and shared with nobody.
    pub(crate) own: u64,
}

impl Process {
    /// Whether the kernel keeps its bounds. Where it does not, somebody has to look.
    pub(crate) fn has_kernel_bounds(&self) -> bool {
        match self.handle {
            #[cfg(target_os = "linux")]
            Handle::Pidfd(_) => true,
            Handle::Ward(_) => false,
        }
    }

    /// The processor time that it has used so far.
    #[cfg(target_os = "linux")]
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        crate::sys::process_cpu_time(self.living()?)
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.living()?))?;
        Memory::parse(&pages, rustix::param::page_size() as u64)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        self.usage().map(|(time, _)| time)
    }

    /// The system's own reckoning of what is the process's alone.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        self.usage().map(|(_, own)| Memory { data: own, own })
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn usage(&self) -> io::Result<(Duration, u64)> {
        crate::sys::process_usage(self.living()?)
    }

    #[cfg(windows)]
    fn usage(&self) -> io::Result<(Duration, u64)> {
        self.living()?;
        match &self.handle {
            Handle::Ward(ward) => ward.usage(),
        }
    }

    /// Its number, as long as it is a child that has not been reaped: nobody else can have it then.
    fn living(&self) -> io::Result<u32> {
        match self.has_exited() {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(self.pid()),
        }
    }
}

/// Bounds that Linux keeps.
#[cfg(target_os = "linux")]
mod bounds {
    use std::io;
    use std::time::Duration;

    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    use super::Process;

    impl Process {
        /// Ends it by a signal (`SIGXCPU`) once it has used this much in all; whole seconds, rounded up.
        pub(crate) fn bound_cpu(&self, total: Duration) -> io::Result<()> {
            let seconds = total.as_secs() + u64::from(total.subsec_nanos() > 0);
            self.bound(Resource::Cpu, seconds)
        }

        /// Refuses it private memory past this many bytes. What can't get memory in workerd ends the process.
        pub(crate) fn bound_data(&self, bytes: u64) -> io::Result<()> {
            self.bound(Resource::Data, bytes)
        }

        /// Only the soft limit: the hard one can't be raised again without privileges.
        fn bound(&self, resource: Resource, limit: u64) -> io::Result<()> {
            let pid = Pid::from_raw(self.living()?.cast_signed());
            let maximum = rustix::process::getrlimit(resource).maximum;
            let current = Some(maximum.map_or(limit, |maximum| limit.min(maximum)));
            prlimit(pid, resource, Rlimit { current, maximum })?;
            Ok(())
        }
    }
}

/// Elsewhere nobody keeps them: [`Process::has_kernel_bounds`] says so.
#[cfg(not(target_os = "linux"))]
mod bounds {
    use std::io;
    use std::time::Duration;

    use super::Process;

    impl Process {
        pub(crate) fn bound_cpu(&self, _total: Duration) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn bound_data(&self, _bytes: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(target_os = "linux")]
impl Memory {
    /// From the line of `/proc/<pid>/statm`: size, resident, shared, text, lib, data and stack, dt; in pages (proc(5)).
    fn parse(statm: &str, page_size: u64) -> Option<Self> {
        let pages: Vec<u64> = statm
            .split_whitespace()
            .map_while(|number| number.parse().ok())
            .collect();
        let [_, resident, shared, _, _, data, ..] = pages[..] else {
            return None;
        };
        Some(Self {
            data: data * page_size,
            own: resident.saturating_sub(shared) * page_size,
        })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it_and_nothing_else() {
        let memory = Memory::parse("2666114 13166 10991 12012 0 137026 0\n", 4096).unwrap();
        assert_eq!((memory.data, memory.own), (137_026 * 4096, 2175 * 4096));
        for broken in ["", "1 2 3 4 5", "1 2 x 4 5 6 7"] {
            assert_eq!(Memory::parse(broken, 4096), None);
        }
    }
}
