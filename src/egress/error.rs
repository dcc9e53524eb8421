//! Why a fetch failed, as the plugin is told: a sentence, since EmDash has set most of them.

use std::time::Duration;

use super::hosts::Denied;
use crate::error::OVER;
use crate::limits::sizes::size_text;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("Invalid URL")]
    InvalidUrl,
    #[error("fetch failed: the path and query of a URL may have at most {0} bytes")]
    UrlTooLong(usize),
    #[error("Request cannot be constructed from a URL that includes credentials: {0}")]
    Credentials(String),
    #[error("'{0}' HTTP method is unsupported.")]
    Method(String),
    #[error("Request with GET/HEAD method cannot have body.")]
    BodyOfGet,
    #[error("Invalid header: {0}")]
    Header(String),
    #[error("Plugin \"{plugin}\": too many redirects (max {max})")]
    TooManyRedirects { plugin: String, max: usize },
    #[error("fetch failed: the answer is a redirect, and redirect is \"error\"")]
    Redirected,
    #[error("fetch failed: a stream can't be sent a second time, to where the redirect leads")]
    NotReplayable,
    #[error("fetch failed: port {0} is one that browsers and Node refuse, too")]
    BadPort(u16),
    #[error("fetch failed: the host name {0} could not be resolved")]
    Unresolved(String),
    #[error("fetch failed: {host} could not be connected to: {why}")]
    Connect { host: String, why: String },
    #[error("fetch failed: no TLS with {host}: {why}")]
    Tls { host: String, why: String },
    #[error("fetch failed: {what} took more than {} s", .limit.as_secs_f32())]
    Stalled { what: &'static str, limit: Duration },
    #[error("fetch failed: the answer can't be read: {0}")]
    Broken(String),
    #[error("fetch failed: the server answered with status {0}, which is none")]
    Status(u16),
    #[error("The body of a request may have at most {}", size_text(*.0))]
    RequestTooLarge(usize),
    #[error("The body of a response may have at most {} when decoded", size_text(*.0))]
    ResponseTooLarge(usize),
    #[error("fetch failed: the body could not be read from the plugin")]
    BodyLost,
    #[error("{OVER}")]
    Over,
}

/// For a cause that says it in several levels: all of them, since the last one tells.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their source's words.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
