//! macOS: what a process uses.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// Processor time that a process has used so far, all of its threads together, and the memory that is its own (what the
/// system's Activity Monitor shows), in bytes. The caller sees to it that the number still names the process that it
/// means: a child that has not been reaped.
pub(crate) fn process_usage(process_id: u32) -> io::Result<(Duration, u64)> {
    let pid = libc::pid_t::try_from(process_id).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut usage = MaybeUninit::<libc::rusage_info_v2>::zeroed();
    // SAFETY: with this flavour the call writes one rusage_info_v2 to the place that it is given, and keeps no pointer.
    let outcome = unsafe { libc::proc_pid_rusage(pid, libc::RUSAGE_INFO_V2, usage.as_mut_ptr().cast()) };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is made of numbers, for which zero is a value, and the call has filled it in.
    let usage = unsafe { usage.assume_init() };
    let ticks = usage.ri_user_time.saturating_add(usage.ri_system_time);
    Ok((in_time(ticks)?, usage.ri_phys_footprint))
}

/// From the clock's own ticks, which on Apple's processors are no nanoseconds.
#[allow(deprecated, reason = "its successor is a crate for three lines")]
fn in_time(ticks: u64) -> io::Result<Duration> {
    let mut base = libc::mach_timebase_info { numer: 0, denom: 0 };
    // SAFETY: it writes the two numbers to the place that it is given, and keeps no pointer.
    let outcome = unsafe { libc::mach_timebase_info(&raw mut base) };
    if outcome != 0 || base.denom == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let nanoseconds = u128::from(ticks) * u128::from(base.numer) / u128::from(base.denom);
    Ok(Duration::from_nanos(
        u64::try_from(nanoseconds).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_more_while_it_works_and_a_process_that_is_not_uses_nothing() {
        let own = std::process::id();
        let (before, memory) = process_usage(own).unwrap();
        assert!(memory > 0);
        while process_usage(own).unwrap().0 < before + Duration::from_millis(5) {
            std::hint::black_box([0_u8; 4096]);
        }
        assert!(process_usage(u32::MAX).is_err());
    }
}
