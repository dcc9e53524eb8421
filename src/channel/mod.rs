//! The channel to one plugin's process: a WebSocket to where it listens, with a lane beside it for large frames.

mod body;
mod budget;
mod files;
pub(crate) mod frame;
mod lane;
mod open;
mod reasons;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::BufReader;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

pub(crate) use self::body::{BodyError, whole};
use self::budget::Budget;
pub(crate) use self::files::{Files, Room};
use self::lane::MAX_FRAME_BYTES;
pub(crate) use self::lane::MAX_LARGE_FRAME_BYTES;
pub(crate) use self::reasons::Reasons;
pub(crate) use self::writer::Writer;
use crate::egress::{Grant, Share};
use crate::visit;
use crate::workerd::{Connection, Door};

/// What came by the backing server and waits to be handled. When it is this much, whoever brings more has to wait.
const INBOX_FRAMES: usize = 64;

/// The host's end. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: WebSocketStream<BufReader<Connection>>,
    writer: Arc<Writer>,
    inbox: mpsc::Receiver<Received>,
    delivery: Delivery,
    budget: Arc<Budget>,
    /// Large frames go one at a time.
    lane: Arc<Mutex<()>>,
    door: Arc<Door>,
    files: Arc<Files>,
    last_stored: AtomicU64,
}

/// What came over the channel.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(Text),
    /// An invocation wants to fetch.
    Fetch(FetchAsk),
    /// The connection is over, or the guest broke the protocol: nothing follows.
    Closed(ChannelError),
}

/// Whether an invocation may fetch, and until when. The request itself waits with the backing server.
#[derive(Debug)]
pub(crate) struct FetchAsk {
    pub(crate) invocation: u64,
    /// A refusal is a sentence for the plugin.
    pub(crate) reply: oneshot::Sender<Result<Grant, String>>,
}

/// A frame's text, as it came over either lane.
#[derive(Debug)]
pub(crate) enum Text {
    Message(Utf8Bytes),
    Large(String),
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Message(text) => text.as_str(),
            Self::Large(text) => text,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    #[error("its process can't be reached: {0}")]
    Connect(#[from] std::io::Error),
    #[error("its channel can't be opened: {0}")]
    Handshake(#[source] Box<tungstenite::Error>),
    #[error("another process answers at its port")]
    Stranger,
    #[error("its channel closed")]
    Closed,
    #[error("it sent {0}")]
    Protocol(#[from] frame::FrameError),
    #[error("it took no large frame: {0}")]
    Lane(#[from] lane::LaneError),
}

/// The way into a channel for frames that come from the backing server.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    received: mpsc::Sender<Received>,
    turns: Arc<Semaphore>,
    reasons: Arc<Reasons>,
    share: Share,
}

impl Delivery {
    /// The way in, and where its frames come out.
    pub(crate) fn new(share: Share) -> (Self, mpsc::Receiver<Received>) {
        let (received, inbox) = mpsc::channel(INBOX_FRAMES);
        let delivery = Self {
            received,
            turns: Arc::new(Semaphore::new(1)),
            reasons: Arc::default(),
            share,
        };
        (delivery, inbox)
    }

    /// Why fetches failed whose answers can no longer say so.
    pub(crate) fn reasons(&self) -> &Arc<Reasons> {
        &self.reasons
    }

    /// What this process may take of the way out.
    pub(crate) fn share(&self) -> &Share {
        &self.share
    }

    /// What lets this invocation fetch.
    ///
    /// # Errors
    /// A sentence for the plugin.
    pub(crate) async fn ask_to_fetch(&self, invocation: u64) -> Result<Grant, String> {
        let (reply, answer) = oneshot::channel();
        let asked = self
            .received
            .send(Received::Fetch(FetchAsk { invocation, reply }))
            .await;
        let answer = match asked {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        // Its process has ended, or is about to.
        answer.unwrap_or_else(|| Err("the plugin is being stopped".into()))
    }

    /// To be held while a frame is read and delivered; `None` while another one is.
    pub(crate) fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.try_acquire().ok()
    }

    pub(crate) async fn deliver(&self, frame: String) {
        // Nobody is left to hear it when its process has ended.
        let _ = self.received.send(Received::Frame(Text::Large(frame))).await;
    }
}

impl Channel {
    /// What waits for the guest to read it.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// For frames that come another way than the WebSocket.
    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery.clone()
    }

    /// The channel over this connection. `share` is what the plugin may take of the way out.
    fn over(stream: WebSocketStream<BufReader<Connection>>, door: Arc<Door>, share: Share) -> Self {
        let (delivery, inbox) = Delivery::new(share);
        let budget = Arc::new(Budget::default());
        let writer = Writer::new(stream.get_ref().get_ref().clone(), Arc::clone(&budget));
        Self {
            stream,
            writer,
            inbox,
            delivery,
            budget,
            lane: Arc::default(),
            files: Arc::new(Files::new(Arc::clone(&door))),
            door,
            last_stored: AtomicU64::new(0),
        }
    }

    /// Whether JavaScript's thread is to read what comes on the WebSocket, from before the next [`Channel::receive`] on.
    pub(crate) fn is_read_by_visits(&self, wanted: bool) {
        self.stream.get_ref().get_ref().is_heard_by_visits(wanted);
    }

    /// The files that are on their way.
    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// Sends bytes, and then the frame that names them. `room` is theirs until the guest has them.
    pub(crate) fn send_with_bytes(&self, frame: String, call: u64, bytes: Bytes, room: Option<Room>) {
        self.send_over_lane(format!("/bytes/{call}"), bytes, frame, room);
    }

    /// Never waits. What can't be sent any more is dropped: its answer could not come either.
    pub(crate) fn send(&self, frame: String) {
        if frame.len() <= MAX_FRAME_BYTES {
            // To wake the io thread for it would take longer.
            return match visit::is_on() {
                true => self.writer.send_now(frame),
                false => self.writer.send(frame),
            };
        }
        let number = self.last_stored.fetch_add(1, Ordering::Relaxed);
        self.send_over_lane(
            format!("/frames/{number}"),
            frame.into(),
            frame::stored(number),
            None,
        );
    }

    /// Leaves `body` with the guest, and then sends the frame that tells it so.
    fn send_over_lane(&self, path: String, body: Bytes, notice: String, room: Option<Room>) {
        let bytes = body.len();
        self.budget.take(bytes);
        let (door, writer) = (Arc::clone(&self.door), Arc::clone(&self.writer));
        let (lane, budget) = (Arc::clone(&self.lane), Arc::clone(&self.budget));
        let received = self.delivery.received.clone();
        tokio::spawn(async move {
            let taken = {
                let _turn = lane.lock().await;
                lane::put(&door, path, body).await
            };
            budget.give_back(bytes);
            drop(room);
            // Nobody hears either when the process has ended.
            match taken {
                Ok(()) => writer.send(notice),
                Err(error) => drop(received.send(Received::Closed(error.into())).await),
            }
        });
    }

    /// Cancel-safe.
    pub(crate) async fn receive(&mut self) -> Received {
        let frame_or_end = tokio::select! {
            // Never `None`: we have a way in ourselves.
            Some(received) = self.inbox.recv() => return received,
            message = self.stream.next() => message,
        };
        match frame_or_end {
            Some(Ok(Message::Text(text))) => Received::Frame(Text::Message(text)),
            // workerd sends nothing else, and an answer to a ping would not pass through the writer.
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {
                Received::Closed(frame::FrameError.into())
            }
            _ => Received::Closed(ChannelError::Closed),
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.writer.close();
    }
}
