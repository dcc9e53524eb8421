//! The launcher as the addon starts it, and what came of it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::disallowed_methods,
    reason = "these tests are the parent that the launcher expects"
)]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};

pub(crate) const LAUNCHER: &str = env!("CARGO_BIN_EXE_emdash-sandbox-launcher");
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_emdash-sandbox-probe");

/// Every layer, as the launcher names them.
pub(crate) const LAYERS: [&str; 6] = ["limits", "capabilities", "files", "network", "scope", "calls"];

/// Starts `command`, which is or becomes the launcher, with these descriptors waiting in its standard input.
pub(crate) fn start(command: &mut Command, descriptors: &[BorrowedFd<'_>]) -> Output {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(&ours, &[IoSlice::new(b"!")], &mut ancillary, SendFlags::empty()).unwrap();
    command
        .env_clear()
        .env("LANG", "C")
        .stdin(theirs)
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

/// The launcher, as a child of this process, with a program to become.
pub(crate) fn launcher<S: AsRef<OsStr>>(jail: &str, program: &[S]) -> Command {
    let mut command = Command::new(LAUNCHER);
    command
        .arg(std::process::id().to_string())
        .arg(jail)
        .args(program);
    command
}

/// A shell that has all descriptors of one digit open and becomes the program: the parent is still this process.
pub(crate) fn leaking(program: &[&str]) -> Command {
    let mut command = Command::new("/bin/sh");
    let open = "exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&3; exec \"$@\"";
    command.args(["-c", open, "sh"]).args(program);
    command
}

/// Says once what can't be shown on this machine, past the harness, which keeps what tests print to itself.
pub(crate) fn skipped(what: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap().insert(what.to_owned()) {
        let line = format!("skipped: {what}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
