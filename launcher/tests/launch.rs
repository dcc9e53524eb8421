//! The launcher as the addon starts it, with small programs in workerd's place. Linux only, as it is.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests are the parent that the launcher expects"
)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Command, Output, Stdio};

use support::{LAUNCHER, PROBE, leaking, start, text};

/// These tests are about the steps around the jail.
const NO_LAYERS: &str = "must:";

fn launch(parent: u32, arguments: &[&str], descriptors: &[BorrowedFd<'_>]) -> Output {
    let mut command = Command::new(LAUNCHER);
    command.arg(parent.to_string()).arg(NO_LAYERS).args(arguments);
    start(&mut command, descriptors)
}

fn pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    std::io::pipe().unwrap()
}

#[test]
fn the_program_gets_the_descriptors_by_their_placeholders() {
    let (reader, mut writer) = pipe();
    writer.write_all(b"configuration").unwrap();
    drop(writer);
    let output = launch(
        std::process::id(),
        &["/bin/cat", "/proc/self/fd/{fd:0}"],
        &[reader.as_fd()],
    );
    assert_eq!(text(&output.stdout), "configuration", "{}", text(&output.stderr));
}

#[test]
fn nothing_else_that_the_parent_had_open_reaches_it() {
    // A descriptor that somebody forgot to mark close-on-exec.
    let forgotten: OwnedFd = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 50).unwrap();
    rustix::io::fcntl_setfd(&forgotten, rustix::io::FdFlags::empty()).unwrap();
    let (reader, _writer) = pipe();
    let script = "for fd in /proc/$$/fd/*; do echo \"${fd##*/}\"; done";
    let output = launch(std::process::id(), &["/bin/sh", "-c", script], &[reader.as_fd()]);
    let open = text(&output.stdout);
    assert!(
        open.lines().any(|descriptor| descriptor == "2"),
        "the list is one: {open}"
    );
    let forgotten = forgotten.as_raw_fd().to_string();
    assert!(
        !open.lines().any(|descriptor| descriptor == forgotten),
        "{forgotten} is open:\n{open}"
    );
}

#[test]
fn its_own_take_the_places_of_those_that_the_parent_leaked_also_where_the_kernel_can_not_close_all_at_once() {
    let (reader, _writer) = pipe();
    let this = std::process::id().to_string();
    let list = "echo {fd:0}; for fd in /proc/self/fd/*; do echo \"${fd##*/}\"; done";
    for lacking in [&[][..], &[PROBE, "without", "close_range"]] {
        let program = [LAUNCHER, &this, NO_LAYERS, "/bin/sh", "-c", list];
        let output = start(&mut leaking(&[lacking, &program].concat()), &[reader.as_fd()]);
        // The last is the list's own.
        assert_eq!(
            text(&output.stdout),
            "3\n0\n1\n2\n3\n4\n",
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn descriptors_that_do_not_arrive_are_told_because_workerd_would_only_stumble_over_them() {
    let this = std::process::id().to_string();
    // Room for the first three of the four.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 6; exec \"$@\"", "sh", LAUNCHER, &this, NO_LAYERS]);
    command.args(["/bin/echo", "{fd:3}"]);
    let pipes = [pipe(), pipe(), pipe(), pipe()];
    let descriptors = pipes.each_ref().map(|(reader, _)| reader.as_fd());
    let output = start(&mut command, &descriptors);
    assert_eq!(output.status.code(), Some(127), "{}", text(&output.stdout));
    let told = text(&output.stderr);
    assert!(told.contains("received too few descriptors: "), "{told}");
    assert!(told.contains("ulimit -n"), "{told}");
}

#[test]
fn it_stands_in_a_session_of_its_own_without_privileges_to_gain_and_with_the_parent_death_signal() {
    let (reader, _writer) = pipe();
    let script = "read -r _ _ _ _ _ session _ < /proc/self/stat; echo $session $$; pwd; cat; \
                  while read -r line; do case $line in NoNewPrivs*) echo $line;; esac; done < /proc/self/status";
    let output = launch(std::process::id(), &["/bin/sh", "-c", script], &[reader.as_fd()]);
    let said = text(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    let (session, pid) = lines[0].split_once(' ').unwrap();
    assert_eq!(session, pid, "it leads its session");
    assert_eq!(
        &lines[1..],
        [&format!("/proc/{pid}/fd"), "NoNewPrivs: 1"],
        "standard input is empty, and the folder is that of its own descriptors"
    );
    let output = launch(
        std::process::id(),
        &[PROBE, "is-killed-with-its-parent"],
        &[reader.as_fd()],
    );
    assert_eq!(text(&output.stdout), "done\n");
}

#[test]
fn signals_do_what_they_do_by_default_whatever_the_parent_had_set() {
    let (reader, _writer) = pipe();
    // A shell that ignores them, as nohup does, and becomes the launcher: the parent is still this process.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "trap '' HUP TERM USR1; exec \"$@\"", "sh", LAUNCHER])
        .args([
            &std::process::id().to_string(),
            NO_LAYERS,
            "/bin/cat",
            "/proc/self/status",
        ]);
    let output = start(&mut command, &[reader.as_fd()]);
    let said = text(&output.stdout);
    for set in ["SigBlk", "SigIgn"] {
        let line = said.lines().find(|line| line.starts_with(set)).unwrap();
        assert_eq!(line.split_whitespace().last(), Some("0000000000000000"), "{line}");
    }
}

#[test]
fn a_parent_that_is_gone_already_is_noticed() {
    let (reader, _writer) = pipe();
    let output = launch(1, &["/bin/echo", "started"], &[reader.as_fd()]);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(127), "")
    );
    assert!(
        text(&output.stderr).contains("the parent is gone"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_can_not_be_executed_is_named() {
    let (reader, _writer) = pipe();
    let output = launch(std::process::id(), &["/no/such/workerd"], &[reader.as_fd()]);
    assert_eq!(output.status.code(), Some(127));
    assert!(
        text(&output.stderr).contains("can't execute workerd: No such file"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn started_by_hand_it_says_that_it_is_not_for_that() {
    for arguments in [
        &[][..],
        &["12"],
        &["12", "must:"],
        &["x", "must:", "/bin/true"],
        &["12", "/bin/true"],
        &["12", "must:everything", "/bin/true"],
    ] {
        let output = Command::new(LAUNCHER)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(127));
        assert!(
            text(&output.stderr).contains("started by the addon only"),
            "{}",
            text(&output.stderr)
        );
    }
    let mut child = Command::new(LAUNCHER)
        .args([&std::process::id().to_string(), NO_LAYERS, "/bin/true"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(127));
    assert!(said.contains("received no descriptors"), "{said}");
}
