//! The only `unsafe` of the launcher: system calls that rustix has no safe name for.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

/// Closes every descriptor past standard error, so that nothing that Node's process had open, and forgot to mark, reaches
/// the plugin's process. This process must own none of them.
pub(crate) fn close_all() -> io::Result<()> {
    const FIRST: c_int = 3;
    // SAFETY: close_range takes three integers and touches no memory of ours; whose descriptors they are, see above.
    let outcome = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    if outcome == 0 {
        return Ok(());
    }
    // Linux has it from 5.9 on, and profiles of containers that are older refuse it.
    let entries = std::fs::read_dir("/proc/self/fd")?;
    let names = entries.map(|entry| Ok(entry?.file_name()));
    for name in names.collect::<io::Result<Vec<_>>>()? {
        if let Some(descriptor) = name.to_str().and_then(|name| name.parse::<c_int>().ok())
            && descriptor >= FIRST
        {
            // SAFETY: as above. One of them was the list's own, and is closed already, which is an error to ignore.
            unsafe { libc::close(descriptor) };
        }
    }
    Ok(())
}

/// Every signal does what it does by default, and none is blocked: both outlive `execve`.
pub(crate) fn reset_signals() -> io::Result<()> {
    // The kernel's own call, because glibc's keeps the two signals that glibc uses from us.
    const LAST: c_int = 64;
    const SET_BYTES: usize = LAST as usize / 8;
    // The kernel's struct sigaction: SIG_DFL, no flags, no restorer, nothing blocked.
    let default = [0_u64; 4];
    for signal in 1..=LAST {
        // SAFETY: the call reads `default`, which is as long as the kernel's struct, and writes nothing. The default
        // action is no function of ours. SIGKILL and SIGSTOP are refused, which changes nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                null_mut::<libc::c_void>(),
                SET_BYTES,
            )
        };
    }
    let mut none = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that sigprocmask then reads; nothing is asked back.
    let outcome = unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), null_mut())
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A text at an address that nobody can guess: 47 random bits on x86-64. It goes with this process's memory when another
/// program is executed.
pub(crate) struct Hidden {
    start: *mut u8,
    offset: usize,
    length: usize,
}

/// Pages are this large on x86-64; where they are larger, less of the address is random.
const PAGE: usize = 4096;

/// Where a program may ask for memory: 47 bits, whole pages. The kernel picks an address by itself where it has fewer.
const PAGES: usize = 0x7fff_ffff_f000;

impl Hidden {
    pub(crate) fn new(text: &CStr) -> io::Result<Self> {
        let bytes = text.to_bytes_with_nul();
        let mut random = [0; 16];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let [place, offset] =
            [0, 8].map(|at| usize::from_ne_bytes(std::array::from_fn(|byte| random[at + byte])));
        let offset = offset % PAGE;
        // SAFETY: without MAP_FIXED the address is a wish, and no mapping of ours is replaced.
        let start = unsafe {
            libc::mmap(
                (place & PAGES) as *mut libc::c_void,
                offset + bytes.len(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = start.cast::<u8>();
        // SAFETY: the mapping is new, can be written, and has room for `bytes` from `offset` on.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(offset), bytes.len()) };
        Ok(Self {
            start,
            offset,
            length: bytes.len(),
        })
    }

    pub(crate) fn address(&self) -> u64 {
        self.start as u64 + self.offset as u64
    }

    pub(crate) fn text(&self) -> &CStr {
        // SAFETY: `new` copied a whole C string there, nobody writes to it, and it is unmapped only by `drop`.
        unsafe { CStr::from_ptr(self.pointer()) }
    }

    fn pointer(&self) -> *const c_char {
        // SAFETY: the offset is within the mapping.
        unsafe { self.start.add(self.offset).cast() }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // SAFETY: `new` mapped exactly this, and no reference to it outlives `self`.
        unsafe { libc::munmap(self.start.cast(), self.offset + self.length) };
    }
}

/// Becomes the program; returns only when that failed.
pub(crate) fn execute(path: &Hidden, arguments: &[CString], environment: &[CString]) -> io::Error {
    let list = |texts: &[CString]| -> Vec<*const c_char> {
        texts.iter().map(|text| text.as_ptr()).chain([null()]).collect()
    };
    let (arguments, environment) = (list(arguments), list(environment));
    // SAFETY: three pointers to C strings, or to null-terminated lists of them, that live until the call returns.
    let _: c_int = unsafe { libc::execve(path.pointer(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}
