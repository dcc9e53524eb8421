//! The one system call that rustix has no safe name for.
#![allow(unsafe_code)]

use std::io;

/// Marks every descriptor past standard error close-on-exec, so that nothing that Node's process had open, and forgot
/// to mark, reaches the plugin's process.
pub(crate) fn mark_all_close_on_exec() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: close_range with CLOSE_RANGE_CLOEXEC takes three integers, touches no memory of ours and closes nothing.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
