//! The calls that workerd may make: those of real runs (strace: calls both ways, large frames, WebAssembly, crypto,
//! compression, timers, large heaps, a full heap, a crash), and those that another version of glibc or of the kernel makes
//! in their place. `__test__/jail/` runs all of them with every other call fatal.

use std::ffi::c_long;

use super::{Calls, Facts, Kind, Test, bits, unconditional};

/// Whatever their arguments. The kernel knows its answer to these without running the filter: what a busy plugin calls
/// all the time belongs here.
const ALWAYS: &[c_long] = &[
    // Reading and writing what is open.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    // Where files are, not what is in them: Landlock has no say in it either.
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_membarrier,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_mseal,
    // Threads.
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_get_priority_max,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals of its own.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Who and where it is.
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_times,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_getrandom,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_ppoll,
    libc::SYS_eventfd2,
    libc::SYS_signalfd4,
    // Sockets that it has; these being streams, an address to send to is refused or ignored. There is no setsockopt, and so
    // no filter of one's own.
    libc::SYS_sendto,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
];

/// Older names of some of them, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_create,
    libc::SYS_eventfd,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Opening for anything but reading. `O_PATH` is among them because a descriptor that only names a file can name a
/// socket, which `connect` would take: see [`connect`].
const NOT_FOR_READING: [i32; 5] = [
    libc::O_ACCMODE,
    libc::O_CREAT,
    libc::O_TRUNC,
    libc::O_PATH,
    // Its other bit is O_DIRECTORY, which is fine.
    libc::O_TMPFILE & !libc::O_DIRECTORY,
];

/// Not those that send signals to others (`F_SETOWN`, `F_SETSIG`), leases or locks.
const FCNTL: [i32; 6] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
];

/// Is it a terminal? How much is to be read? Don't block, and close on execution. Nothing that a terminal would do.
const IOCTL: [u64; 5] = [
    libc::TCGETS,
    libc::FIONREAD,
    libc::FIONBIO,
    libc::FIOCLEX,
    libc::FIONCLEX,
];

/// Names of threads and of memory. Not the parent-death signal, which an attacker would like to be rid of.
const PRCTL: [i32; 4] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_GET_DUMPABLE,
];

pub(super) fn calls(facts: &Facts) -> Calls {
    let mut calls = unconditional(&[ALWAYS, OLDER]);
    calls.extend([
        (libc::SYS_openat, vec![vec![read_only(2)]]),
        (libc::SYS_fcntl, one_of(1, FCNTL.map(bits))),
        (libc::SYS_ioctl, one_of(1, IOCTL)),
        (libc::SYS_prctl, one_of(0, PRCTL.map(bits))),
        (libc::SYS_clone, vec![vec![thread()]]),
        // To itself: `abort` and `raise`.
        (libc::SYS_kill, vec![vec![Test(0, Kind::Is(facts.pid))]]),
        (libc::SYS_tgkill, vec![vec![Test(0, Kind::Is(facts.pid))]]),
        // Asking for its own limits, not setting any.
        (
            libc::SYS_prlimit64,
            vec![vec![Test(0, Kind::Is(0)), Test(2, Kind::Pointer(0))]],
        ),
        (libc::SYS_socket, vec![stream(0)]),
        (libc::SYS_socketpair, vec![stream(0)]),
        (libc::SYS_connect, vec![vec![connect()]]),
        // Another filter sees to it that this is the launcher's own.
        (libc::SYS_execve, Vec::new()),
    ]);
    #[cfg(target_arch = "x86_64")]
    calls.insert(libc::SYS_open, vec![vec![read_only(1)]]);
    calls
}

fn read_only(argument: u8) -> Test {
    let others = NOT_FOR_READING.iter().fold(0, |all, flag| all | flag);
    Test(argument, Kind::Bits(bits(others), 0))
}

/// A thread of this process, in the namespaces that it is in.
fn thread() -> Test {
    let must = libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND;
    let must_not = super::fatal::NAMESPACES.iter().fold(0, |all, flag| all | flag);
    Test(0, Kind::Bits(bits(must) | bits(must_not), bits(must)))
}

/// A Unix socket of connections. The others can send to any address without `connect`.
fn stream(family: u8) -> Vec<Test> {
    /// Of `type`; the rest are flags.
    const KIND: u64 = 0xf;
    vec![
        Test(family, Kind::Is(bits(libc::AF_UNIX))),
        Test(family + 1, Kind::Bits(KIND, bits(libc::SOCK_STREAM))),
    ]
}

/// No filter sees an address, but each sees how long it is. The process stands in the folder of its own descriptors and
/// can't leave it, so that a digit is the name of one of these; and none of them can come to be a socket's name but by
/// `O_PATH`, which is refused. What is left is the backing server. (The end of the name may be left out: `/x` fits too, and
/// so does an abstract name of one byte, which the layer `scope` is for.)
fn connect() -> Test {
    /// `struct sockaddr_un` with a family, a digit and the end.
    const ADDRESS_BYTES: usize = size_of::<libc::sa_family_t>() + 2;
    Test(2, Kind::AtMost(ADDRESS_BYTES as u64))
}

fn one_of<const COUNT: usize>(argument: u8, values: [u64; COUNT]) -> Vec<Vec<Test>> {
    values.map(|value| vec![Test(argument, Kind::Is(value))]).into()
}
