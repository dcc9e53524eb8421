//! `http/fetch` for `createBridgeHandler`, which has no plugin process: by the same rules, body and all in one piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{Grants, fetch::parse_call, reach};
use crate::egress::{Answer, Bounds, Egress, FetchError, Grant, PrivateHosts, Share};
use crate::error::Error;
use crate::limits::{CONNECTIONS, Wanted, fetch_bytes, upload_bytes, wall_time};

/// The way out of one handler.
#[derive(Debug)]
pub struct DirectEgress {
    runtime: &'static Handle,
    egress: std::sync::Arc<Egress>,
    share: Share,
    /// There may be no invocation that would end a fetch: it may take as long as one.
    wall_time: Duration,
    max_upload: usize,
    notice: Option<String>,
}

/// An answer that has been read to its end.
#[derive(Debug)]
pub struct WholeAnswer {
    pub status: u16,
    pub status_text: String,
    pub headers: Vec<(String, String)>,
    pub url: String,
    pub redirected: bool,
    pub body: Bytes,
}

/// Who asks.
#[derive(Debug)]
pub struct Caller {
    pub plugin_id: String,
    pub grants: Grants,
    pub allowed_hosts: Vec<String>,
}

impl DirectEgress {
    /// `private_hosts` is `EMDASH_SANDBOX_PRIVATE_HOSTS`. Of the limits only what concerns bodies and time counts.
    ///
    /// # Errors
    /// When the list is none, a number can be no limit, or the system gives no thread.
    pub fn new(private_hosts: &str, limits: Wanted) -> Result<Self, Error> {
        let private = PrivateHosts::parse(private_hosts)?;
        let bounds = Bounds::new(fetch_bytes(limits.max_fetch_mb)?);
        let wall_time = wall_time(limits.wall_time_ms)?;
        let max_upload = upload_bytes(limits.max_upload_mb)?;
        let runtime = crate::runtime::handle()
            .map_err(|error| Error::unavailable(format!("the system refused the addon: {error}")))?;
        Ok(Self {
            runtime,
            notice: private.notice(),
            egress: std::sync::Arc::new(Egress::new(private, bounds)),
            share: Share::new(CONNECTIONS),
            wall_time,
            max_upload,
        })
    }

    /// What an operator is told at the start.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Bytes of one file that a plugin uploads.
    #[must_use]
    pub fn max_upload(&self) -> usize {
        self.max_upload
    }

    /// `left` is what its invocation has left of its time. `call` is the bridge's JSON; `done` hears the answer, or a sentence for the plugin, on the io thread.
    pub fn fetch(
        &self,
        caller: &Caller,
        call: &str,
        left: Option<Duration>,
        done: impl FnOnce(Result<WholeAnswer, String>) + Send + 'static,
    ) {
        let checked = reach(&caller.plugin_id, &caller.grants, &caller.allowed_hosts)
            .and_then(|reach| Ok((reach, parse_call(call)?)));
        let (reach, request) = match checked {
            Ok(checked) => checked,
            Err(error) => return done(Err(error.to_string())),
        };
        let (egress, share) = (std::sync::Arc::clone(&self.egress), self.share.clone());
        let left = left.map_or(self.wall_time, |left| left.min(self.wall_time));
        self.runtime.spawn(async move {
            let ended = Box::pin(tokio::time::sleep(left));
            let answer = match egress.fetch(request, Grant { reach, ended }, &share).await {
                Ok(answer) => read(answer).await,
                Err(error) => Err(error),
            };
            done(answer.map_err(|error| error.to_string()));
        });
    }
}

async fn read(answer: Answer) -> Result<WholeAnswer, FetchError> {
    let mut body = BytesMut::new();
    if let Some(mut pieces) = answer.body {
        while let Some(piece) = pieces.next().await.transpose()? {
            body.extend_from_slice(&piece);
        }
    }
    Ok(WholeAnswer {
        status: answer.status,
        status_text: answer.status_text,
        headers: answer.headers,
        url: answer.url,
        redirected: answer.redirected,
        body: body.freeze(),
    })
}
