//! The checks of a plugin's call alone, for `createBridgeHandler`, which has no process to call from.

use napi_derive::napi;

use crate::bridge::{self, Grants, LogLine, Method};
use crate::manifest::Capabilities;

/// What `checkCall` gives back: a refusal is data. Exactly one of the two is not `null`.
#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct CheckedCall {
    /// What the plugin is told.
    pub error: Option<String>,
    /// As in a `call` event. Those of `log` are safe to print.
    #[napi(ts_type = "Array<string | null>")]
    pub args: Option<Vec<Option<String>>>,
}

/// Checks a call against the table of operations. `body` is JSON text. The capabilities count as they are: none is
/// implied by another, save that unrestricted network access includes the restricted one.
#[napi(catch_unwind)]
pub fn check_call(
    method: String,
    body: String,
    capabilities: Vec<String>,
    collections: Vec<String>,
) -> CheckedCall {
    let grants = Grants {
        capabilities: Capabilities::strict(capabilities),
        collections: collections.into_iter().collect(),
        ..Grants::default()
    };
    match bridge::parse_text(&method, &body, &grants) {
        Err(error) => CheckedCall {
            error: Some(error.to_string()),
            args: None,
        },
        Ok(operation) => {
            let is_log = operation.method == Method::Log;
            let args = operation.args;
            let args = if is_log {
                LogLine::new(args).into_args()
            } else {
                args
            };
            CheckedCall {
                error: None,
                args: Some(args),
            }
        }
    }
}
