//! The backing server: where a plugin's process sends what is too large for its WebSocket, and its fetches, over a Unix
//! socket, or a port of 127.0.0.1 where there is none.
//!
//! One per runner. workerd injects the plugin's token as a header, so a caller is who it says only if the token is one
//! that we signed, its load has a process that serves, and the connection comes from that very process. A port does not
//! tell that last: there the token alone says who speaks. All of that is checked before a body is read.

mod accept;
mod admission;
mod caller;
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
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) use self::admission::Admission;
use self::admission::Admissions;
pub(crate) use self::caller::Caller;
use self::connections::Place;
use crate::channel::{BodyError, Delivery, MAX_LARGE_FRAME_BYTES, whole};
use crate::egress::Egress;
use crate::token::Key;
use crate::workerd::{BackingAddress, Transport};

/// The header that workerd injects; `config.rs` names it there.
pub(crate) const TOKEN_HEADER: &str = "x-emdash-sandbox-token";

/// From a request's headers until its body is there. It comes from the same machine's memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A token is at most 256 KiB, and what describes a fetch as much (`guest/fetch.js`).
const MAX_HEADER_BYTES: usize = (256 + 256 + 16) * 1024;

type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct BackingServer {
    address: BackingAddress,
    admissions: Arc<Admissions>,
    task: tokio::task::JoinHandle<()>,
}

impl BackingServer {
    /// Must be called within the io thread's runtime.
    pub(crate) fn start(transport: Transport, key: Key, egress: Arc<Egress>) -> io::Result<Self> {
        let admissions = Arc::new(Admissions::new(key, egress));
        let (address, task) = accept::start(transport, &admissions)?;
        Ok(Self {
            address,
            admissions,
            task,
        })
    }

    pub(crate) fn address(&self) -> &BackingAddress {
        &self.address
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

/// Serves one connection, for as long as it has its place.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
    place: Place,
    admissions: Arc<Admissions>,
) {
    let header_timeout = caller.header_timeout();
    let line = Arc::clone(place.line());
    let place = Arc::new(place);
    let service = service_fn(move |request| {
        let (admissions, place) = (Arc::clone(&admissions), Arc::clone(&place));
        async move {
            Ok::<_, Infallible>(
                answer(request, caller, &place, &admissions)
                    .await
                    .unwrap_or_else(Refusal::response),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
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
    caller: Caller,
    place: &Place,
    admissions: &Admissions,
) -> Result<Response<ResponseBody>, Refusal> {
    place.line().asked();
    let token = request
        .headers()
        .get(TOKEN_HEADER)
        .and_then(|token| token.to_str().ok());
    let (load, delivery) = token
        .and_then(|token| admissions.find(token, caller))
        .ok_or(Refusal::Stranger)?;
    if caller == Caller::Loopback && !place.is_taken_by(load) {
        return Err(Refusal::TooMany);
    }
    let path = request.uri().path();
    if request.method() == Method::POST && path == "/fetch" {
        return Ok(fetch::serve(request, &delivery, admissions.egress(), Arc::clone(place.line())).await);
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
            Self::Stranger => {
                let mut response = status(StatusCode::UNAUTHORIZED, "no loaded plugin's process speaks here");
                // Its place is wanted.
                let close = header::HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
                response
            }
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
