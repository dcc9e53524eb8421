//! When a process is ready: workerd says a line of JSON for each socket that it serves, on its control descriptor.
//!
//! That is a pipe of its own where descriptors can be handed over; before workerd, the launcher has written there which
//! layers of the jail it could not put up. Where they can't it is standard output, on which a plugin prints, also before
//! workerd listens: there the socket's name is a secret, so that no plugin can tell the host of a port.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

use serde::Deserialize;
#[cfg(target_os = "linux")]
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
#[cfg(target_os = "linux")]
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::door::Door;
use super::loopback::{Keys, Loopback};
#[cfg(target_os = "linux")]
use super::socket::PrivateSocket;
use crate::jail::Jail;
#[cfg(target_os = "linux")]
use crate::jail::Loss;
use crate::token::Secret;

/// More than workerd ever writes there. A process that says more is not workerd.
#[cfg(target_os = "linux")]
const MAX_CONTROL_BYTES: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum ControlMessage {
    Listen {
        socket: String,
        port: Option<u16>,
    },
    #[serde(other)]
    Other,
}

/// A process that has been started and does not listen yet.
#[derive(Debug)]
pub(crate) enum Opening {
    #[cfg(target_os = "linux")]
    Handed { control: OwnedFd, socket: PrivateSocket },
    Announced {
        port: oneshot::Receiver<u16>,
        keys: Keys,
    },
}

impl Opening {
    /// Resolves when workerd listens; fails when it can't any more. `say` is told what is news of the jail.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(unused_variables, reason = "there is no jail")
    )]
    pub(crate) async fn listening(self, jail: &Jail, say: impl FnOnce(String)) -> io::Result<Door> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Handed { control, socket } => {
                listening(control, jail, say).await.map(|()| Door::Unix(socket))
            }
            Self::Announced { port, keys } => match port.await {
                Ok(port) => Ok(Door::Tcp(Loopback::new(port, keys))),
                Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        }
    }
}

/// The pipe's end that is ours, and the one to hand over.
#[cfg(target_os = "linux")]
pub(super) fn control_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// Resolves when workerd listens on its socket; fails when the descriptor closes before. What the launcher said of the jail
/// is remembered by it, and `say` is told what of it is news.
#[cfg(target_os = "linux")]
async fn listening(control: OwnedFd, jail: &Jail, say: impl FnOnce(String)) -> io::Result<()> {
    let mut lines = BufReader::new(pipe::Receiver::from_owned_fd(control)?.take(MAX_CONTROL_BYTES)).lines();
    let (mut lost, mut is_listening) = (Vec::new(), false);
    while !is_listening && let Some(line) = lines.next_line().await? {
        lost.extend(Loss::parse(&line));
        // A line that is not of this form says something that we did not ask.
        is_listening = matches!(
            serde_json::from_str(&line),
            Ok(ControlMessage::Listen { socket, .. }) if socket == super::config::SOCKET
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

/// Waits for the line that tells the port, among whatever else is said.
#[derive(Debug)]
pub(super) struct Announcement {
    socket: Secret,
    port: oneshot::Sender<u16>,
}

impl Announcement {
    /// What tells, and what will be told.
    pub(super) fn awaited(socket: Secret) -> (Self, oneshot::Receiver<u16>) {
        let (port, told) = oneshot::channel();
        (Self { socket, port }, told)
    }

    /// Whether this line is it. It is made once.
    pub(super) fn is_in(this: &mut Option<Self>, line: &[u8]) -> bool {
        let Some(Self { socket, .. }) = this else {
            return false;
        };
        let port = match serde_json::from_slice(line) {
            Ok(ControlMessage::Listen {
                socket: named,
                port: Some(port),
            }) if socket.is(named.as_bytes()) => port,
            _ => return false,
        };
        if let Some(Self { port: told, .. }) = this.take() {
            // The start may have been given up.
            let _ = told.send(port);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_line_with_the_secret_tells_a_port_and_only_once() {
        let socket = Secret::generate().unwrap();
        let line = |socket: &str| format!(r#"{{"event":"listen","socket":"{socket}","port":7}}"#);
        let real = line(socket.expose());
        let (announcement, mut told) = Announcement::awaited(socket);
        let mut awaited = Some(announcement);
        for forged in [
            line("entry"),
            line(""),
            line("*"),
            String::new(),
            "hello".into(),
            real.replace("\"port\":7", "\"port\":70000"),
            real.replace(",\"port\":7", ""),
            real.replace("listen", "listen-inspector"),
            format!("{real}{real}"),
        ] {
            assert!(!Announcement::is_in(&mut awaited, forged.as_bytes()), "{forged}");
        }
        assert!(
            told.try_recv().is_err(),
            "a plugin has directed the host to a port"
        );
        assert!(Announcement::is_in(&mut awaited, real.as_bytes()));
        assert_eq!(told.await.unwrap(), 7);
        assert!(!Announcement::is_in(&mut awaited, real.as_bytes()));
    }
}
