//! How Linux starts a plugin's process: through the launcher, which puts up the jail, with every descriptor handed over by
//! name.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::Child;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::BufReader;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Spawned;
use super::config::{BACKING, Config, SOCKET};
use super::launch::Programs;
use super::output::{Reader, Source};
use super::process::{Exit, Handle, Process, Report};
use super::readiness::{Opening, control_pipe};
use super::socket::PrivateSocket;
use super::spawner::on_spawner;

/// A child in its jail, and our ends of what connects us. Must be called on the io thread.
pub(super) async fn spawn(
    programs: &Programs,
    config: &Config<'_>,
    backing: &Arc<PrivateSocket>,
) -> io::Result<Spawned> {
    let (socket, listener) = PrivateSocket::bind()
        .map_err(|error| io::Error::new(error.kind(), format!("no socket can be made: {error}")))?;
    let (ours, theirs) = control_pipe()?;
    let request = Launch {
        programs: programs.clone(),
        configuration: config.render(),
        listener,
        control: theirs,
        backing: Arc::clone(backing),
    };
    let launched = on_spawner(move || launch(&request)).await?;
    let (process, stdout, stderr) = adopt(launched)?;
    Ok(Spawned {
        process,
        opening: Opening::Handed {
            control: ours,
            socket,
        },
        stdout: Source::read(stdout),
        stderr: Source::read(stderr),
    })
}

pub(super) fn signal(pidfd: &OwnedFd, signal: Signal) {
    let _ = pidfd_send_signal(pidfd, signal);
}

/// The process, and its standard output and error. Must be called on the io thread, whose runtime watches it.
fn adopt(launched: Launched) -> io::Result<(Process, Option<Reader>, Option<Reader>)> {
    let pidfd = Arc::new(crate::sys::watch_readable(launched.pidfd().try_clone()?)?);
    let mut child = launched.take_over().ok_or(io::ErrorKind::NotFound)?;
    let read = |pipe: Option<OwnedFd>| -> io::Result<Option<Reader>> {
        let pipe = pipe.map(pipe::Receiver::from_owned_fd).transpose()?;
        Ok(pipe.map(|pipe| Box::new(BufReader::new(pipe)) as Reader))
    };
    let (stdout, stderr) = (
        child.stdout.take().map(OwnedFd::from),
        child.stderr.take().map(OwnedFd::from),
    );
    let pid = child.id();
    let (report, exit) = watch::channel(None);
    tokio::spawn(reap(child, Arc::clone(&pidfd), report));
    let process = Process::new(pid, Handle::Pidfd(pidfd), exit);
    Ok((process, read(stdout)?, read(stderr)?))
}

/// A pidfd becomes readable when its process ends. No SIGCHLD: that signal is Node's.
async fn reap(mut child: Child, pidfd: Arc<AsyncFd<OwnedFd>>, report: Report) {
    let exit = match pidfd.readable().await {
        Ok(_) => child.wait().map_or(Exit::Unknown, Exit::from),
        Err(_) => Exit::Unknown,
    };
    report.send_replace(Some((exit, Instant::now())));
}

/// What one process needs: its configuration text, the socket to serve, and where to say that it does.
#[derive(Debug)]
struct Launch {
    programs: Programs,
    configuration: String,
    listener: UnixListener,
    control: OwnedFd,
    /// Where the backing server listens.
    backing: Arc<PrivateSocket>,
}

/// A child and the descriptor that names it for as long as it is open, whatever becomes of its number.
///
/// Dropped before somebody has taken the child over, it ends it: its start may have been given up in the meantime.
#[derive(Debug)]
struct Launched {
    child: Option<Child>,
    pidfd: OwnedFd,
}

impl Launched {
    fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// The child, for whoever ends and reaps it from now on.
    fn take_over(mut self) -> Option<Child> {
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
fn launch(launch: &Launch) -> io::Result<Launched> {
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

    let programs = &launch.programs;
    let mut child = programs
        .command(&programs.launcher)
        .arg(std::process::id().to_string())
        .arg(programs.jail.argument())
        .arg(&programs.workerd)
        .arg("serve")
        .arg(format!("--socket-fd={SOCKET}={{fd:1}}"))
        .arg("--control-fd={fd:2}")
        // Its number is its name where the launcher leaves it, and the only kind of name that the jail can be connected by.
        .arg(format!("--external-addr={BACKING}=unix:{{fd:3}}"))
        .args(["/proc/self/fd/{fd:0}", "config"])
        .stdin(theirs)
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
