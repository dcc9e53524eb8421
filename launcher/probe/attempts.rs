//! What the probe can try. An attempt that succeeds has really done it.
#![allow(
    clippy::disallowed_methods,
    reason = "what is forbidden elsewhere is what is to fail here"
)]

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};

use crate::raw::{self, address, call};

pub(crate) fn attempt(name: &str, arguments: &[&str]) -> io::Result<()> {
    let argument = |at: usize| -> &str {
        let argument = arguments.get(at);
        argument.unwrap_or_else(|| misused(&format!("{name} lacks an argument")))
    };
    let number = |at: usize| -> i64 {
        let parsed = argument(at).parse();
        parsed.unwrap_or_else(|_| misused(&format!("{name} wants a number")))
    };
    match name {
        // What must go on working.
        "thread" => std::thread::Builder::new()
            .spawn(|| ())?
            .join()
            .map_err(|_| io::Error::other("it panicked")),
        "random" => File::open("/dev/urandom")?.read_exact(&mut [0; 8]),
        "connect-descriptor" => UnixStream::connect(argument(0)).map(drop),

        // Files.
        "read" => fs::read(argument(0)).map(drop),
        "read-memory" => read_memory(argument(0), number(1)),
        "write-new" => File::create(argument(0))?.write_all(b"x"),
        "overwrite" => OpenOptions::new().write(true).open(argument(0))?.write_all(b"x"),
        "truncate" => OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_TRUNC)
            .open(argument(0))
            .map(drop),
        "truncate-by-name" => {
            let path = std::ffi::CString::new(argument(0))?;
            call(libc::SYS_truncate, &[address(path.as_c_str()), 0]).map(drop)
        }
        "remove" => fs::remove_file(argument(0)),
        "make-folder" => fs::create_dir(argument(0)),
        "make-link" => std::os::unix::fs::symlink("/etc/passwd", argument(0)),
        "hard-link" => fs::hard_link(argument(0), format!("{}-linked", argument(0))),
        "make-pipe" => {
            let path = std::ffi::CString::new(argument(0))?;
            let mode = libc::S_IFIFO | 0o600;
            let here = libc::AT_FDCWD.into();
            call(
                libc::SYS_mknodat,
                &[here, address(path.as_c_str()), mode.into(), 0],
            )
            .map(drop)
        }
        "attribute" => {
            let path = std::ffi::CString::new(argument(0))?;
            let (path, name) = (address(path.as_c_str()), address(c"user.emdash"));
            call(libc::SYS_setxattr, &[path, name, address(b"x"), 1, 0]).map(drop)
        }
        "rename" => fs::rename(argument(0), format!("{}-renamed", argument(0))),
        "permissions" => fs::set_permissions(argument(0), fs::Permissions::from_mode(0o777)),
        "list" => fs::read_dir(argument(0))
            .map(drop)
            .and_then(|()| list(argument(0))),
        "memory-file" => call(libc::SYS_memfd_create, &[address(c"x"), 0]).map(drop),

        // Sockets.
        "tcp" => TcpStream::connect(argument(0)).map(drop),
        "tcp-listen" => TcpListener::bind(argument(0)).map(drop),
        "udp" => UdpSocket::bind(argument(0))?.send_to(b"x", argument(1)).map(drop),
        "netlink" => socket(libc::AF_NETLINK, libc::SOCK_RAW, 0),
        "packet" => socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
        "vsock" => socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        "abstract" => UnixStream::connect_addr(&SocketAddr::from_abstract_name(argument(0))?).map(drop),
        // As short as the backing server's name: a byte, given as a number.
        "abstract-short" => {
            let byte = u8::try_from(number(0)).unwrap_or_else(|_| misused("no byte"));
            raw::connect(&[0, byte])
        }
        "named" => UnixStream::connect(argument(0)).map(drop),
        "named-by-descriptor" => named_by_descriptor(argument(0)),
        "named-below-descriptor" => {
            let folder = File::open(argument(0))?;
            raw::connect(format!("{}/s", folder.as_raw_fd()).as_bytes())
        }
        "datagram" => UnixDatagram::unbound()?.send_to(b"x", argument(0)).map(drop),
        "datagram-of-a-pair" => UnixDatagram::pair()?.0.send_to(b"x", argument(0)).map(drop),
        "listen-by-name" => std::os::unix::net::UnixListener::bind(argument(0)).map(drop),

        // Other processes.
        "signal" => call(libc::SYS_kill, &[number(0), libc::SIGWINCH.into()]).map(drop),
        "signal-all" => call(libc::SYS_kill, &[-1, 0]).map(drop),
        "signal-thread" => call(libc::SYS_tgkill, &[number(0), number(0), libc::SIGWINCH.into()]).map(drop),
        "signal-by-descriptor" => {
            let pidfd = call(libc::SYS_pidfd_open, &[number(0), 0])?;
            call(libc::SYS_pidfd_send_signal, &[pidfd, libc::SIGWINCH.into(), 0, 0]).map(drop)
        }
        "signal-by-owner" => signal_by_owner(number(0)),
        "ptrace" => {
            call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE.into(), number(0), 0, 0])?;
            // Given back, for the tests' own process is what was seized.
            let _ = call(libc::SYS_ptrace, &[libc::PTRACE_DETACH.into(), number(0), 0, 0]);
            Ok(())
        }
        "read-process" => {
            let byte = Cell::new(0_u8);
            let local = [address(&byte), 1];
            let remote = [number(1), 1];
            call(
                libc::SYS_process_vm_readv,
                &[number(0), address(&local), 1, address(&remote), 1, 0],
            )
            .map(drop)
        }
        "limits-of-another" => {
            let limit = Cell::new([0_u64; 2]);
            call(
                libc::SYS_prlimit64,
                &[number(0), libc::RLIMIT_CPU.into(), 0, address(&limit)],
            )
            .map(drop)
        }

        // New processes and programs.
        "execute" => raw::execute(argument(0), argument(1)),
        "fork" => raw::fork(),
        #[cfg(target_arch = "x86_64")]
        "fork-by-number" => raw::fork_by_number(libc::SYS_fork),
        #[cfg(target_arch = "x86_64")]
        "vfork-by-number" => raw::fork_by_number(libc::SYS_vfork),
        "clone" => raw::clone(0),
        "clone-users" => raw::clone(libc::CLONE_NEWUSER),
        "clone3" => {
            let mut arguments = [0_u64; 11];
            arguments[4] = libc::SIGCHLD.unsigned_abs().into();
            if call(libc::SYS_clone3, &[address(&arguments), 88])? == 0 {
                std::process::exit(0);
            }
            Ok(())
        }

        // The kernel.
        "io_uring" => {
            let parameters = Cell::new([0_u8; 120]);
            call(libc::SYS_io_uring_setup, &[4, address(&parameters)]).map(drop)
        }
        "users" => call(libc::SYS_unshare, &[libc::CLONE_NEWUSER.into()]).map(drop),
        "mount" => mount(argument(0)),
        "bpf" => {
            // An array of one value, by `union bpf_attr`: kind, bytes of a key and of a value, entries.
            let attributes = [2_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            call(libc::SYS_bpf, &[0, address(&attributes), 72]).map(drop)
        }
        "performance" => {
            // A software counter that counts nothing, by `struct perf_event_attr`: kind, size, which.
            let mut attributes = [0_u64; 14];
            attributes[0] = 1 | (112 << 32);
            attributes[1] = 9;
            call(libc::SYS_perf_event_open, &[address(&attributes), 0, -1, -1, 0]).map(drop)
        }
        "userfaultfd" => call(libc::SYS_userfaultfd, &[1]).map(drop),
        "key" => call(libc::SYS_keyctl, &[0, -3, 1]).map(drop),

        // The same kernel by another door: calls of 32 bits, and those of 64 with addresses of 32.
        #[cfg(target_arch = "x86_64")]
        "call-of-32-bits" => raw::call_of_32_bits(),
        #[cfg(target_arch = "x86_64")]
        "call-of-x32" => call(0x4000_0000 | libc::SYS_getpid, &[]).map(drop),

        // Its own limits.
        "set-limit" => {
            // To what it is: anybody may.
            let limit = Cell::new([0_u64; 2]);
            let resource = libc::RLIMIT_NOFILE.into();
            call(libc::SYS_prlimit64, &[0, resource, 0, address(&limit)])?;
            call(libc::SYS_prlimit64, &[0, resource, address(&limit), 0]).map(drop)
        }
        "many-descriptors" => many_descriptors(number(0)),
        "is-killed-with-its-parent" => {
            let signal = Cell::new(0_i32);
            call(
                libc::SYS_prctl,
                &[libc::PR_GET_PDEATHSIG.into(), address(&signal)],
            )?;
            match signal.get() {
                libc::SIGKILL => Ok(()),
                other => Err(io::Error::other(format!("by signal {other}"))),
            }
        }
        "orphan" => call(libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG.into(), 0]).map(drop),
        "leave-folder" => std::env::set_current_dir("/"),
        "core" => core(argument(0)),
        _ => misused(&format!("there is no attempt {name}")),
    }
}

/// A fault of the test's, which must not pass for a refusal.
#[allow(
    clippy::print_stderr,
    reason = "what the test prints of an attempt that came to nothing"
)]
fn misused(why: &str) -> ! {
    eprintln!("the probe was misused: {why}");
    std::process::exit(2)
}

/// And away with it again, for this is the machine's.
fn mount(place: &str) -> io::Result<()> {
    let (kind, place) = (c"tmpfs", std::ffi::CString::new(place)?);
    let place = address(place.as_c_str());
    call(libc::SYS_mount, &[address(kind), place, address(kind), 0, 0])?;
    call(libc::SYS_umount2, &[place, libc::MNT_DETACH.into()]).map(drop)
}

/// As many as this, with as high a limit as may be.
fn many_descriptors(count: i64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    // Where it is forbidden the limit stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    let files = (0..count).map(|_| File::open("/dev/urandom"));
    files.collect::<io::Result<Vec<_>>>().map(drop)
}

fn read_memory(path: &str, at: i64) -> io::Result<()> {
    let mut memory = File::open(path)?;
    memory.seek(SeekFrom::Start(at.unsigned_abs()))?;
    memory.read_exact(&mut [0])
}

fn list(path: &str) -> io::Result<()> {
    fs::read_dir(path)?.try_for_each(|entry| entry.map(drop))
}

fn socket(family: i32, kind: i32, protocol: i64) -> io::Result<()> {
    call(libc::SYS_socket, &[family.into(), kind.into(), protocol]).map(drop)
}

/// Where the process stands, a number is a descriptor's name; if that descriptor is a name of somebody's socket…
fn named_by_descriptor(path: &str) -> io::Result<()> {
    let name = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)?;
    UnixStream::connect(name.as_raw_fd().to_string()).map(drop)
}

/// The kernel sends a signal to whom a descriptor names as its owner, when there is something to read.
fn signal_by_owner(owner: i64) -> io::Result<()> {
    let (reader, mut writer) = io::pipe()?;
    let reader: OwnedFd = reader.into();
    let fd = reader.as_raw_fd().into();
    call(libc::SYS_fcntl, &[fd, libc::F_SETOWN.into(), owner])?;
    call(libc::SYS_fcntl, &[fd, F_SETSIG, libc::SIGWINCH.into()])?;
    call(libc::SYS_fcntl, &[fd, libc::F_SETFL.into(), libc::O_ASYNC.into()])?;
    writer.write_all(b"x")
}

/// `libc` has it for some C libraries only.
const F_SETSIG: i64 = 10;

/// With as large a core as may be, in a folder that can be written to.
fn core(folder: &str) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(
        Resource::Core,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?;
    std::env::set_current_dir(folder)?;
    std::process::abort()
}
