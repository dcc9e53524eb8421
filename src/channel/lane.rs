//! The HTTP lane of a channel: frames past [`MAX_FRAME_BYTES`] go as bodies of plain requests on the same socket.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header};
use hyper_util::rt::TokioIo;

use crate::workerd::PrivateSocket;

/// Past this a frame takes the lane, so that it holds up no small one on the WebSocket.
pub(super) const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// No frame at all may be larger: what a plugin can make the host hold at once for one answer or call.
pub(crate) const MAX_STORED_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("the plugin's process can't be reached")]
    Connect(#[from] std::io::Error),
    #[error("the transfer of a large frame broke")]
    Http(#[from] hyper::Error),
    #[error("the guest answered {0} to a large frame")]
    Status(StatusCode),
    #[error("an answer or call of more than {} MiB", MAX_STORED_BYTES / 1024 / 1024)]
    TooLarge,
    #[error("a large frame that is not UTF-8")]
    NotText,
    #[error("a request that can't be made")]
    Request(#[from] hyper::http::Error),
}

/// Leaves a frame with the guest.
pub(super) async fn put(socket: &PrivateSocket, number: u64, frame: String) -> Result<(), LaneError> {
    let response = exchange(socket, Method::POST, number, Full::new(Bytes::from(frame))).await?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(LaneError::Status(response.status()))
    }
}

/// Fetches a frame that the guest has announced.
pub(super) async fn take(socket: &PrivateSocket, number: u64) -> Result<String, LaneError> {
    let response = exchange(socket, Method::GET, number, Full::default()).await?;
    if !response.status().is_success() {
        return Err(LaneError::Status(response.status()));
    }
    // The only error of a Limited body that is not hyper's own is its limit.
    let body = Limited::new(response.into_body(), MAX_STORED_BYTES)
        .collect()
        .await
        .map_err(|error| {
            error
                .downcast::<hyper::Error>()
                .map_or(LaneError::TooLarge, |error| LaneError::Http(*error))
        })?;
    String::from_utf8(body.to_bytes().into()).map_err(|_| LaneError::NotText)
}

/// A connection of its own each time: large frames are rare, and workerd closes idle ones.
async fn exchange(
    socket: &PrivateSocket,
    method: Method,
    number: u64,
    body: Full<Bytes>,
) -> Result<Response<Incoming>, LaneError> {
    let stream = TokioIo::new(socket.connect().await?);
    let (mut sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(format!("/frames/{number}"))
        .header(header::HOST, "plugin")
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(body)?;
    Ok(sender.send_request(request).await?)
}
