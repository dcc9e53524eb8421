//! The HTTP lane of a channel: the host's frames past [`MAX_FRAME_BYTES`], and bytes, go as bodies of plain requests to
//! the same place. The guest's take the backing server.

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::workerd::{Door, KEY_HEADER, Loopback};

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
    #[error("another process answers at its port")]
    Stranger,
    #[error("a request that can't be made")]
    Request(#[from] hyper::http::Error),
}

/// Leaves a body with the guest. A connection of its own each time: large ones are rare, and workerd closes idle ones.
pub(super) async fn put(door: &Door, path: String, body: Bytes) -> Result<(), LaneError> {
    let request = Request::post(path).header(header::HOST, "plugin");
    let (mut sender, request) = match door {
        #[cfg(target_os = "linux")]
        Door::Unix(socket) => (connect(socket.connect().await?).await?, request),
        Door::Tcp(loopback) => {
            let mut sender = connect(loopback.connect().await?).await?;
            knock(&mut sender, loopback).await?;
            let key = loopback.key().ok_or(LaneError::Stranger)?;
            (sender, request.header(KEY_HEADER, key))
        }
    };
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(LaneError::Status(response.status()))
    }
}

async fn connect<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, LaneError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Nothing of the plugin's is sent before whoever answers has shown that it is the plugin's process: that may have ended,
/// and somebody else may have its port.
async fn knock(sender: &mut SendRequest<Full<Bytes>>, loopback: &Loopback) -> Result<(), LaneError> {
    let key = loopback.key().ok_or(LaneError::Stranger)?;
    let request = Request::get("/door")
        .header(header::HOST, "plugin")
        .header(KEY_HEADER, key)
        .body(Full::default())?;
    let response = sender.send_request(request).await?;
    match loopback.is_shown_by(response.headers()) {
        true => Ok(sender.ready().await?),
        false => Err(LaneError::Stranger),
    }
}
