//! System calls as an attacker makes them: without a library in between that might think better of it.
#![allow(
    unsafe_code,
    reason = "a system call with numbers and pointers to live values, whatever it does"
)]

use std::ffi::{CString, c_long};
use std::io;

/// The arguments are numbers, or addresses of values that the caller keeps alive.
pub(crate) fn call(number: c_long, arguments: &[c_long]) -> io::Result<c_long> {
    let [a, b, c, d, e, f] = std::array::from_fn(|at| arguments.get(at).copied().unwrap_or_default());
    // SAFETY: see above; the attempts pass nothing that the kernel would write beyond.
    let outcome = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(outcome)
}

/// The address of a value, for [`call`].
pub(crate) fn address<T: ?Sized>(value: &T) -> c_long {
    std::ptr::from_ref(value).cast::<u8>() as c_long
}

/// Becomes the program; the call is made by hand, so that nothing is looked up.
pub(crate) fn execute(program: &str, argument: &str) -> io::Result<()> {
    let (program, argument) = (CString::new(program)?, CString::new(argument)?);
    let list = [address(program.as_c_str()), address(argument.as_c_str()), 0];
    call(
        libc::SYS_execve,
        &[address(program.as_c_str()), address(&list), address(&list[2])],
    )?;
    Ok(())
}

/// A child by `fork`, which ends at once.
pub(crate) fn fork() -> io::Result<()> {
    // SAFETY: the child makes no call but `_exit`, which is allowed after a fork at any time.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: as above.
        0 => unsafe { libc::_exit(0) },
        _ => Ok(()),
    }
}

/// A child by the call itself, which ends at once. (glibc's `fork` makes a `clone`.)
#[cfg(target_arch = "x86_64")]
pub(crate) fn fork_by_number(number: c_long) -> io::Result<()> {
    let child: i64;
    // SAFETY: the child, which by `vfork` shares this stack, touches none of it: it makes one call, which ends it.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov eax, {exit}",
            "xor edi, edi",
            "syscall",
            "2:",
            exit = const libc::SYS_exit_group,
            inout("rax") number => child,
            out("rcx") _,
            out("rdx") _,
            out("rdi") _,
            out("r11") _,
        );
    }
    match i32::try_from(child) {
        Ok(error) if error < 0 => Err(io::Error::from_raw_os_error(-error)),
        _ => Ok(()),
    }
}

/// `getpid` as a program of 32 bits calls it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn call_of_32_bits() -> io::Result<()> {
    const GETPID: i32 = 20;
    let answer: i32;
    // SAFETY: the kernel keeps all registers but the answer's, and r8 to r11, in which it leaves nothing.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inout("eax") GETPID => answer,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    match answer == std::process::id().cast_signed() {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(-answer)),
    }
}

/// A child by `clone` with these flags, which ends at once.
pub(crate) fn clone(flags: i32) -> io::Result<()> {
    let flags = c_long::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM this is a fork, and the child makes no call but `_exit`.
    match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: as above.
        0 => unsafe { libc::_exit(0) },
        _ => Ok(()),
    }
}

/// Connects a Unix socket to a name that is no longer than its bytes: the kernel needs no end of it.
pub(crate) fn connect(name: &[u8]) -> io::Result<()> {
    let family = i32::from(AF_UNIX.cast_signed());
    let socket = call(libc::SYS_socket, &[family.into(), libc::SOCK_STREAM.into(), 0])?;
    let address_bytes = [AF_UNIX.to_ne_bytes().as_slice(), name].concat();
    let length = c_long::try_from(address_bytes.len()).map_err(io::Error::other)?;
    call(
        libc::SYS_connect,
        &[socket, address(address_bytes.as_slice()), length],
    )
    .map(drop)
}

const AF_UNIX: libc::sa_family_t = 1;
