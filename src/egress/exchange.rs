//! One request on one connection, and the head of its answer.

use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use url::{Position, Url};

use super::body::{Progress, Source};
use super::bounds::Bounds;
use super::connect::Wire;
use super::error::{FetchError, chain};

/// Heads of answers, in bytes and in number. Node takes 16 KiB.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 256;

/// The connection's own work. Dropping it closes the connection, which is how an abort reaches the origin.
#[derive(Debug)]
pub(super) struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) async fn exchange(
    wire: Box<dyn Wire>,
    url: &Url,
    method: &Method,
    headers: &HeaderMap,
    body: &mut Source,
    bounds: &Bounds,
) -> Result<(Response<Incoming>, Driver), FetchError> {
    let broken = |error: &hyper::Error| FetchError::Broken(chain(error));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|error| broken(&error))?;
    let driver = Driver(tokio::spawn(async move {
        // What breaks it is told to whoever waits for the answer.
        let _ = connection.await;
    }));
    let progress = Progress::new();
    let request = request(url, method, headers, body, bounds, &progress)?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let answer = loop {
        let until = progress.last() + bounds.head;
        match tokio::time::timeout_at(until, &mut answer).await {
            Ok(answer) => break answer,
            // A body that is still on its way has the time that it takes.
            Err(_) if progress.last() + bounds.head > until => {}
            Err(_) => {
                return Err(FetchError::Stalled {
                    what: "the head of the answer",
                    limit: bounds.head,
                });
            }
        }
    };
    match answer {
        Ok(answer) => Ok((answer, driver)),
        Err(error) => Err(progress.fault().unwrap_or_else(|| broken(&error))),
    }
}

/// Without the host's name and what stands before it: the origin form.
pub(super) fn target_of(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}

fn request(
    url: &Url,
    method: &Method,
    headers: &HeaderMap,
    body: &mut Source,
    bounds: &Bounds,
    progress: &std::sync::Arc<Progress>,
) -> Result<Request<super::body::BoxBody>, FetchError> {
    use http_body_util::BodyExt;

    let path = target_of(url);
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    let mut request = Request::new(());
    *request.method_mut() = method.clone();
    *request.uri_mut() = path.parse().map_err(|_| FetchError::InvalidUrl)?;
    request
        .headers_mut()
        .insert(header::HOST, host.map_err(|_| FetchError::InvalidUrl)?);
    request.headers_mut().extend(headers.clone());
    let body = match body.take(bounds.request_body, progress) {
        Some((body, length)) => {
            if let Some(length) = length {
                request
                    .headers_mut()
                    .insert(header::CONTENT_LENGTH, length.into());
            }
            body
        }
        None => {
            // As the Fetch standard has it for methods that usually carry one.
            if *method == Method::POST || *method == Method::PUT {
                request.headers_mut().insert(header::CONTENT_LENGTH, 0.into());
            }
            http_body_util::Empty::new()
                .map_err(|never| match never {})
                .boxed_unsync()
        }
    };
    Ok(request.map(|()| body))
}
