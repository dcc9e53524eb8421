//! The HTTP lane of a channel: the host's frames past [`MAX_FRAME_BYTES`], and bytes, go as bodies of plain requests to
//! the same place; bytes of the guest's are asked for there. Its own frames take the backing server.

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::workerd::{Connection, Door, KEY_HEADER, Loopback, PROOF_HEADER};

/// Past this a frame takes the lane, so that it holds up no small one on the WebSocket.
pub(super) const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// No frame of a plugin may be larger: what it can make the host hold at once for one answer or call.
pub(crate) const MAX_LARGE_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// workerd's own head for a body of known length takes some 60 bytes.
const MAX_HEAD_BYTES: usize = 4096;
const MAX_HEADERS: usize = 16;

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
    #[error("its answer can't be read")]
    Head,
    #[error("a request that can't be made")]
    Request(#[from] hyper::http::Error),
}

/// Leaves a body with the guest. A connection of its own each time: large ones are rare, and workerd closes idle ones.
pub(super) async fn put(door: &Door, path: String, body: Bytes) -> Result<(), LaneError> {
    let mut request = Request::post(path).header(header::HOST, "plugin");
    let mut sender = connect(door.connect().await?).await?;
    if let Some(loopback) = door.loopback() {
        knock(&mut sender, loopback).await?;
        request = request.header(KEY_HEADER, loopback.key().ok_or(LaneError::Stranger)?);
    }
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(LaneError::Status(response.status()))
    }
}

async fn connect(connection: Connection) -> Result<SendRequest<Full<Bytes>>, LaneError> {
    let (sender, connection) = http1::handshake(TokioIo::new(connection)).await?;
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

/// What the guest keeps ready, once its head is there.
#[derive(Debug)]
pub(super) struct Kept {
    stream: Connection,
    length: usize,
    /// What came with the head.
    first: Vec<u8>,
}

/// Asks for what the guest keeps ready. It answers in writes as large as the socket takes, where what it sends as a request of
/// its own comes 8 KiB at a time, with a wake-up of either side for each.
///
/// By hand, since hyper would read the body elsewhere first. Our guest says its length; whoever does not is not our guest.
pub(super) async fn get(door: &Door, path: &str) -> Result<Kept, LaneError> {
    let mut stream = door.connect().await?;
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: plugin\r\n").into_bytes();
    if let Some(loopback) = door.loopback() {
        let key = loopback.key().ok_or(LaneError::Stranger)?;
        let line = [KEY_HEADER.as_bytes(), b": ", key.as_bytes(), b"\r\n"];
        request.extend_from_slice(&line.concat());
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    let mut first = Vec::with_capacity(MAX_HEAD_BYTES);
    loop {
        if let Some((head, length)) = head(&first, door)? {
            first.drain(..head);
            return Ok(Kept {
                stream,
                length,
                first,
            });
        }
        let room = MAX_HEAD_BYTES - first.len();
        if room == 0 || (&mut stream).take(room as u64).read_buf(&mut first).await? == 0 {
            return Err(LaneError::Head);
        }
    }
}

/// How long the head is, and how long it says that its body is; `None` when there is more to come.
fn head(bytes: &[u8], door: &Door) -> Result<Option<(usize, usize)>, LaneError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let parsed = head.parse(bytes).map_err(|_| LaneError::Head)?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let value = |name: &str| {
        let mut headers = head.headers.iter();
        let header = headers.find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(header.value)
    };
    if let Some(loopback) = door.loopback()
        && !value(PROOF_HEADER).is_some_and(|proof| loopback.is_proof(proof))
    {
        return Err(LaneError::Stranger);
    }
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    match status.ok_or(LaneError::Head)? {
        StatusCode::OK => {}
        other => return Err(LaneError::Status(other)),
    }
    let said = value("content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    Ok(Some((length, said.ok_or(LaneError::Head)?)))
}

impl Kept {
    /// In bytes.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// All of it, read into the memory that it stays in.
    pub(super) async fn read(self) -> Result<Vec<u8>, LaneError> {
        let Self {
            mut stream,
            length,
            first,
        } = self;
        let mut all = Vec::with_capacity(length);
        all.extend_from_slice(&first[..first.len().min(length)]);
        while all.len() < length {
            let left = (length - all.len()) as u64;
            if (&mut stream).take(left).read_buf(&mut all).await? == 0 {
                return Err(LaneError::Head);
            }
        }
        Ok(all)
    }
}
