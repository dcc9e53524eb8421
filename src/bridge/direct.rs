//! `http/fetch` for `createBridgeHandler`, which has no plugin process: by the same rules, body and all in one piece.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::runtime::Handle;

use super::{Grants, fetch::parse_call, reach};
use crate::egress::{Answer, Bounds, Egress, FetchError, Grant, PrivateHosts, Share};
use crate::error::Error;
use crate::limits::{CONNECTIONS, Given, fetch_bytes};

/// There is no invocation that would end it. EmDash's default for one.
const DEADLINE: Duration = Duration::from_secs(30);

/// The way out of one handler.
#[derive(Debug)]
pub struct DirectEgress {
    runtime: &'static Handle,
    egress: std::sync::Arc<Egress>,
    share: Share,
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
    /// `private_hosts` is `EMDASH_SANDBOX_PRIVATE_HOSTS`, `max_fetch_mb` what a body may take.
    ///
    /// # Errors
    /// When the list is none, the number can be no limit, or the system gives no thread.
    pub fn new(private_hosts: &str, max_fetch_mb: Option<Given>) -> Result<Self, Error> {
        let private = PrivateHosts::parse(private_hosts)?;
        let bounds = Bounds::new(fetch_bytes(max_fetch_mb)?);
        let runtime = crate::runtime::handle()
            .map_err(|error| Error::unavailable(format!("the system refused the addon: {error}")))?;
        Ok(Self {
            runtime,
            notice: private.notice(),
            egress: std::sync::Arc::new(Egress::new(private, bounds)),
            share: Share::new(CONNECTIONS),
        })
    }

    /// What an operator is told at the start.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// `call` is the bridge's JSON; `done` hears the answer, or a sentence for the plugin, on the io thread.
    pub fn fetch(
        &self,
        caller: &Caller,
        call: &str,
        done: impl FnOnce(Result<WholeAnswer, String>) + Send + 'static,
    ) {
        let checked = reach(&caller.plugin_id, &caller.grants, &caller.allowed_hosts)
            .and_then(|reach| Ok((reach, parse_call(call)?)));
        let (reach, request) = match checked {
            Ok(checked) => checked,
            Err(error) => return done(Err(error.to_string())),
        };
        let (egress, share) = (std::sync::Arc::clone(&self.egress), self.share.clone());
        self.runtime.spawn(async move {
            let ended = Box::pin(tokio::time::sleep(DEADLINE));
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
