//! What a jailed program may reach for, outside of the jail: one thing to try after the other, and which layers prevent it.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::PathBuf;

use super::support::PROBE;
use super::{outcome, probe};

/// One thing to try, and the layers of which each alone prevents it.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) held_by: &'static [&'static str],
    /// Whether anybody can do it who is in no jail. What only root can do, or some kernels forbid, proves nothing there.
    pub(crate) is_everyones: bool,
}

/// What the attempts are about, outside of the jail. It lives as long as they do.
pub(crate) struct Outside {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) attempts: Vec<Attempt>,
    _listening: (
        TcpListener,
        Option<TcpListener>,
        [Option<UdpSocket>; 2],
        [UnixListener; 4],
        UnixDatagram,
    ),
}

/// A process that Landlock keeps from files may not look into one that it does not.
const FILES_OR_CALLS: &[&str] = &["files", "calls"];

impl Outside {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("site.db"), "secret").unwrap();
        std::fs::create_dir(path("mounted")).unwrap();
        std::fs::write(path("of-nobody"), "secret").unwrap();
        std::fs::set_permissions(path("of-nobody"), std::fs::Permissions::from_mode(0o600)).unwrap();
        // Else it is ours, and shows what it shows to its owner.
        let is_nobodys = rustix::process::geteuid().is_root()
            && std::os::unix::fs::chown(path("of-nobody"), Some(65534), Some(65534)).is_ok();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp6 = TcpListener::bind("[::1]:0").ok();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let udp6 = UdpSocket::bind("[::1]:0").ok();
        // As programs name theirs, and as short as the name of the backing server.
        let abstract_name = format!("emdash-test-{}", folder.path().display());
        let unnamed =
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap();
        let (short_byte, short_unnamed) = (1..=u8::MAX)
            .find_map(|byte| {
                let name = SocketAddr::from_abstract_name([byte]).unwrap();
                Some((byte, UnixListener::bind_addr(&name).ok()?))
            })
            .unwrap();
        let named = UnixListener::bind(path("postgres")).unwrap();
        let short = UnixListener::bind(path("s")).unwrap();
        let datagrams = UnixDatagram::bind(path("log")).unwrap();

        let this = std::process::id().to_string();
        let secret = Box::new(1_u8);
        let secret_at = (std::ptr::from_ref(&*secret) as usize).to_string();
        // Read from outside while the attempts run.
        Box::leak(secret);
        let everyones = |name, arguments: &[&str], held_by| Attempt {
            name,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            held_by,
            is_everyones: true,
        };
        let some = |name, arguments: &[&str], held_by| Attempt {
            is_everyones: false,
            ..everyones(name, arguments, held_by)
        };
        let udp6_address = udp6.as_ref().map_or("[::1]:1".to_owned(), |udp6| {
            udp6.local_addr().unwrap().to_string()
        });
        let tcp6_address = tcp6.as_ref().map_or("[::1]:1".to_owned(), |tcp6| {
            tcp6.local_addr().unwrap().to_string()
        });
        let mut attempts = vec![
            everyones("read", &["/etc/passwd"], &["files"]),
            everyones("read", &[&path("site.db")], &["files"]),
            everyones("read", &[&format!("/proc/{this}/environ")], &["files"]),
            some("read", &[&path("of-nobody")], &["capabilities", "files"]),
            some(
                "read-memory",
                &[&format!("/proc/{this}/mem"), &secret_at],
                &["files"],
            ),
            everyones("write-new", &[&path("new")], &["files", "calls", "limits"]),
            everyones(
                "write-new",
                &["/dev/shm/emdash-sandbox-probe"],
                &["files", "calls", "limits"],
            ),
            everyones("overwrite", &[&path("overwrite")], &["files", "calls", "limits"]),
            everyones("hard-link", &[&path("hard-link")], &["files", "calls"]),
            everyones("make-pipe", &[&path("pipe")], &["files", "calls"]),
            // Landlock has no say in these. Not every file system has any.
            some("attribute", &[&path("attribute")], &["calls"]),
            everyones("truncate", &[&path("truncate")], &["files", "calls"]),
            everyones(
                "truncate-by-name",
                &[&path("truncate-by-name")],
                &["files", "calls"],
            ),
            everyones("remove", &[&path("remove")], &["files", "calls"]),
            everyones("rename", &[&path("rename")], &["files", "calls"]),
            everyones("make-folder", &[&path("folder")], &["files", "calls"]),
            everyones("make-link", &[&path("link")], &["files", "calls"]),
            everyones("permissions", &[&path("permissions")], &["calls"]),
            everyones("list", &["/"], &["calls"]),
            everyones("list", &[&path("")], &["calls"]),
            everyones("memory-file", &[], &["calls"]),
            everyones(
                "tcp",
                &[&tcp.local_addr().unwrap().to_string()],
                &["network", "calls"],
            ),
            Attempt {
                is_everyones: tcp6.is_some(),
                ..everyones("tcp", &[&tcp6_address], &["network", "calls"])
            },
            everyones("tcp-listen", &["127.0.0.1:0"], &["network", "calls"]),
            everyones(
                "udp",
                &["0.0.0.0:0", &udp.local_addr().unwrap().to_string()],
                &["calls"],
            ),
            Attempt {
                is_everyones: udp6.is_some(),
                ..everyones("udp", &["[::]:0", &udp6_address], &["calls"])
            },
            everyones("netlink", &[], &["calls"]),
            some("packet", &[], &["capabilities", "calls"]),
            some("vsock", &[], &["calls"]),
            everyones("abstract", &[&abstract_name], &["scope", "calls"]),
            everyones("abstract-short", &[&short_byte.to_string()], &["scope"]),
            everyones("named", &[&path("postgres")], &["calls"]),
            everyones("named-by-descriptor", &[&path("postgres")], &["calls"]),
            everyones("named-below-descriptor", &[&path("")], &["calls"]),
            everyones("datagram", &[&path("log")], &["calls"]),
            everyones("datagram-of-a-pair", &[&path("log")], &["calls"]),
            everyones("listen-by-name", &[&path("listener")], &["files", "calls"]),
            everyones("signal", &[&this], &["scope", "calls"]),
            everyones("signal-thread", &[&this], &["scope", "calls"]),
            some("signal-by-descriptor", &[&this], &["scope", "calls"]),
            // The layer `scope` lets the owner be named, and drops the signal.
            everyones("signal-by-owner", &[&this], &["calls"]),
            some("signal-all", &[], &["calls"]),
            some("ptrace", &[&this], FILES_OR_CALLS),
            some("read-process", &[&this, &secret_at], FILES_OR_CALLS),
            everyones("limits-of-another", &[&this], &["calls"]),
            everyones("execute", &["/bin/echo", "done"], &["files", "calls"]),
            everyones("execute", &[PROBE, "random"], &["calls"]),
            everyones("fork", &[], &["calls"]),
            everyones("clone", &[], &["calls"]),
            everyones("clone3", &[], &["calls"]),
            some("clone-users", &[], &["calls"]),
            some("users", &[], &["calls"]),
            some("io_uring", &[], &["calls"]),
            some("mount", &[&path("mounted")], &["capabilities", "calls"]),
            some("bpf", &[], &["calls"]),
            some("performance", &[], &["calls"]),
            some("userfaultfd", &[], &["calls"]),
            some("key", &[], &["calls"]),
            everyones("set-limit", &[], &["calls"]),
            Attempt {
                is_everyones: can_open(1100),
                ..everyones("many-descriptors", &["1100"], &["limits"])
            },
            everyones("orphan", &[], &["calls"]),
            everyones("leave-folder", &[], &["calls"]),
        ];
        if cfg!(target_arch = "x86_64") {
            attempts.extend([
                everyones("fork-by-number", &[], &["calls"]),
                everyones("vfork-by-number", &[], &["calls"]),
            ]);
        }
        attempts.retain(|attempt| is_nobodys || attempt.arguments != [path("of-nobody")]);
        Self {
            folder,
            attempts,
            _listening: (
                tcp,
                tcp6,
                [Some(udp), udp6],
                [unnamed, short_unnamed, named, short],
                datagrams,
            ),
        }
    }

    /// What an attempt before has left is removed, and what it took away is there again.
    fn set_up(&self, attempt: &Attempt) {
        if let Some(path) = attempt
            .arguments
            .first()
            .map(PathBuf::from)
            .filter(|path| path.starts_with(&self.folder))
        {
            for left in ["renamed", "linked"] {
                let _ = std::fs::remove_file(format!("{}-{left}", path.display()));
            }
            match attempt.name {
                "write-new" | "make-link" | "make-pipe" | "listen-by-name" => {
                    drop(std::fs::remove_file(&path))
                }
                "make-folder" => drop(std::fs::remove_dir(&path)),
                "overwrite" | "hard-link" | "attribute" | "truncate" | "truncate-by-name" | "remove"
                | "rename" | "permissions" => {
                    std::fs::write(&path, "kept").unwrap();
                }
                _ => {}
            }
        }
    }

    /// What came of one within some layers: what it says, or the signal that ended it.
    pub(crate) fn try_it(&self, attempt: &Attempt, layers: &str) -> String {
        self.set_up(attempt);
        let mut program = vec![PROBE, attempt.name];
        program.extend(attempt.arguments.iter().map(String::as_str));
        let output = probe(layers, &program);
        if attempt.name == "write-new" {
            let _ = std::fs::remove_file("/dev/shm/emdash-sandbox-probe");
        }
        outcome(&output)
    }
}

/// Whether this many files may be open at a time.
fn can_open(count: u64) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.maximum.is_none_or(|maximum| maximum > count + 100)
}
