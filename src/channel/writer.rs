//! What the host says on the WebSocket: one frame a message, in the order in which they come.
//!
//! Any thread may write. The frames are tungstenite's, but for their mask: it is zero, so that neither end has to work
//! on each byte. A mask keeps a browser's page from choosing the bytes that a proxy sees; here is neither.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::budget::Budget;
use crate::workerd::Connection;

/// Frames that go out in one system call; the kernel takes 1024 pieces.
const MAX_BATCH: usize = 64;

/// How soon it is tried again where the wait for room fails.
const AGAIN: Duration = Duration::from_millis(10);

/// 2 bytes, 8 for the length, 4 for the mask (RFC 6455, 5.2).
const MAX_HEADER: usize = 14;

#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    queue: Mutex<Queue>,
    /// There is something to write, or nothing will be any more.
    changed: Notify,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Outgoing>,
    is_closed: bool,
}

#[derive(Debug)]
struct Outgoing {
    header: [u8; MAX_HEADER],
    header_length: usize,
    text: String,
    /// Of header and text together.
    written: usize,
}

impl Writer {
    pub(super) fn new(connection: Connection, budget: Arc<Budget>) -> Arc<Self> {
        let writer = Arc::new(Self {
            connection,
            queue: Mutex::default(),
            changed: Notify::new(),
            budget,
        });
        tokio::spawn(pump(Arc::clone(&writer)));
        writer
    }

    /// Queues a frame: all that gathers until the io thread comes to it goes out at once.
    pub(super) fn send(&self, text: String) {
        let queue = self.lock();
        if !queue.is_closed {
            self.enqueue(queue, Outgoing::new(text));
        }
    }

    /// Writes a frame now, unless others wait or the socket is full: then it is queued.
    pub(super) fn send_now(&self, text: String) {
        // Whoever holds it is writing what comes before.
        let Ok(queue) = self.queue.try_lock() else {
            return self.send(text);
        };
        if queue.is_closed {
            return;
        }
        let mut frame = Outgoing::new(text);
        if queue.frames.is_empty() {
            // What is wrong with the connection is for who reads from it to tell.
            frame.written = self.connection.try_write_vectored(&frame.rest()).unwrap_or(0);
            if frame.written == frame.length() {
                return;
            }
        }
        self.enqueue(queue, frame);
    }

    fn enqueue(&self, mut queue: MutexGuard<'_, Queue>, frame: Outgoing) {
        self.budget.take(frame.text.len());
        queue.frames.push_back(frame);
        drop(queue);
        self.changed.notify_one();
    }

    /// Nothing is written any more; the guest sees the end of the connection when nobody reads from it either.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.is_closed = true;
        let unsent = queue.frames.drain(..).map(|frame| frame.text.len()).sum();
        drop(queue);
        // What reads for the plugin waits for room, and must hear that the connection is over.
        self.budget.give_back(unsent);
        self.changed.notify_one();
    }

    /// Whether all is written that there was.
    fn write_queued(&self) -> io::Result<bool> {
        let mut queue = self.lock();
        while !queue.frames.is_empty() {
            let written = {
                let pieces: Vec<_> = queue
                    .frames
                    .iter()
                    .take(MAX_BATCH)
                    .flat_map(Outgoing::rest)
                    .collect();
                match self.connection.try_write_vectored(&pieces) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    written => written?,
                }
            };
            self.budget.give_back(queue.advance(written));
        }
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The length of the texts that are out.
    fn advance(&mut self, mut written: usize) -> usize {
        let mut texts = 0;
        while let Some(first) = self.frames.front_mut() {
            let rest = first.length() - first.written;
            if written < rest {
                first.written += written;
                break;
            }
            written -= rest;
            texts += first.text.len();
            self.frames.pop_front();
        }
        texts
    }
}

impl Outgoing {
    fn new(text: String) -> Self {
        let header = FrameHeader {
            is_final: true,
            opcode: OpCode::Data(Data::Text),
            mask: Some([0; 4]),
            ..FrameHeader::default()
        };
        let mut bytes = [0; MAX_HEADER];
        let mut rest = &mut bytes[..];
        // It is as long as the longest: writing can't fail.
        let _ = header.format(text.len() as u64, &mut rest);
        let header_length = MAX_HEADER - rest.len();
        Self {
            header: bytes,
            header_length,
            text,
            written: 0,
        }
    }

    fn length(&self) -> usize {
        self.header_length + self.text.len()
    }

    /// What is left to write.
    fn rest(&self) -> [IoSlice<'_>; 2] {
        let header = &self.header[self.header_length.min(self.written)..self.header_length];
        let text = &self.text.as_bytes()[self.written.saturating_sub(self.header_length)..];
        [IoSlice::new(header), IoSlice::new(text)]
    }
}

/// Writes what is queued, as the socket takes it, until the connection is over: the reader sees that too, and tells it.
async fn pump(writer: Arc<Writer>) {
    while !writer.lock().is_closed {
        match writer.write_queued() {
            Ok(true) => writer.changed.notified().await,
            // What is added meanwhile waits for the same room; the end does not.
            Ok(false) => tokio::select! {
                // A system that has no descriptor left for the wait may have one soon; a broken connection the next write tells.
                writable = writer.connection.writable() => if writable.is_err() {
                    tokio::time::sleep(AGAIN).await;
                },
                () = writer.changed.notified() => {}
            },
            Err(_) => writer.close(),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
impl Writer {
    /// One, and the guest's end.
    fn pair() -> (Arc<Self>, tokio::net::UnixStream) {
        use tokio::net::UnixStream;
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Self::new(ours.into(), Arc::default()), theirs)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    use super::*;

    /// The texts of so many frames, in order, as RFC 6455 (5.2) has them.
    async fn read(stream: &mut UnixStream, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            assert_eq!(stream.read_u8().await.unwrap(), 0x81, "one whole text message");
            let length = match stream.read_u8().await.unwrap() & 0x7f {
                126 => u64::from(stream.read_u16().await.unwrap()),
                127 => stream.read_u64().await.unwrap(),
                length => u64::from(length),
            };
            assert_eq!(stream.read_u32().await.unwrap(), 0, "a mask that changes nothing");
            let mut text = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut text).await.unwrap();
            texts.push(String::from_utf8(text).unwrap());
        }
        texts
    }

    fn text(length: usize) -> String {
        "é".repeat(length / 2)
    }

    #[tokio::test]
    async fn frames_of_every_length_arrive_in_order_also_when_the_socket_is_full() {
        let (writer, mut guest) = Writer::pair();
        let texts: Vec<_> = [0, 2, 124, 126, 128, 65_534, 65_536, 900_000, 4, 900_000]
            .map(text)
            .into();
        texts.iter().cloned().for_each(|text| writer.send(text));
        assert_eq!(read(&mut guest, texts.len()).await, texts);
        assert!(
            writer.budget.has_room() && writer.budget.takes(usize::MAX),
            "nothing waits"
        );
    }

    #[tokio::test]
    async fn what_is_written_now_overtakes_nothing_and_is_finished_later_where_the_socket_fills_up() {
        let (writer, mut guest) = Writer::pair();
        writer.send(text(10));
        writer.send_now(text(20));
        assert_eq!(writer.lock().frames.len(), 2, "one waits, and so does the next");
        assert_eq!(read(&mut guest, 2).await, [text(10), text(20)]);
        while !writer.lock().frames.is_empty() {
            tokio::task::yield_now().await;
        }
        writer.send_now(text(30));
        assert!(writer.lock().frames.is_empty(), "it is out");
        writer.send_now(text(900_000));
        writer.send_now(text(40));
        assert_eq!(writer.lock().frames.len(), 2, "one is under way");
        assert_eq!(read(&mut guest, 3).await, [text(30), text(900_000), text(40)]);
    }

    #[tokio::test]
    async fn the_guest_sees_the_end_and_nothing_is_taken_afterwards() {
        let (writer, mut guest) = Writer::pair();
        writer.close();
        writer.send_now(text(20));
        writer.send(text(20));
        assert!(writer.lock().frames.is_empty());
        drop(writer);
        assert_eq!(guest.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
