//! The only place that builds a child command: from an empty environment, with every descriptor handed over by name.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the one file that may build a command"
)]

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::config::{BACKING, SOCKET};
use super::socket::PrivateSocket;
use crate::jail::Jail;

/// The programs and the environment that every process of a runner is made of.
#[derive(Debug, Clone)]
pub struct Programs {
    pub launcher: PathBuf,
    pub workerd: PathBuf,
    /// What is put around workerd.
    pub jail: Jail,
    /// All that the child's environment holds.
    pub environment: Vec<(OsString, OsString)>,
}

/// What one process needs: its configuration text, the socket to serve, and where to say that it does.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) programs: Programs,
    pub(super) configuration: String,
    pub(super) listener: UnixListener,
    pub(super) control: OwnedFd,
    /// Where the backing server listens.
    pub(super) backing: Arc<PrivateSocket>,
}

/// A child and the descriptor that names it for as long as it is open, whatever becomes of its number.
///
/// Dropped before somebody has taken the child over, it ends it: its start may have been given up in the meantime.
#[derive(Debug)]
pub(super) struct Launched {
    child: Option<Child>,
    pidfd: OwnedFd,
}

impl Launched {
    pub(super) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// The child, for whoever ends and reaps it from now on.
    pub(super) fn take_over(mut self) -> Option<Child> {
        self.child.take()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Must be called on the spawner thread: the parent-death signal follows the thread.
pub(super) fn launch(launch: &Launch) -> io::Result<Launched> {
    let configuration = in_memory(launch.configuration.as_bytes())?;
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    hand_over(
        &ours,
        &[
            configuration.as_fd(),
            launch.listener.as_fd(),
            launch.control.as_fd(),
            launch.backing.as_fd(),
        ],
    )?;

    let mut child = Command::new(&launch.programs.launcher)
        .arg(std::process::id().to_string())
        .arg(launch.programs.jail.argument())
        .arg(&launch.programs.workerd)
        .arg("serve")
        .arg(format!("--socket-fd={SOCKET}={{fd:1}}"))
        .arg("--control-fd={fd:2}")
        // Its number is its name where the launcher leaves it, and the only kind of name that the jail can be connected by.
        .arg(format!("--external-addr={BACKING}=unix:{{fd:3}}"))
        .args(["/proc/self/fd/{fd:0}", "config"])
        .env_clear()
        .envs(
            launch
                .programs
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .stdin(theirs)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;

    let pidfd = Pid::from_raw(child.id().cast_signed())
        .ok_or(rustix::io::Errno::SRCH)
        .and_then(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK));
    match pidfd {
        Ok(pidfd) => Ok(Launched {
            child: Some(child),
            pidfd,
        }),
        Err(error) => {
            // Without a pidfd nobody could ever end it, so it ends here.
            child.kill()?;
            child.wait()?;
            Err(error.into())
        }
    }
}

fn in_memory(text: &[u8]) -> io::Result<OwnedFd> {
    let file = memfd_create("emdash-sandbox-config", MemfdFlags::CLOEXEC)?;
    let mut rest = text;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    Ok(file)
}

/// One byte with descriptors attached; it waits in the socket until the launcher reads it.
fn hand_over(socket: &OwnedFd, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(b"!")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}
