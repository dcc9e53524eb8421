//! Bodies on their way: what a request and a response may carry, cut while they stream.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderMap};
use tokio::io::{AsyncBufReadExt, AsyncRead};
use tokio::time::Instant;
use tokio_util::io::{ReaderStream, StreamReader};

use super::error::{FetchError, chain};

pub(crate) type BoxBody = UnsyncBoxBody<Bytes, io::Error>;

/// What a plugin sends.
#[derive(Debug)]
pub(crate) enum Source {
    None,
    /// Can be sent again when a redirect asks for it.
    Whole(Bytes),
    /// Passes through; once.
    Stream(BoxBody),
}

/// What of a body the decoder gives at once.
const CHUNK: usize = 32 * 1024;

/// What of a body that is held is sent at once: a slow line of 100 kbit/s takes 5 s for it.
const PIECE: usize = 64 * 1024;

/// Codings of one body. Nobody means more than one; a chain of them is a way to make the reader work, and each may hold
/// 16 MiB.
const MAX_CODINGS: usize = 2;

/// How far a request's body has come, for whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Instant,
    fault: Option<FetchError>,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            last: Instant::now(),
            fault: None,
        })))
    }

    /// When the last piece went.
    pub(super) fn last(&self) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Why the body ended early.
    pub(super) fn fault(&self) -> Option<FetchError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fault
            .clone()
    }

    fn beat(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last = Instant::now();
    }

    fn fail(&self, fault: FetchError) -> io::Error {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(fault.clone());
        io::Error::other(fault)
    }
}

impl Source {
    /// The body of one hop, and what its length is known to be. A stream is given once.
    pub(super) fn take(&mut self, cap: usize, progress: &Arc<Progress>) -> Option<(BoxBody, Option<u64>)> {
        match self {
            Self::None => None,
            Self::Whole(bytes) => {
                let length = bytes.len() as u64;
                let body = in_pieces(bytes.clone());
                Some((metered(body, cap, Arc::clone(progress)), Some(length)))
            }
            Self::Stream(_) => {
                let Self::Stream(body) = std::mem::replace(self, Self::None) else {
                    return None;
                };
                let length = body.size_hint().exact();
                Some((metered(body, cap, Arc::clone(progress)), length))
            }
        }
    }
}

/// Whoever waits for the answer sees how far it has come.
fn in_pieces(mut bytes: Bytes) -> BoxBody {
    let pieces = std::iter::from_fn(move || {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        (!piece.is_empty()).then(|| Ok(Frame::data(piece)))
    });
    StreamBody::new(stream::iter(pieces)).boxed_unsync()
}

fn metered(body: BoxBody, cap: usize, progress: Arc<Progress>) -> BoxBody {
    let stream = stream::try_unfold((body, 0_usize), move |(mut body, mut sent)| {
        let progress = Arc::clone(&progress);
        async move {
            loop {
                let data = match body.frame().await {
                    None => return Ok(None),
                    Some(Err(_)) => return Err(progress.fail(FetchError::BodyLost)),
                    Some(Ok(frame)) => frame.into_data(),
                };
                // Trailers, which no plugin can have meant.
                let Ok(data) = data else { continue };
                sent += data.len();
                if sent > cap {
                    return Err(progress.fail(FetchError::RequestTooLarge(cap)));
                }
                progress.beat();
                return Ok(Some((Frame::data(data), (body, sent))));
            }
        }
    });
    StreamBody::new(stream).boxed_unsync()
}

/// A response's bytes as they were before they were coded. The cap holds on both sides of each decoder: much can decode
/// to nothing, and that again.
pub(super) fn decoded(
    body: Incoming,
    codings: Vec<Coding>,
    cap: usize,
    idle: Duration,
) -> BoxStream<'static, Result<Bytes, FetchError>> {
    let raw = stream::try_unfold(body, move |mut body| async move {
        loop {
            let frame = tokio::time::timeout(idle, body.frame()).await;
            let frame = frame.map_err(|_| {
                io::Error::other(FetchError::Stalled {
                    what: "a piece of the answer",
                    limit: idle,
                })
            })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| io::Error::other(FetchError::Broken(chain(&error))))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some((data, body)));
            }
        }
    });
    let raw = capped(raw.boxed(), cap);
    let pieces = if codings.is_empty() {
        raw
    } else {
        stream::once(undone(raw, codings, cap)).try_flatten().boxed()
    };
    pieces.map(|piece| piece.map_err(reason)).boxed()
}

/// The last coding first.
async fn undone(raw: Pieces, codings: Vec<Coding>, cap: usize) -> io::Result<Pieces> {
    let mut pieces = raw;
    for (undone, coding) in codings.into_iter().rev().enumerate() {
        if undone > 0 {
            // What comes over the wire makes a decoder wait. What another one gives is there at once, and a decoder that
            // makes nothing of it asks for more without end: the other tasks of this thread have their turn in between.
            pieces = pieces
                .then(|piece| tokio::task::yield_now().map(|()| piece))
                .boxed();
        }
        let mut reader = StreamReader::new(pieces);
        let Some(first) = reader.fill_buf().await?.first().copied() else {
            // Some servers say of nothing how it is coded.
            return Ok(stream::empty().boxed());
        };
        let decoder = coding.decoder(Box::pin(reader), first);
        pieces = capped(ReaderStream::with_capacity(decoder, CHUNK).boxed(), cap);
    }
    Ok(pieces)
}

type Pieces = BoxStream<'static, io::Result<Bytes>>;

fn capped(pieces: Pieces, cap: usize) -> Pieces {
    let capped = stream::try_unfold((pieces, 0_usize), move |(mut pieces, had)| async move {
        let Some(piece) = pieces.next().await.transpose()? else {
            return Ok(None);
        };
        let has = had + piece.len();
        if has > cap {
            return Err(io::Error::other(FetchError::ResponseTooLarge(cap)));
        }
        Ok(Some((piece, (pieces, has))))
    });
    capped.boxed()
}

fn reason(error: io::Error) -> FetchError {
    match error.downcast::<FetchError>() {
        Ok(error) => error,
        Err(error) => FetchError::Broken(error.to_string()),
    }
}

type Reader = Pin<Box<dyn tokio::io::AsyncBufRead + Send>>;

/// A `content-encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    /// What the standard calls so is zlib; some servers send it bare.
    Deflate,
    Brotli,
}

impl Coding {
    /// Those of a response, in the order in which they were applied. One that is not known leaves the body as it is, as in
    /// Node.
    pub(super) fn all(headers: &HeaderMap) -> Result<Vec<Self>, FetchError> {
        let values = headers.get_all(header::CONTENT_ENCODING).iter();
        let names = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        let mut codings = Vec::new();
        for name in names.map(str::trim).filter(|name| !name.is_empty()) {
            codings.push(match name.to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Self::Gzip,
                "deflate" => Self::Deflate,
                "br" => Self::Brotli,
                "identity" => continue,
                _ => return Ok(Vec::new()),
            });
        }
        if codings.len() > MAX_CODINGS {
            return Err(FetchError::Broken(format!(
                "it is coded more than {MAX_CODINGS} times"
            )));
        }
        Ok(codings)
    }

    /// `first` is the first byte.
    fn decoder(self, reader: Reader, first: u8) -> Pin<Box<dyn AsyncRead + Send>> {
        match self {
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(reader);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Self::Brotli => Box::pin(BrotliDecoder::new(reader)),
            // zlib's says 8, for its method, in the low half.
            Self::Deflate if first & 0x0f == 8 => Box::pin(ZlibDecoder::new(reader)),
            Self::Deflate => Box::pin(DeflateDecoder::new(reader)),
        }
    }
}
