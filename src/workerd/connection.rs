//! A connection to a plugin's process or from it, whichever way it came about, shared by who reads and who writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(target_os = "linux")]
use tokio::net::UnixStream;

use super::ear::Ear;
use super::loopback::LoopbackStream;
#[cfg(target_os = "linux")]
use super::shared::SharedSocket;

/// Its end is that of its last owner. tokio's own halves lock, or can't be written to from a thread that has no runtime;
/// a socket needs neither.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Socket>);

#[derive(Debug)]
enum Socket {
    #[cfg(target_os = "linux")]
    Unix(UnixStream),
    #[cfg(target_os = "linux")]
    Shared(SharedSocket),
    Tcp(LoopbackStream),
}

/// All kinds have the same methods, and no trait for them.
macro_rules! of_either {
    ($connection:expr, $stream:ident => $what:expr) => {
        match &*$connection.0 {
            #[cfg(target_os = "linux")]
            Socket::Unix($stream) => $what,
            #[cfg(target_os = "linux")]
            Socket::Shared($stream) => $what,
            Socket::Tcp($stream) => $what,
        }
    };
}

impl Connection {
    /// The same connection, that JavaScript's thread may listen to by this number where the system lets it.
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables))]
    pub(crate) fn share(&self, ear: Option<&(Arc<Ear>, u32)>) -> io::Result<Self> {
        match &*self.0 {
            #[cfg(target_os = "linux")]
            Socket::Unix(stream) => {
                let stream = std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()?;
                let shared = SharedSocket::new(stream.into(), ear.cloned())?;
                Ok(Self(Arc::new(Socket::Shared(shared))))
            }
            _ => Ok(self.clone()),
        }
    }

    /// Whether JavaScript's thread is to listen, from before the next read on. The io thread does at first.
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables))]
    pub(crate) fn is_heard_by_visits(&self, wanted: bool) {
        #[cfg(target_os = "linux")]
        if let Socket::Shared(shared) = &*self.0 {
            shared.is_heard_by_visits(wanted);
        }
    }

    /// Resolves when there is room to write, or nothing can be written any more.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        of_either!(self, stream => stream.writable().await)
    }

    /// Any thread may write.
    pub(crate) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        of_either!(self, stream => stream.try_write_vectored(pieces))
    }
}

#[cfg(target_os = "linux")]
impl From<UnixStream> for Connection {
    fn from(stream: UnixStream) -> Self {
        Self(Arc::new(Socket::Unix(stream)))
    }
}

impl From<LoopbackStream> for Connection {
    fn from(stream: LoopbackStream) -> Self {
        Self(Arc::new(Socket::Tcp(stream)))
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        macro_rules! read {
            ($stream:ident) => {
                loop {
                    ready!($stream.poll_read_ready(cx))?;
                    match $stream.try_read_buf(buf) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        read => return Poll::Ready(read.map(|_| ())),
                    }
                }
            };
        }
        match &*self.0 {
            #[cfg(target_os = "linux")]
            Socket::Unix(stream) => read!(stream),
            #[cfg(target_os = "linux")]
            Socket::Shared(stream) => stream.poll_read(cx, buf),
            Socket::Tcp(stream) => read!(stream),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            match &*self.0 {
                #[cfg(target_os = "linux")]
                Socket::Unix(stream) => ready!(stream.poll_write_ready(cx))?,
                // The writer waits by `writable`. What tungstenite has to say by itself may get lost: it is the last thing.
                #[cfg(target_os = "linux")]
                Socket::Shared(_) => return Poll::Ready(self.try_write_vectored(pieces)),
                Socket::Tcp(stream) => ready!(stream.poll_write_ready(cx))?,
            }
            match self.try_write_vectored(pieces) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// So hyper need not copy a body behind its head.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// It ends when nobody has it any more.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
