//! The way out: `ctx.http.fetch`, on the host's behalf, to nowhere inside.
//!
//! The only module that resolves names and opens outbound connections. `docs/architecture.md` has the rules.

mod address;
mod body;
mod bounds;
mod connect;
mod error;
mod exchange;
mod headers;
mod hosts;
mod private_hosts;
mod redirect;
mod resolve;
mod trust;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;
use url::Url;

pub(crate) use self::body::Source;
use self::body::{Coding, decoded};
pub(crate) use self::bounds::{Bounds, Share};
pub(crate) use self::error::FetchError;
use self::exchange::{Driver, exchange};
pub(crate) use self::hosts::Reach;
pub(crate) use self::private_hosts::PrivateHosts;
use self::redirect::{MAX_REDIRECTS, follow, target};
use self::resolve::{Resolve, SystemResolver, approve};
use self::trust::Trust;

/// The way out of one runner.
#[derive(Debug)]
pub(crate) struct Egress {
    private: PrivateHosts,
    resolver: Arc<dyn Resolve>,
    trust: Trust,
    bounds: Bounds,
}

/// What a plugin asks for, unchecked.
#[derive(Debug)]
pub(crate) struct FetchRequest {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) redirect: Redirect,
    /// Names may come twice. A character is a byte.
    pub(crate) headers: Vec<(String, String)>,
    /// What the body is, where the headers do not say.
    pub(crate) content_type: Option<String>,
    pub(crate) body: Source,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Redirect {
    #[default]
    Follow,
    Manual,
    Error,
}

/// What lets one fetch happen, and for how long.
pub(crate) struct Grant {
    pub(crate) reach: Reach,
    /// Resolves when the fetch may go on no longer.
    pub(crate) ended: Ended,
}

pub(crate) type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// The answer to a fetch.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) status_text: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) url: String,
    pub(crate) redirected: bool,
    /// `None` where a status or a method means that there is none. Dropping it closes the connection.
    pub(crate) body: Option<BoxStream<'static, Result<Bytes, FetchError>>>,
}

impl Egress {
    pub(crate) fn new(private: PrivateHosts, bounds: Bounds) -> Self {
        Self {
            private,
            resolver: Arc::new(SystemResolver),
            trust: Trust::default(),
            bounds,
        }
    }

    pub(crate) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Dropping the future, or the answer's body, closes the connection.
    ///
    /// # Errors
    /// When the plugin may not, or nothing came of it.
    pub(crate) async fn fetch(
        &self,
        request: FetchRequest,
        grant: Grant,
        share: &Share,
    ) -> Result<Answer, FetchError> {
        let Grant { reach, mut ended } = grant;
        let found = tokio::select! {
            biased;
            () = &mut ended => return Err(FetchError::Over),
            found = self.find(request, &reach, share) => found?,
        };
        self.answer(found, ended)
    }

    /// Goes from hop to hop. Each is checked anew, looked up anew, and has a connection of its own.
    async fn find(&self, request: FetchRequest, reach: &Reach, share: &Share) -> Result<Found, FetchError> {
        // In the order in which EmDash looks.
        reach.check_any()?;
        let mut url = parse(&request.url)?;
        reach.check(&url, &self.private)?;
        refuse_credentials(&url, &request.url)?;
        refuse_length(&url)?;
        let mut method = headers::method(&request.method)?;
        let mut body = request.body;
        if matches!(method, Method::GET | Method::HEAD) && !matches!(body, Source::None) {
            return Err(FetchError::BodyOfGet);
        }
        // A stream is cut on its way.
        if let Source::Whole(bytes) = &body
            && bytes.len() > self.bounds.request_body
        {
            return Err(FetchError::RequestTooLarge(self.bounds.request_body));
        }
        let mut headers = headers::outgoing(&request.headers, request.content_type.as_deref())?;
        // The semaphores are never closed.
        let permit = Arc::clone(&share.connections).acquire_owned().await;
        let permit = permit.map_err(|_| FetchError::Over)?;

        let mut redirects = 0;
        loop {
            let is_stream = matches!(body, Source::Stream(_));
            let (answer, driver) = self.hop(&url, reach, share, &method, &headers, &mut body).await?;
            let lead = target(answer.status(), answer.headers(), &url);
            let next = match (lead, request.redirect) {
                (None, _) | (Some(_), Redirect::Manual) => {
                    return Ok(Found {
                        answer,
                        driver,
                        url,
                        redirected: redirects > 0,
                        is_head: method == Method::HEAD,
                        permit,
                    });
                }
                (Some(_), Redirect::Error) => return Err(FetchError::Redirected),
                (Some(next), Redirect::Follow) => next.ok_or(FetchError::InvalidUrl)?,
            };
            if redirects == MAX_REDIRECTS {
                return Err(FetchError::TooManyRedirects {
                    plugin: reach.plugin_id.clone(),
                    max: MAX_REDIRECTS,
                });
            }
            redirects += 1;
            let next = without_fragment(next);
            // Before the stream's loss is told: whether one may go there at all comes first.
            reach.check(&next, &self.private)?;
            refuse_credentials(&next, next.as_str())?;
            refuse_length(&next)?;
            if !follow(answer.status(), &mut method, &mut headers, &url, &next) {
                body = Source::None;
            } else if is_stream {
                return Err(FetchError::NotReplayable);
            }
            url = next;
        }
    }

    async fn hop(
        &self,
        url: &Url,
        reach: &Reach,
        share: &Share,
        method: &Method,
        headers: &header::HeaderMap,
        body: &mut Source,
    ) -> Result<(Response<Incoming>, Driver), FetchError> {
        let bounds = &self.bounds;
        let stalled = |what, limit| move |_| FetchError::Stalled { what, limit };
        let look_up = async {
            let permit = Arc::clone(&share.look_ups).acquire_owned().await;
            let permit = permit.map_err(|_| FetchError::Over)?;
            approve(url, reach, &self.private, &*self.resolver, permit).await
        };
        let approved = timeout(bounds.look_up, look_up)
            .await
            .map_err(stalled("the look-up of its name", bounds.look_up))??;
        if let Some(port) = url.port().filter(|port| headers::BAD_PORTS.contains(port)) {
            return Err(FetchError::BadPort(port));
        }
        let wire = timeout(bounds.connect, connect::connect(url, &approved, &self.trust))
            .await
            .map_err(stalled("connecting", bounds.connect))??;
        exchange(wire, url, method, headers, body, bounds).await
    }

    fn answer(&self, found: Found, ended: Ended) -> Result<Answer, FetchError> {
        let Found {
            answer,
            driver,
            url,
            redirected,
            is_head,
            permit,
        } = found;
        let (head, body) = answer.into_parts();
        let status = head.status;
        // A `Response` has no others. What came before it, as "continue" does, was passed over.
        if !(200..=599).contains(&status.as_u16()) {
            return Err(FetchError::Status(status.as_u16()));
        }
        let is_null = matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
        let cap = self.bounds.response_body;
        let codings = Coding::all(&head.headers)?;
        let body = if is_head || is_null {
            None
        } else {
            // What says itself that it is too large need not be read.
            if hyper::body::Body::size_hint(&body).lower() > cap as u64 {
                return Err(FetchError::ResponseTooLarge(cap));
            }
            let pieces = decoded(body, codings, cap, self.bounds.idle);
            Some(until(pieces, ended, (driver, permit)))
        };
        let text = head.extensions.get::<hyper::ext::ReasonPhrase>();
        let text = text.map_or_else(
            || status.canonical_reason().unwrap_or_default().to_owned(),
            |text| text.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
        );
        Ok(Answer {
            status: status.as_u16(),
            status_text: text,
            headers: headers::incoming(&head.headers),
            url: url.into(),
            redirected,
            body,
        })
    }
}

/// Where the redirects ended.
struct Found {
    answer: Response<Incoming>,
    driver: Driver,
    url: Url,
    redirected: bool,
    is_head: bool,
    permit: OwnedSemaphorePermit,
}

fn parse(text: &str) -> Result<Url, FetchError> {
    Url::parse(text)
        .map(without_fragment)
        .map_err(|_| FetchError::InvalidUrl)
}

/// As Node does, in its words.
fn refuse_credentials(url: &Url, text: &str) -> Result<(), FetchError> {
    if url.username().is_empty() && url.password().is_none() {
        Ok(())
    } else {
        Err(FetchError::Credentials(text.to_owned()))
    }
}

/// What hyper can send, and more than servers take. Told before anything is connected to.
const MAX_TARGET_BYTES: usize = u16::MAX as usize - 1;

fn refuse_length(url: &Url) -> Result<(), FetchError> {
    if exchange::target_of(url).len() > MAX_TARGET_BYTES {
        Err(FetchError::UrlTooLong(MAX_TARGET_BYTES))
    } else {
        Ok(())
    }
}

fn without_fragment(mut url: Url) -> Url {
    url.set_fragment(None);
    url
}

/// The pieces that come before the end of what let them come. At that end, or with the stream, the connection goes: also
/// when nobody reads.
fn until(
    pieces: BoxStream<'static, Result<Bytes, FetchError>>,
    ended: Ended,
    connection: (Driver, OwnedSemaphorePermit),
) -> BoxStream<'static, Result<Bytes, FetchError>> {
    let (mut over, is_over) = oneshot::channel::<()>();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = ended => {}
            () = over.closed() => {}
        }
        drop(connection);
    });
    let both = stream::try_unfold((pieces, is_over), |(mut pieces, mut is_over)| async move {
        let piece = tokio::select! {
            biased;
            _ = &mut is_over => return Err(FetchError::Over),
            piece = pieces.next() => piece.transpose()?,
        };
        Ok(piece.map(|piece| (piece, (pieces, is_over))))
    });
    both.boxed()
}

#[cfg(test)]
mod tests;
