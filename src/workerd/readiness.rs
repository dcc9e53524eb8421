//! When a process is ready: workerd writes a line of JSON to its control descriptor for each socket that it serves.

use std::io;
use std::os::fd::OwnedFd;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

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

/// Resolves when workerd listens on its socket; fails when the descriptor closes before.
pub(crate) async fn listening(control: OwnedFd) -> io::Result<()> {
    let mut lines = BufReader::new(pipe::Receiver::from_owned_fd(control)?.take(MAX_CONTROL_BYTES)).lines();
    while let Some(line) = lines.next_line().await? {
        // A line that is not of this form says something that we did not ask.
        if let Ok(ControlMessage::Listen { socket }) = serde_json::from_str(&line)
            && socket == super::config::SOCKET
        {
            return Ok(());
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
