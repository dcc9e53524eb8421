//! The only `unsafe` of the addon: one function each, with the reason that it is sound.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor until it can be read, on the current runtime.
pub(crate) fn watch_readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor must stay open and the same for as long as it is registered. An OwnedFd is never replaced,
    // and the AsyncFd that owns it takes it off the runtime before it closes it.
    unsafe { Ok(AsyncFd::register_with_interest(descriptor, Interest::READABLE)?) }
}

/// The version of Landlock that the kernel has: a question, which makes no ruleset.
#[cfg(target_os = "linux")]
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
#[cfg(target_os = "linux")]
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
