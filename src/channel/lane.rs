//! The HTTP lane of a channel: the host's frames past [`MAX_FRAME_BYTES`], and bytes, go as bodies of plain requests on
//! the same socket; bytes of the guest's are asked for there. Its own frames take the backing server.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::request;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;

use crate::workerd::PrivateSocket;

/// Past this a frame takes the lane, so that it holds up no small one on the WebSocket.
pub(super) const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// No frame of a plugin may be larger: what it can make the host hold at once for one answer or call.
pub(crate) const MAX_LARGE_FRAME_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("the plugin's process can't be reached")]
    Connect(#[from] std::io::Error),
    #[error("the transfer of a large frame broke")]
    Http(#[from] hyper::Error),
    #[error("the guest answered {0} to a large frame")]
    Status(StatusCode),
    #[error("a request that can't be made")]
    Request(#[from] hyper::http::Error),
}

/// Leaves a body with the guest.
pub(super) async fn put(socket: &PrivateSocket, path: String, body: Bytes) -> Result<(), LaneError> {
    let response = ask(socket, Request::post(path), body).await?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(LaneError::Status(response.status()))
    }
}

/// Asks for what the guest keeps ready. It answers in writes as large as the socket takes, where what it sends as a request of
/// its own comes 8 KiB at a time, with a wake-up of either side for each.
pub(super) async fn get(socket: &PrivateSocket, path: String) -> Result<Response<Incoming>, LaneError> {
    ask(socket, Request::get(path), Bytes::new()).await
}

/// A connection of its own each time: large ones are rare, and workerd closes idle ones.
async fn ask(
    socket: &PrivateSocket,
    request: request::Builder,
    body: Bytes,
) -> Result<Response<Incoming>, LaneError> {
    let stream = TokioIo::new(socket.connect().await?);
    let (mut sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = request.header(header::HOST, "plugin").body(Full::new(body))?;
    Ok(sender.send_request(request).await?)
}
