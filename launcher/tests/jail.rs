//! What the jail prevents: a probe in workerd's place tries one thing after the other, within no layer, within each
//! layer alone, and within all of them. Linux only, as it is.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "what is forbidden elsewhere is what the jail is to prevent"
)]

mod support;

use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use support::{LAUNCHER, LAYERS, PROBE, launcher, leaking, skipped, start, text};

/// One thing to try, and the layers of which each alone prevents it.
struct Attempt {
    name: &'static str,
    arguments: Vec<String>,
    held_by: &'static [&'static str],
    /// Whether anybody can do it who is in no jail. What only root can do, or some kernels forbid, proves nothing there.
    is_everyones: bool,
}

/// What the attempts are about, outside of the jail. It lives as long as they do.
struct Outside {
    folder: tempfile::TempDir,
    attempts: Vec<Attempt>,
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
    fn new() -> Self {
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
    fn try_it(&self, attempt: &Attempt, layers: &str) -> String {
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

fn probe(layers: &str, program: &[&str]) -> Output {
    let (reader, _writer) = std::io::pipe().unwrap();
    start(
        &mut launcher(&format!("must:{layers}"), program),
        &[reader.as_fd()],
    )
}

/// Those that this kernel has. The oldest that we run tests on lacks the last one or two of Landlock's.
fn layers() -> Vec<&'static str> {
    let starts = |layer: &&str| outcome(&probe(layer, &[PROBE, "thread"])) == "done";
    let (layers, missing): (Vec<_>, Vec<_>) = LAYERS.into_iter().partition(starts);
    for layer in missing {
        skipped(&format!("this kernel has no layer {layer}"));
    }
    for layer in ["limits", "capabilities", "files", "calls"] {
        assert!(
            layers.contains(&layer),
            "this machine can't test the jail: it lacks {layer}"
        );
    }
    layers
}

fn outcome(output: &Output) -> String {
    let said = text(&output.stdout);
    match (output.status.signal(), said.trim_end()) {
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, "") => format!("started nothing: {}", text(&output.stderr)),
        (None, said) => said.to_owned(),
    }
}

/// Whether this process may try all that root may: no container's filter, none of these capabilities taken away.
fn may_try_everything() -> bool {
    use rustix::thread::CapabilitySet;
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SYS_PTRACE
        | CapabilitySet::NET_RAW
        | CapabilitySet::KILL
        | CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = rustix::thread::capabilities(None).unwrap().effective;
    held.contains(needed) && status.lines().any(|line| line == "Seccomp:\t0")
}

/// What some kernels, file systems and containers lack. Whether they do is their word: no such call, operation, family
/// of addresses.
const MAY_BE_LEFT_OUT: [&str; 9] = [
    "vsock",
    "io_uring",
    "bpf",
    "performance",
    "userfaultfd",
    "key",
    "packet",
    "attribute",
    "clone3",
];
const LEFT_OUT: [&str; 3] = ["(os error 38)", "(os error 95)", "(os error 97)"];

/// Whether this many files may be open at a time.
fn can_open(count: u64) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.maximum.is_none_or(|maximum| maximum > count + 100)
}

fn is_prevented(outcome: &str) -> bool {
    outcome.starts_with("refused: ") || outcome.starts_with("ended by signal ")
}

#[test]
fn all_layers_together_prevent_everything() {
    let outside = Outside::new();
    let there = layers();
    let all = there.join(",");
    for attempt in &outside.attempts {
        if !attempt.held_by.iter().any(|layer| there.contains(layer)) {
            skipped(&format!(
                "only {:?} would prevent {}",
                attempt.held_by, attempt.name
            ));
            continue;
        }
        let came_of_it = outside.try_it(attempt, &all);
        assert!(
            is_prevented(&came_of_it),
            "{} {:?}: {came_of_it}",
            attempt.name,
            attempt.arguments
        );
    }
    let kept = ["overwrite", "truncate", "truncate-by-name", "remove", "rename"];
    for name in kept {
        let left = std::fs::read_to_string(outside.folder.path().join(name)).unwrap();
        assert_eq!(left, "kept", "{name} did nothing");
    }
}

#[test]
fn each_layer_alone_prevents_its_part_because_another_may_be_missing() {
    let (outside, there) = (Outside::new(), layers());
    for attempt in &outside.attempts {
        for layer in attempt.held_by.iter().filter(|layer| there.contains(layer)) {
            let came_of_it = outside.try_it(attempt, layer);
            assert!(
                is_prevented(&came_of_it),
                "{} {:?} within {layer}: {came_of_it}",
                attempt.name,
                attempt.arguments
            );
        }
    }
}

#[test]
fn without_a_jail_the_attempts_succeed_because_otherwise_they_would_show_nothing() {
    let outside = Outside::new();
    let may_all = may_try_everything();
    for attempt in &outside.attempts {
        let Attempt { name, arguments, .. } = attempt;
        if !attempt.is_everyones && !may_all {
            skipped(&format!("{name} {arguments:?} may be root's alone"));
            continue;
        }
        let came_of_it = outside.try_it(attempt, "");
        if MAY_BE_LEFT_OUT.contains(name) && LEFT_OUT.iter().any(|error| came_of_it.ends_with(error)) {
            skipped(&format!("this kernel has no {name}"));
            continue;
        }
        assert_eq!(came_of_it, "done", "{name} {arguments:?}");
    }
}

#[test]
fn an_attempt_that_there_is_not_is_no_refusal() {
    for misused in [&["no-such-attempt"][..], &["read"], &["signal", "x"]] {
        let came_of_it = outcome(&probe("", &[&[PROBE], misused].concat()));
        assert!(!is_prevented(&came_of_it), "{misused:?}: {came_of_it}");
        assert!(came_of_it.contains("the probe was misused"), "{came_of_it}");
    }
}

#[test]
fn what_workerd_needs_works_within_all_of_them() {
    let all = layers().join(",");
    for name in ["thread", "random"] {
        assert_eq!(outcome(&probe(&all, &[PROBE, name])), "done", "{name}");
    }
    // The backing server, by the number of its descriptor.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let name = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
    let program = [PROBE, "connect-descriptor", "{fd:0}"];
    let output = start(&mut launcher(&format!("must:{all}"), &program), &[name.as_fd()]);
    assert_eq!(outcome(&output), "done", "{}", text(&output.stderr));
}

#[test]
fn descriptors_that_the_parent_leaks_make_no_room_for_longer_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(folder.path().join("s")).unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    let this = std::process::id().to_string();
    let mut command = leaking(&[LAUNCHER, &this, "must:calls", PROBE, "named-below-descriptor"]);
    command.arg(folder.path());
    assert_eq!(
        outcome(&start(&mut command, &[reader.as_fd()])),
        "refused: Function not implemented (os error 38)"
    );
}

#[test]
fn the_dangerous_calls_end_the_process_and_the_others_are_not_there() {
    const SIGSYS: &str = "ended by signal 31";
    for fatal in [
        "ptrace",
        "users",
        "clone-users",
        "io_uring",
        "mount",
        "bpf",
        "performance",
        "userfaultfd",
        "key",
    ] {
        let this = std::process::id().to_string();
        assert_eq!(
            outcome(&probe("calls", &[PROBE, fatal, &this])),
            SIGSYS,
            "{fatal}"
        );
    }
    assert_eq!(
        outcome(&probe("calls", &[PROBE, "execute", PROBE, "random"])),
        SIGSYS
    );
    for absent in [
        "fork",
        "clone3",
        "memory-file",
        "netlink",
        "orphan",
        "leave-folder",
    ] {
        let came_of_it = outcome(&probe("calls", &[PROBE, absent]));
        assert_eq!(
            came_of_it, "refused: Function not implemented (os error 38)",
            "{absent}"
        );
    }
}

#[test]
fn strictly_an_unexpected_call_ends_the_process_because_a_test_must_see_it() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let strictly =
        |program: &[&str]| outcome(&start(&mut launcher("strict:calls", program), &[reader.as_fd()]));
    assert_eq!(strictly(&[PROBE, "memory-file"]), "ended by signal 31");
    // glibc tries it for every thread, and copes.
    assert_eq!(strictly(&[PROBE, "thread"]), "done");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_filter_holds_for_the_kernels_other_doors_too() {
    const SIGSYS: &str = "ended by signal 31";
    let free = outcome(&probe("", &[PROBE, "call-of-32-bits"]));
    // A kernel without that door ends who tries it by SIGSEGV.
    match free.as_str() {
        "done" => assert_eq!(outcome(&probe("calls", &[PROBE, "call-of-32-bits"])), SIGSYS),
        "ended by signal 11" => skipped("this kernel takes no calls of 32 bits"),
        other => panic!("{other}"),
    }
    // A kernel that knows no x32 shows the filter its calls all the same.
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut strictly = launcher("strict:calls", &[PROBE, "call-of-x32"]);
    assert_eq!(outcome(&start(&mut strictly, &[reader.as_fd()])), SIGSYS);
    let mut refused = launcher("must:calls", &[PROBE, "call-of-x32"]);
    let came_of_it = outcome(&start(&mut refused, &[reader.as_fd()]));
    assert_eq!(came_of_it, "refused: Function not implemented (os error 38)");
}

#[test]
fn no_core_is_dumped_because_it_would_hold_the_plugins_data() {
    let dump = |layer| {
        let folder = tempfile::tempdir().unwrap();
        let output = probe(layer, &[PROBE, "core", folder.path().to_str().unwrap()]);
        assert_eq!(output.status.signal(), Some(6), "it aborts: {}", outcome(&output));
        let is_in_folder = std::fs::read_dir(folder.path()).unwrap().count() > 0;
        output.status.core_dumped() || is_in_folder
    };
    assert!(!dump("limits"));
    // The same without the layer, where this machine writes cores into folders at all.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    if pattern.contains(['|', '@', '/']) || allowed.is_some_and(|bytes| bytes < 1 << 20) {
        skipped("that it is dumped without the layer, since this machine keeps no cores");
        return;
    }
    assert!(dump(""), "without the layer there is one");
}

#[test]
fn a_core_that_a_program_is_told_has_no_memory_also_where_the_limit_can_only_be_zero() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let this = std::process::id().to_string();
    let jailed = |without: &[&str]| {
        let mut command = std::process::Command::new("/bin/sh");
        command
            .args(["-c", "ulimit -c 0; exec \"$@\"", "sh"])
            .args(without);
        command.args([LAUNCHER, &this, "must:limits", "/bin/cat"]);
        command.args(["/proc/self/coredump_filter", "/proc/self/limits"]);
        let output = start(&mut command, &[reader.as_fd()]);
        let said = text(&output.stdout);
        assert!(said.starts_with("00000000\n"), "{said}{}", text(&output.stderr));
        let core = said.lines().find(|line| line.starts_with("Max core file size"));
        core.unwrap().split_whitespace().nth(4).unwrap().to_owned()
    };
    if !rustix::process::geteuid().is_root() {
        assert_eq!(jailed(&[]), "0");
        return;
    }
    assert_eq!(jailed(&["setpriv", "--bounding-set=-sys_resource", "--"]), "0");
    if rustix::thread::capability_is_in_bounding_set(rustix::thread::CapabilitySet::SYS_RESOURCE).unwrap() {
        assert_eq!(jailed(&[]), "1", "root raises it");
    }
}

#[test]
fn nobody_is_jailed_as_well_as_root() {
    if !rustix::process::geteuid().is_root() {
        skipped("as nobody, since the other tests run as somebody already");
        return;
    }
    // Where nobody may execute them.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let [launcher, probe] = [LAUNCHER, PROBE].map(|program| {
        let copy = folder.path().join(Path::new(program).file_name().unwrap());
        std::fs::copy(program, &copy).unwrap();
        copy
    });
    let (reader, _writer) = std::io::pipe().unwrap();
    for (attempt, expected) in [
        ("thread", "done"),
        ("netlink", "refused: "),
        ("bpf", "ended by signal 31"),
    ] {
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&launcher)
            .arg(std::process::id().to_string())
            .arg(format!("must:{}", layers().join(",")))
            .args([probe.as_os_str(), attempt.as_ref()]);
        let output = start(&mut command, &[reader.as_fd()]);
        let came_of_it = outcome(&output);
        assert!(came_of_it.starts_with(expected), "{attempt}: {came_of_it}");
    }
}

#[test]
fn a_program_that_only_a_capability_reaches_keeps_that_one_or_is_not_started_as_the_launcher_was_told() {
    if !rustix::process::geteuid().is_root() {
        skipped("a capability that is kept, since only root has one");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("probe");
    std::fs::copy(PROBE, &copy).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    // Of the two that reach it the lesser is kept, if there is one: containers give their root only the greater.
    let has_lesser =
        rustix::thread::capability_is_in_bounding_set(rustix::thread::CapabilitySet::DAC_READ_SEARCH);
    let mut cases = vec![("-dac_read_search", "CAP_DAC_OVERRIDE")];
    if has_lesser.unwrap() {
        cases.push(("-mknod", "CAP_DAC_READ_SEARCH"));
    }
    for (lacking, kept) in cases {
        let jailed = |jail| {
            let mut command = std::process::Command::new("setpriv");
            command.args([&format!("--bounding-set={lacking}"), "--", LAUNCHER]);
            command.arg(std::process::id().to_string()).arg(jail);
            command.arg(&copy).arg("thread");
            start(&mut command, &[reader.as_fd()])
        };
        let refused = jailed("must:capabilities");
        assert_eq!(refused.status.code(), Some(127));
        let told = text(&refused.stderr);
        assert!(told.contains(&format!("{kept} is left")), "{lacking}: {told}");

        let output = jailed("try:capabilities");
        assert_eq!(outcome(&output), "done");
        let told = text(&output.stderr);
        assert!(told.contains("let others read its folder"), "{lacking}: {told}");
    }
}

#[test]
fn a_kernel_that_lacks_a_layer_starts_the_program_without_it_or_not_at_all_as_it_was_told() {
    let there = layers();
    let (reader, _writer) = std::io::pipe().unwrap();
    let jailed = |lack: &str, policy: &str, attempt: &[&str]| {
        let jail = format!("{policy}:{}", there.join(","));
        let this = std::process::id().to_string();
        let mut command = std::process::Command::new(PROBE);
        command
            .args(["without", lack, LAUNCHER, &this, &jail, PROBE])
            .args(attempt);
        start(&mut command, &[reader.as_fd()])
    };
    for (lack, missing) in [
        ("landlock", &["scope", "network", "files"][..]),
        ("forbidden:landlock", &["scope", "network", "files"]),
        ("landlock-rules", &["files"]),
        ("seccomp", &["calls"]),
        ("landlock,seccomp", &["scope", "network", "files", "calls"]),
    ] {
        let missing: Vec<_> = missing.iter().filter(|layer| there.contains(layer)).collect();
        let output = jailed(lack, "try", &["thread"]);
        assert_eq!(outcome(&output), "done", "{lack}: {}", text(&output.stderr));
        for layer in &missing {
            let word = format!("the jail lacks its layer {layer}: ");
            assert!(
                text(&output.stderr).contains(&word),
                "{lack}: {}",
                text(&output.stderr)
            );
        }
        assert_eq!(text(&output.stderr).lines().count(), missing.len(), "{lack}");
        let refused = jailed(lack, "must", &["thread"]);
        assert_eq!(
            (refused.status.code(), text(&refused.stdout).as_str()),
            (Some(127), ""),
            "{lack}"
        );
        assert!(text(&refused.stderr).contains("can't jail workerd: the jail lacks its layer"));
    }
    // What is left holds.
    assert!(is_prevented(&outcome(&jailed("landlock", "try", &["netlink"]))));
    assert!(is_prevented(&outcome(&jailed(
        "seccomp",
        "try",
        &["read", "/etc/passwd"]
    ))));
}

#[test]
fn a_script_is_refused_with_the_reason_because_its_interpreter_would_be_another_program() {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), "#!/bin/sh\necho done\n").unwrap();
    let output = probe("files", &[script.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(127));
    assert!(
        text(&output.stderr).contains("a script can't be jailed"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_script_costs_the_layer_that_it_can_not_have_and_no_other() {
    let there = layers();
    let asked: Vec<_> = ["files", "network", "scope"]
        .into_iter()
        .filter(|layer| there.contains(layer))
        .collect();
    if asked.len() == 1 {
        skipped("this kernel's Landlock has no layer but files");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), format!("#!/bin/sh\nexec {PROBE} tcp {address}\n")).unwrap();
    std::fs::set_permissions(script.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let script = script.into_temp_path();
    let (reader, _writer) = std::io::pipe().unwrap();
    let output = start(
        &mut launcher(&format!("try:{}", asked.join(",")), &[script.as_os_str()]),
        &[reader.as_fd()],
    );
    let told = text(&output.stderr);
    assert_eq!(told.matches("the jail lacks its layer").count(), 1, "{told}");
    assert!(told.contains("the jail lacks its layer files: "), "{told}");
    assert!(outcome(&output).starts_with("refused: "), "{}", outcome(&output));
}
