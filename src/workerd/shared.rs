//! A Unix socket that the io thread and JavaScript's thread share. Either may read and write; what arrives wakes one of
//! them.
//!
//! tokio's own sockets wake the io thread for each arrival, and also each time that the other end has read something. So
//! this one is on the io thread's list only while that is the one who listens, or while a write waits for room.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;
use tokio::io::unix::AsyncFd;

use super::ear::Ear;
use crate::{sys, visit};

#[derive(Debug)]
pub(super) struct SharedSocket {
    stream: UnixStream,
    ear: Option<(Arc<Ear>, u32)>,
    /// While the io thread listens.
    watched: Mutex<Option<AsyncFd<OwnedFd>>>,
}

impl SharedSocket {
    /// At first the io thread listens.
    pub(super) fn new(stream: UnixStream, ear: Option<(Arc<Ear>, u32)>) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let watched = Mutex::new(Some(sys::watch_readable(stream.as_fd().try_clone_to_owned()?)?));
        Ok(Self { stream, ear, watched })
    }

    /// Whether JavaScript's thread is to listen from now on, if it can. Must be called within the runtime, and before the
    /// next read.
    pub(super) fn is_heard_by_visits(&self, wanted: bool) {
        let Some((ear, plugin)) = &self.ear else { return };
        let mut watched = self.lock();
        if wanted && watched.is_some() {
            // Without, nothing is lost but time.
            if ear.add(self.stream.as_fd(), *plugin).is_ok() {
                *watched = None;
            }
        } else if !wanted && watched.is_none() {
            let descriptor = self.stream.as_fd().try_clone_to_owned();
            // The same: a system without room for one more.
            if let Ok(now) = descriptor.and_then(sys::watch_readable) {
                ear.remove(self.stream.as_fd());
                *watched = Some(now);
            }
        }
    }

    pub(super) fn poll_read(&self, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let watched = self.lock();
        let Some(watched) = &*watched else {
            if visit::hears_nothing() {
                return Poll::Pending;
            }
            return match self.read(buf) {
                // Whoever listens hears the rest.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                read => Poll::Ready(read),
            };
        };
        loop {
            let mut guard = ready!(watched.poll_read_ready(context))?;
            match self.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                read => return Poll::Ready(read),
            }
        }
    }

    pub(super) fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        (&self.stream).write_vectored(pieces)
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        let watched = sys::watch_writable(self.stream.as_fd().try_clone_to_owned()?)?;
        watched.writable().await.map(drop)
    }

    fn read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let room = buf.initialize_unfilled();
        let (most, read) = (room.len(), (&self.stream).read(room)?);
        buf.advance(read);
        // At the end, too, there is less; but that is said each time.
        if (1..most).contains(&read) {
            visit::has_read_all();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<AsyncFd<OwnedFd>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SharedSocket {
    /// A descriptor of the same socket may be the io thread's for a moment longer.
    fn drop(&mut self) {
        if let Some((ear, _)) = &self.ear {
            ear.remove(self.stream.as_fd());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    const PLUGIN: u32 = 7;

    fn pair() -> (Arc<SharedSocket>, Arc<Ear>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let ear = Arc::new(Ear::new().unwrap());
        let socket = SharedSocket::new(ours, Some((Arc::clone(&ear), PLUGIN))).unwrap();
        (Arc::new(socket), ear, theirs)
    }

    async fn read(socket: &SharedSocket) -> Vec<u8> {
        let mut bytes = [0; 64];
        let mut buf = ReadBuf::new(&mut bytes);
        poll_fn(|context| socket.poll_read(context, &mut buf))
            .await
            .unwrap();
        buf.filled().to_vec()
    }

    /// What a visitor reads who has been told to, or `None` when there was nothing.
    fn visit(socket: &SharedSocket) -> Option<Vec<u8>> {
        use futures_util::FutureExt;
        visit::make(true, || read(socket).now_or_never())
    }

    /// Whether the ear can be read within this time, as an event loop asks.
    fn is_heard(ear: &Ear, within: Duration) -> bool {
        let within = Timespec::try_from(within).unwrap();
        poll(&mut [PollFd::new(ear, PollFlags::IN)], Some(&within)).unwrap() > 0
    }

    const AT_ONCE: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_io_thread_hears_at_first_and_visitors_when_they_are_to() {
        let (socket, ear, mut guest) = pair();
        guest.write_all(b"one").unwrap();
        assert!(!is_heard(&ear, AT_ONCE));
        assert_eq!(read(&socket).await, b"one");

        guest.write_all(b"two").unwrap();
        socket.is_heard_by_visits(true);
        assert!(is_heard(&ear, AT_ONCE), "also what was there before");
        assert_eq!(ear.heard(), [PLUGIN]);
        assert!(!is_heard(&ear, AT_ONCE), "it is told of once");
        assert_eq!(visit(&socket).unwrap(), b"two");
        assert_eq!(visit(&socket), None);

        guest.write_all(b"three").unwrap();
        socket.is_heard_by_visits(false);
        assert!(!is_heard(&ear, AT_ONCE));
        assert_eq!(read(&socket).await, b"three");
    }

    #[tokio::test]
    async fn whoever_comes_by_for_something_else_does_not_ask_the_socket() {
        let (socket, ear, mut guest) = pair();
        socket.is_heard_by_visits(true);
        guest.write_all(b"unheard").unwrap();
        use futures_util::FutureExt;
        assert!(visit::make(false, || read(&socket).now_or_never()).is_none());
        assert!(is_heard(&ear, AT_ONCE));
        assert_eq!(
            read(&socket).await,
            b"unheard",
            "the io thread asks, whoever listens"
        );
    }

    #[tokio::test]
    async fn the_end_is_heard_by_either() {
        for by_visits in [false, true] {
            let (socket, ear, guest) = pair();
            socket.is_heard_by_visits(by_visits);
            drop(guest);
            if by_visits {
                assert!(is_heard(&ear, LONG));
                assert_eq!(visit(&socket).unwrap(), b"");
            }
            assert_eq!(read(&socket).await, b"");
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_however_often_the_listener_changes() {
        const FRAMES: u32 = 20_000;
        let (socket, ear, mut guest) = pair();
        let sender = std::thread::spawn(move || {
            for frame in 0..FRAMES {
                guest.write_all(&frame.to_be_bytes()).unwrap();
                if frame % 5 == 0 {
                    std::thread::yield_now();
                }
            }
        });
        let mut bytes = Vec::new();
        for turn in 0.. {
            let by_visits = turn % 3 != 0;
            socket.is_heard_by_visits(by_visits);
            if !by_visits {
                bytes.extend(read(&socket).await);
            } else {
                assert!(
                    is_heard(&ear, LONG),
                    "nobody heard what came after {} bytes",
                    bytes.len()
                );
                ear.heard();
                while let Some(more) = visit(&socket).filter(|more| !more.is_empty()) {
                    bytes.extend(more);
                }
            }
            if bytes.len() == 4 * FRAMES as usize {
                break;
            }
        }
        sender.join().unwrap();
        let frames = bytes
            .chunks(4)
            .map(|frame| u32::from_be_bytes(frame.try_into().unwrap()));
        assert!(frames.eq(0..FRAMES));
    }

    #[tokio::test]
    async fn a_full_socket_has_room_again_when_the_other_end_has_read() {
        let (socket, _ear, mut guest) = pair();
        let piece = [7; 64 * 1024];
        let mut written = 0;
        let full = loop {
            match socket.try_write_vectored(&[IoSlice::new(&piece)]) {
                Ok(more) => written += more,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let reader = std::thread::spawn(move || {
            guest.read_exact(&mut vec![0; written]).unwrap();
            guest
        });
        socket.writable().await.unwrap();
        socket.try_write_vectored(&[IoSlice::new(b"more")]).unwrap();
        drop(reader.join().unwrap());
        socket.writable().await.unwrap();
        assert!(socket.try_write_vectored(&[IoSlice::new(b"late")]).is_err());
    }

    #[tokio::test]
    async fn one_that_is_gone_is_not_heard() {
        let (socket, ear, mut guest) = pair();
        socket.is_heard_by_visits(true);
        socket.is_heard_by_visits(false);
        socket.is_heard_by_visits(true);
        guest.write_all(b"late").unwrap();
        drop(socket);
        assert!(!is_heard(&ear, AT_ONCE));
    }
}
