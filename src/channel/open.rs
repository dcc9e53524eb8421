//! Opening the channel: the WebSocket's handshake and, on a port, whether either end is who it should be.

use std::sync::Arc;

use tokio::io::BufReader;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::lane::MAX_FRAME_BYTES;
use super::{Channel, ChannelError};
use crate::egress::Share;
use crate::workerd::{Connection, Door, Ear, KEY_HEADER};

/// The guest sends at most 1 Mi UTF-16 units, three bytes each, in one message; past that it uses the lane.
const MAX_MESSAGE_BYTES: usize = 3 * MAX_FRAME_BYTES + 1024;

/// What tungstenite takes at a time, at most. It fills so much memory with zeros before each time, and nearly all frames are
/// small.
const TAKEN_BYTES: usize = 4 * 1024;

/// What is read at a time, at most.
const READ_BYTES: usize = 32 * 1024;

impl Channel {
    /// `ear` is where JavaScript's thread listens, and the number by which it hears this plugin; `share` is what the plugin
    /// may take of the way out.
    pub(crate) async fn open(
        door: Arc<Door>,
        ear: Option<&(Arc<Ear>, u32)>,
        share: Share,
    ) -> Result<Self, ChannelError> {
        let mut request = "ws://plugin/channel".into_client_request().map_err(broken)?;
        if let Some(loopback) = door.loopback() {
            let key = loopback.key().ok_or(ChannelError::Stranger)?;
            request.headers_mut().insert(KEY_HEADER, key);
        }
        let connection = door.connect().await?;
        let (mut channel, response) = shake_hands(request, connection).await?;
        *channel.get_mut().get_mut() = channel.get_ref().get_ref().share(ear)?;
        match door.loopback() {
            Some(loopback) if !loopback.is_shown_by(response.headers()) => Err(ChannelError::Stranger),
            _ => Ok(Self::over(channel, door, share)),
        }
    }
}

async fn shake_hands(
    request: Request,
    connection: Connection,
) -> Result<(WebSocketStream<BufReader<Connection>>, Response), ChannelError> {
    let config = WebSocketConfig::default()
        .read_buffer_size(TAKEN_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let buffered = BufReader::with_capacity(READ_BYTES, connection);
    let shaken = client_async_with_config(request, buffered, Some(config)).await;
    shaken.map_err(broken)
}

fn broken(error: tungstenite::Error) -> ChannelError {
    ChannelError::Handshake(Box::new(error))
}
