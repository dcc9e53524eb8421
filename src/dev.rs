//! The development runner's share: it runs plugins in miniflare (`host/dev/`), with the same guest, and reads what a
//! manifest and a guest say by the same rules as the runner of processes.

use serde_json::value::RawValue;

use crate::bridge::{self, BridgeError, Grants, LogLine, Method};
use crate::channel::frame::Incoming;
use crate::error::Error;
use crate::limits::Limits;
use crate::manifest::{Capabilities, Manifest};
use crate::supervisor;
use crate::workerd::sanitise_line;

/// The worker that stands before a plugin's.
pub const GATE: &str = include_str!("../guest/dev-gate.js");

/// A plugin, before anything runs it.
#[derive(Debug)]
pub struct Description {
    pub manifest: Manifest,
    /// The id as a log may show it.
    pub label: String,
    /// JSON text for the guest.
    pub binding: String,
    pub code: String,
}

/// # Errors
/// When the manifest or the code can't be used, as at a load.
pub fn describe(
    manifest: &str,
    code: &[u16],
    limits: &Limits,
    site: &RawValue,
) -> Result<Description, Error> {
    let manifest = Manifest::parse(manifest)?;
    let code = supervisor::Code::parse(code)?.text;
    Ok(Description {
        label: sanitise_line(manifest.id.as_bytes()),
        binding: supervisor::binding(&manifest, site, limits),
        manifest,
        code,
    })
}

/// A frame of the guest, with what the host may make of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Ready {
        hooks: Vec<String>,
        routes: Vec<String>,
    },
    /// Safe to print.
    Broken {
        reason: String,
    },
    Call {
        call: u64,
        invocation: u64,
        /// The checked arguments; those of `log` are safe to print.
        checked: Result<(Method, Vec<Option<String>>), BridgeError>,
    },
    Answer {
        invocation: u64,
        /// JSON text, none for `undefined`; or what a handler threw.
        outcome: Result<Option<String>, Error>,
    },
}

/// `None` for what the guest's own code would not send.
#[must_use]
pub fn hear(text: &str, grants: &Grants) -> Option<Heard> {
    Some(match Incoming::parse(text).ok()? {
        Incoming::Ready { hooks, routes } => Heard::Ready { hooks, routes },
        Incoming::Broken { reason } => Heard::Broken {
            reason: supervisor::complaint_of_guest(&without_origin(&reason)),
        },
        Incoming::Call {
            call,
            invocation,
            method,
            body,
        } => Heard::Call {
            call,
            invocation,
            checked: bridge::parse(&method, body, grants).map(|operation| {
                let args = match operation.method {
                    Method::Log => LogLine::new(operation.args).into_args(),
                    _ => operation.args,
                };
                (operation.method, args)
            }),
        },
        Incoming::Answer { invocation, outcome } => Heard::Answer {
            invocation,
            outcome: outcome
                .map(|value| value.map(|value| value.get().to_owned()))
                .map_err(|thrown| supervisor::error_of(&thrown, &without_origin(thrown.stack()))),
        },
    })
}

/// What a workerd that did not start has said on its standard error, without what only repeats.
#[must_use]
pub fn explain(output: &[String]) -> String {
    let lines: Vec<String> = output
        .iter()
        .map(|line| line.strip_prefix(SERVICE).unwrap_or(line).to_owned())
        .collect();
    supervisor::explanation(&lines)
}

/// What grants are made of what crosses: names that [`describe`] gave out.
#[must_use]
pub fn grants(capabilities: Vec<String>, collections: Vec<String>) -> Grants {
    Grants {
        capabilities: Capabilities::strict(capabilities),
        collections: collections.into_iter().collect(),
        ..Grants::default()
    }
}

/// How workerd calls a worker of miniflare's that has the name of [`WORKER`].
const SERVICE: &str = "service core:user:plugin: ";

/// The name of the plugin's worker in miniflare.
pub const WORKER: &str = "plugin";

/// Miniflare gives modules an address; the author knows a file.
fn without_origin(stack: &str) -> String {
    stack.replace("file:///", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_reads_as_from_a_process_of_ours() {
        let stack = r#"{"broken":"it threw: Error: boom\n    at f (file:///plugin.js:1:25)\n    at file:///boot.js:101:22"}"#;
        let expected = Heard::Broken {
            reason: "it threw: Error: boom at f (plugin.js:1:25)".into(),
        };
        assert_eq!(hear(stack, &Grants::default()), Some(expected));
        let lines = [
            "service core:user:plugin: Uncaught SyntaxError: Unexpected identifier 'b'",
            "  at plugin.js:2:3",
        ];
        assert_eq!(
            explain(&lines.map(String::from)),
            "Uncaught SyntaxError: Unexpected identifier 'b' at plugin.js:2:3"
        );
    }

    #[test]
    fn what_a_handler_threw_has_its_place_as_from_a_process_of_ours() {
        let text =
            r#"{"answer":3,"error":{"message":"boom","stack":"\n    at run (file:///plugin.js:1:25)"}}"#;
        let Some(Heard::Answer {
            outcome: Err(error), ..
        }) = hear(text, &Grants::default())
        else {
            panic!("it threw")
        };
        assert_eq!(error.stack.as_deref(), Some("    at run (plugin.js:1:25)"));
    }

    #[test]
    fn a_call_is_checked_with_the_same_words() {
        let text =
            r#"{"call":7,"invocation":1,"method":"content/get","body":{"collection":"posts","id":"1"}}"#;
        let Some(Heard::Call {
            checked: Err(error), ..
        }) = hear(text, &Grants::default())
        else {
            panic!("not refused")
        };
        assert_eq!(error.to_string(), "Missing capability: content:read");
        let granted = grants(vec!["content:read".into()], vec![]);
        let Some(Heard::Call {
            checked: Ok((_, args)),
            ..
        }) = hear(text, &granted)
        else {
            panic!("refused")
        };
        assert_eq!(args, [Some("posts".to_owned()), Some("1".to_owned())]);
    }

    #[test]
    fn what_is_no_frame_is_nothing() {
        assert_eq!(hear("{}", &Grants::default()), None);
    }
}
