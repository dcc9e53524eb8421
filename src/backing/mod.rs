//! The backing server: where a plugin's process sends what is too large for its WebSocket, and its fetches, over a Unix socket.
//!
//! One per runner. workerd injects the plugin's token as a header, so a caller is who it says only if the token is one
//! that we signed, its load has a process that serves, and the connection comes from that very process. All of that is
//! checked before a body is read.

mod admission;
mod connections;
mod fetch;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};

pub(crate) use self::admission::Admission;
use self::admission::Admissions;
use self::connections::{Connections, Line};
use crate::channel::{BodyError, Delivery, MAX_LARGE_FRAME_BYTES, whole};
use crate::egress::Egress;
use crate::token::Key;
use crate::workerd::PrivateSocket;

/// The header that workerd injects; `config.rs` names it there.
pub(crate) const TOKEN_HEADER: &str = "x-emdash-sandbox-token";

/// From a connection's start, or the last answer, until a request's headers are there. workerd closes a connection that it
/// has not used for 5 s (measured), so it is always the first to do so, and none of its requests meets a closed one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// From a request's headers until its body is there. It comes from the same machine's memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A token is at most 256 KiB, and what describes a fetch as much (`guest/fetch.js`).
const MAX_HEADER_BYTES: usize = (256 + 256 + 16) * 1024;

type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct BackingServer {
    socket: Arc<PrivateSocket>,
    admissions: Arc<Admissions>,
    task: tokio::task::JoinHandle<()>,
}

impl BackingServer {
    /// Must be called within the io thread's runtime.
    pub(crate) fn start(key: Key, egress: Arc<Egress>) -> io::Result<Self> {
        let (socket, listener) = PrivateSocket::bind()?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let admissions = Arc::new(Admissions::new(key, egress));
        let task = tokio::spawn(accept(listener, Arc::clone(&admissions)));
        Ok(Self {
            socket: Arc::new(socket),
            admissions,
            task,
        })
    }

    pub(crate) fn socket(&self) -> &Arc<PrivateSocket> {
        &self.socket
    }

    /// Takes frames from process `pid`, which serves this load, until the admission is dropped.
    pub(crate) fn admit(&self, load: u64, pid: u32, delivery: Delivery) -> Admission {
        Admissions::admit(&self.admissions, load, pid, delivery)
    }
}

impl Drop for BackingServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, admissions: Arc<Admissions>) {
    let connections = Arc::new(Connections::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: leave those who have one the time to give it back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
        // Who has no process id, or has too many connections, is not heard.
        let Some(pid) = pid.and_then(|pid| u32::try_from(pid).ok()) else {
            continue;
        };
        let Some(place) = Connections::place(&connections, pid) else {
            continue;
        };
        let admissions = Arc::clone(&admissions);
        tokio::spawn(async move {
            serve(stream, pid, admissions, Arc::clone(place.line())).await;
            drop(place);
        });
    }
}

async fn serve(stream: UnixStream, pid: u32, admissions: Arc<Admissions>, line: Arc<Line>) {
    let own = Arc::clone(&line);
    let service = service_fn(move |request| {
        let (admissions, line) = (Arc::clone(&admissions), Arc::clone(&own));
        async move {
            Ok::<_, Infallible>(
                answer(request, pid, &admissions, line)
                    .await
                    .unwrap_or_else(Refusal::response),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = line.given_up() => {}
        // A connection that breaks concerns nobody but its other end.
        _ = connection => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    pid: u32,
    admissions: &Admissions,
    line: Arc<Line>,
) -> Result<Response<ResponseBody>, Refusal> {
    line.asked();
    let token = request
        .headers()
        .get(TOKEN_HEADER)
        .and_then(|token| token.to_str().ok());
    let delivery = token
        .and_then(|token| admissions.find(token, pid))
        .ok_or(Refusal::Stranger)?;
    let path = request.uri().path();
    if request.method() == Method::POST && path == "/fetch" {
        return Ok(fetch::serve(request, &delivery, admissions.egress(), line).await);
    }
    if request.method() == Method::GET {
        let reason = fetch::reason(path, &delivery).ok_or(Refusal::NoSuchThing)?;
        return Ok(status(StatusCode::OK, reason));
    }
    match (request.method(), path) {
        (&Method::POST, "/frames") => take_frame(request.into_body(), &delivery).await,
        _ => Err(Refusal::NoSuchThing),
    }
}

async fn take_frame(body: Incoming, delivery: &Delivery) -> Result<Response<ResponseBody>, Refusal> {
    // One at a time, so that a plugin can't make the host hold many. The guest sends them one by one.
    let _turn = delivery.turn().ok_or(Refusal::TooMany)?;
    let body = in_time(whole(body, MAX_LARGE_FRAME_BYTES)).await?;
    let frame = String::from_utf8(body).map_err(|_| Refusal::Broken)?;
    delivery.deliver(frame).await;
    Ok(status(StatusCode::NO_CONTENT, ""))
}

async fn in_time(body: impl Future<Output = Result<Vec<u8>, BodyError>>) -> Result<Vec<u8>, Refusal> {
    let body = tokio::time::timeout(BODY_TIMEOUT, body).await;
    body.map_err(|_| Refusal::Stalled)?.map_err(|error| match error {
        BodyError::TooLarge { limit } => Refusal::TooLarge { limit },
        BodyError::Broken => Refusal::Broken,
    })
}

/// Why a request is not served. The guest hands the text of those that a plugin can cause on to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Stranger,
    NoSuchThing,
    Stalled,
    /// In bytes.
    TooLarge {
        limit: usize,
    },
    TooMany,
    Broken,
}

impl Refusal {
    fn response(self) -> Response<ResponseBody> {
        match self {
            Self::Stranger => status(StatusCode::UNAUTHORIZED, "no loaded plugin's process speaks here"),
            Self::NoSuchThing => status(StatusCode::NOT_FOUND, "there is no such thing here"),
            Self::Stalled => status(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            Self::TooLarge { limit } => {
                let limit = limit / 1024 / 1024;
                status(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("more than {limit} MiB at once"),
                )
            }
            Self::TooMany => status(StatusCode::TOO_MANY_REQUESTS, "one large frame is sent at a time"),
            Self::Broken => status(StatusCode::BAD_REQUEST, "the body can't be read"),
        }
    }
}

fn status(status: StatusCode, text: impl Into<Bytes>) -> Response<ResponseBody> {
    let body = Full::new(text.into()).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
}

fn empty() -> ResponseBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

#[cfg(test)]
#[path = "backing_tests.rs"]
mod tests;
