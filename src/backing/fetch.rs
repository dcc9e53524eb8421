//! `ctx.http.fetch` over the bulk lane: the guest's request becomes one of ours, and the answer a response to the guest.
//!
//! What describes either goes in one header, so that bodies pass as raw bytes.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response};
use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

use super::connections::Line;
use super::{ResponseBody, empty};
use crate::bridge::fetch::Init;
use crate::channel::{BodyError, Delivery, whole};
use crate::egress::{Answer, Bounds, Egress, FetchError, Grant, Share, Source};

/// Percent-encoded JSON in a request, ASCII JSON in a response. A response without it is a refusal, in words.
const META_HEADER: &str = "x-emdash-fetch";

/// What the guest says of a fetch.
#[derive(Debug, Deserialize)]
struct Asked {
    /// The guest's number of it.
    fetch: u64,
    invocation: u64,
    body: BodyKind,
    #[serde(flatten)]
    init: Init,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BodyKind {
    None,
    /// Text, bytes, a form: the plugin holds it.
    Whole,
    Stream,
}

/// What the guest is told of an answer.
#[derive(Debug, Serialize)]
struct Told<'a> {
    status: u16,
    #[serde(rename = "statusText")]
    status_text: &'a str,
    headers: &'a [(String, String)],
    url: &'a str,
    redirected: bool,
    /// Whether there is a body, be it an empty one.
    body: bool,
}

/// Why there is no answer.
enum Failure {
    /// What the guest sent is not what our guest sends.
    Malformed,
    /// A sentence for the plugin.
    Refused(u64, String),
}

/// Answers in every case; where the guest can't hear it any more, it may ask for the reason.
pub(super) async fn serve(
    request: Request<Incoming>,
    delivery: &Delivery,
    egress: &Egress,
    line: Arc<Line>,
) -> Response<ResponseBody> {
    match fetch(request, delivery, egress, &line).await {
        Ok((number, answer)) => {
            if answer.body.is_some() {
                line.answers(number, delivery.reasons());
            }
            response(number, answer, delivery)
        }
        Err(Failure::Malformed) => super::status(hyper::StatusCode::BAD_REQUEST, "this is no fetch"),
        Err(Failure::Refused(number, reason)) => {
            // A guest that is still sending its body sees the connection end before it sees this answer.
            delivery.reasons().keep(number, reason.clone());
            super::status(hyper::StatusCode::FORBIDDEN, reason)
        }
    }
}

async fn fetch(
    request: Request<Incoming>,
    delivery: &Delivery,
    egress: &Egress,
    line: &Arc<Line>,
) -> Result<(u64, Answer), Failure> {
    let asked = asked(&request).ok_or(Failure::Malformed)?;
    let number = asked.fetch;
    let refused = |reason: String| Failure::Refused(number, reason);
    let grant = delivery.ask_to_fetch(asked.invocation).await.map_err(refused)?;
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let share = delivery.share();
    let Grant { reach, mut ended } = grant;
    let body = tokio::select! {
        biased;
        () = &mut ended => Err(FetchError::Over),
        body = source(asked.body, request.into_body(), egress.bounds(), share) => body,
    };
    let (body, _held) = body.map_err(|error| refused(error.to_string()))?;
    let request = asked
        .init
        .request(body, content_type)
        .map_err(|error| refused(error.to_string()))?;
    // What the guest has not read by then, it may read no more of; the connection would keep its place.
    let line = Arc::clone(line);
    let ended = Box::pin(ended.map(move |()| {
        line.hang_up(Some(number), &FetchError::Over.to_string());
    }));
    let answer = egress.fetch(request, Grant { reach, ended }, share).await;
    Ok((number, answer.map_err(|error| refused(error.to_string()))?))
}

fn asked(request: &Request<Incoming>) -> Option<Asked> {
    let meta = request.headers().get(META_HEADER)?;
    let text = percent_decode(meta.as_bytes()).decode_utf8().ok()?;
    serde_json::from_str(&text).ok()
}

/// What a body that is held takes of its plugin's share, until it has been sent.
type Held = Option<tokio::sync::OwnedSemaphorePermit>;

/// A body that the plugin holds is read whole: then its length is known to the origin, and a redirect can have it again. A
/// stream passes through.
async fn source(
    kind: BodyKind,
    body: Incoming,
    bounds: &Bounds,
    share: &Share,
) -> Result<(Source, Held), FetchError> {
    let cap = bounds.request_body;
    if kind == BodyKind::None {
        return Ok((Source::None, None));
    }
    let said = body.size_hint();
    if said.lower() > cap as u64 {
        return Err(FetchError::RequestTooLarge(cap));
    }
    if kind == BodyKind::Stream {
        return Ok((
            Source::Stream(body.map_err(io::Error::other).boxed_unsync()),
            None,
        ));
    }
    let most = said.exact().unwrap_or(cap as u64);
    let kib = u32::try_from(most.div_ceil(1024)).unwrap_or(u32::MAX);
    let held = Arc::clone(&share.buffers).acquire_many_owned(kib).await;
    let held = held.map_err(|_| FetchError::Over)?;
    match whole(body, cap).await {
        Ok(body) => Ok((Source::Whole(body.into()), Some(held))),
        Err(BodyError::Broken) => Err(FetchError::BodyLost),
        Err(BodyError::TooLarge { limit }) => Err(FetchError::RequestTooLarge(limit)),
    }
}

fn response(number: u64, answer: Answer, delivery: &Delivery) -> Response<ResponseBody> {
    let told = Told {
        status: answer.status,
        status_text: &answer.status_text,
        headers: &answer.headers,
        url: &answer.url,
        redirected: answer.redirected,
        body: answer.body.is_some(),
    };
    // What is made of strings and numbers can be written.
    let told = ascii(&serde_json::to_string(&told).unwrap_or_default());
    let body = answer.body.map_or_else(empty, |pieces| {
        let reasons = Arc::clone(delivery.reasons());
        let frames = pieces.map(move |piece| match piece {
            Ok(piece) => Ok(Frame::data(piece)),
            Err(error) => {
                reasons.keep(number, error.to_string());
                Err(io::Error::other(error))
            }
        });
        StreamBody::new(frames).boxed_unsync()
    });
    let mut response = Response::new(body);
    if let Ok(told) = HeaderValue::try_from(told) {
        response.headers_mut().insert(META_HEADER, told);
    }
    response
}

/// JSON whose every character can stand in a header.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String can't fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// `GET /fetch/<n>`: why fetch `n` failed.
pub(super) fn reason(path: &str, delivery: &Delivery) -> Option<Bytes> {
    let number = path.strip_prefix("/fetch/")?.parse().ok()?;
    delivery.reasons().take(number).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_fits_a_header_and_stays_what_it_was() {
        let text = "é 🦀 \u{7f}\u{0}\n\"";
        let json = ascii(&serde_json::to_string(text).unwrap());
        assert!(HeaderValue::try_from(json.as_str()).is_ok());
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
