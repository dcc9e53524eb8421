//! Windows: what a process uses, its end, and that it does not outlive this one.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{GetProcessTimes, INFINITE, WaitForSingleObject};

/// Has the system end this process when ours ends, however it ends: all of them are in one job, whose only handle is ours.
pub(crate) fn end_with_this_process(process: BorrowedHandle<'_>) -> io::Result<()> {
    static JOB: OnceLock<Result<OwnedHandle, io::ErrorKind>> = OnceLock::new();
    let job = JOB.get_or_init(|| job().map_err(|error| error.kind()));
    let job = job.as_ref().map_err(|kind| io::Error::from(*kind))?;
    // SAFETY: two handles that are open for as long as the call takes.
    checked(unsafe { AssignProcessToJobObject(job.as_raw_handle(), process.as_raw_handle()) })
}

fn job() -> io::Result<OwnedHandle> {
    // SAFETY: null stands for no name and for the default rights; nothing is read.
    let job = unsafe { CreateJobObjectW(std::ptr::null(), std::ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made it, and nobody else has it.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    // SAFETY: of this class the call reads one JOBOBJECT_EXTENDED_LIMIT_INFORMATION, as long as it is told, and keeps none.
    checked(unsafe {
        SetInformationJobObject(
            job.as_raw_handle(),
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>(),
        )
    })?;
    Ok(job)
}

/// Processor time that a process has used so far, all of its threads together, and the memory that is its own, in bytes.
pub(crate) fn process_usage(process: BorrowedHandle<'_>) -> io::Result<(Duration, u64)> {
    let zero = FILETIME {
        dwLowDateTime: 0,
        dwHighDateTime: 0,
    };
    let [mut created, mut ended, mut kernel, mut user] = [zero; 4];
    // SAFETY: the handle is open for as long as the call takes; it writes four FILETIMEs to the places that it is given.
    checked(unsafe {
        GetProcessTimes(
            process.as_raw_handle(),
            &raw mut created,
            &raw mut ended,
            &raw mut kernel,
            &raw mut user,
        )
    })?;
    let mut memory = MaybeUninit::<PROCESS_MEMORY_COUNTERS>::zeroed();
    // SAFETY: the call writes as much as it is told that there is room for, and keeps no pointer.
    checked(unsafe {
        K32GetProcessMemoryInfo(
            process.as_raw_handle(),
            memory.as_mut_ptr(),
            size::<PROCESS_MEMORY_COUNTERS>(),
        )
    })?;
    // SAFETY: it is made of numbers, for which zero is a value, and the call has filled it in.
    let memory = unsafe { memory.assume_init() };
    // What is committed to it alone. `PrivateUsage` of the longer struct is the same number on Windows (since 8; Node wants
    // 10), and always 0 under Wine.
    Ok((in_time(kernel) + in_time(user), memory.PagefileUsage as u64))
}

/// Blocks until the process has ended.
pub(crate) fn wait_for_end(process: &OwnedHandle) {
    // SAFETY: the handle is open for as long as the call takes, and nothing else is read or written.
    unsafe { WaitForSingleObject(process.as_raw_handle(), INFINITE) };
}

/// In units of 100 ns.
fn in_time(time: FILETIME) -> Duration {
    let ticks = u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(ticks.saturating_mul(100))
}

/// The few bytes of a struct, as Windows counts.
fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

fn checked(outcome: i32) -> io::Result<()> {
    if outcome == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::System::Threading::GetCurrentProcess;

    use super::*;

    #[test]
    fn a_process_uses_more_while_it_works() {
        // SAFETY: the call takes nothing and gives back a constant that stands for this process, and is never closed.
        let own = unsafe { BorrowedHandle::borrow_raw(GetCurrentProcess()) };
        let (before, memory) = process_usage(own).unwrap();
        assert!(memory > 0);
        while process_usage(own).unwrap().0 < before + Duration::from_millis(30) {
            std::hint::black_box([0_u8; 4096]);
        }
    }
}
