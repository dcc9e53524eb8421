//! When a process is ready: workerd writes a line of JSON to its control descriptor for each socket that it serves. Before
//! it, the launcher has written there which layers of the jail it could not put up.

use std::io;
use std::os::fd::OwnedFd;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use crate::jail::{Jail, Loss};

/// More than workerd ever writes there. A process that says more is not workerd.
const MAX_CONTROL_BYTES: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum ControlMessage {
    Listen {
        socket: String,
    },
    #[serde(other)]
    Other,
}

/// The pipe's end that is ours, and the one to hand over.
pub(super) fn control_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// Resolves when workerd listens on its socket; fails when the descriptor closes before. What the launcher said of the jail
/// is remembered by it, and `say` is told what of it is news.
pub(crate) async fn listening(control: OwnedFd, jail: &Jail, say: impl FnOnce(String)) -> io::Result<()> {
    let mut lines = BufReader::new(pipe::Receiver::from_owned_fd(control)?.take(MAX_CONTROL_BYTES)).lines();
    let (mut lost, mut is_listening) = (Vec::new(), false);
    while !is_listening && let Some(line) = lines.next_line().await? {
        lost.extend(Loss::parse(&line));
        // A line that is not of this form says something that we did not ask.
        is_listening = matches!(
            serde_json::from_str(&line),
            Ok(ControlMessage::Listen { socket }) if socket == super::config::SOCKET
        );
    }
    // A process that ended before it said anything says nothing of the jail either.
    if (is_listening || !lost.is_empty())
        && let Some(missing) = jail.came_to(lost)
    {
        say(missing);
    }
    match is_listening {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
