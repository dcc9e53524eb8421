//! Linux: descriptors on the runtime, a process's clock, and what its jail is made of.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor until it can be read, on the current runtime.
pub(crate) fn watch_readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch(descriptor, Interest::READABLE)
}

/// The same until it can be written to.
pub(crate) fn watch_writable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    watch(descriptor, Interest::WRITABLE)
}

fn watch(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must stay open and the same for as long as it is registered. An OwnedFd is never replaced,
    // and the AsyncFd that owns it takes it off the runtime before it closes it.
    unsafe { Ok(AsyncFd::register_with_interest(descriptor, interest)?) }
}

/// `CPUCLOCK_SCHED`: to the nanosecond, by the scheduler's own reckoning.
const SCHEDULED: libc::clockid_t = 2;

/// The processor time that a process has used so far, all of its threads together. The caller sees to it that the
/// number still names the process that it means: a child that has not been reaped.
pub(crate) fn process_cpu_time(process_id: u32) -> io::Result<Duration> {
    let pid = libc::pid_t::try_from(process_id).map_err(|_| io::ErrorKind::InvalidInput)?;
    // `clock_getcpuclockid` makes the same number, and a system call to see whether there is such a clock: reading it tells.
    let clock: libc::clockid_t = (!pid << 3) | SCHEDULED;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes one timespec to the place that it is given, and keeps no pointer.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Ok(Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
}

/// The version of Landlock that the kernel has: a question, which makes no ruleset.
pub(crate) fn landlock_abi() -> io::Result<u32> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call reads no memory (its first argument must be null) and gives back a number.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            VERSION,
        )
    };
    u32::try_from(outcome).map_err(|_| io::Error::last_os_error())
}

/// Whether the kernel has filters that end a process: a question, which installs none.
pub(crate) fn seccomp_can_kill() -> io::Result<()> {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: this operation reads the four bytes of `action`, which outlive the call, and no more.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_process_goes_on_while_it_works_and_a_process_that_is_not_has_none() {
        let own = std::process::id();
        let before = process_cpu_time(own).unwrap();
        while process_cpu_time(own).unwrap() < before + Duration::from_millis(5) {
            std::hint::black_box([0_u8; 4096]);
        }
        assert!(process_cpu_time(u32::MAX).is_err());
        // One past the highest that Linux gives.
        assert!(process_cpu_time(4_194_304).is_err());
    }
}
