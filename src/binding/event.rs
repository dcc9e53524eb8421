//! What crosses to JavaScript: plain objects, told apart by `kind`.

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::supervisor::{Event, Log, Names};
use crate::workerd::Stream;

/// A message of the addon. `null` is none.
#[allow(missing_debug_implementations, reason = "napi's Buffer has none")]
#[napi(
    discriminant = "kind",
    discriminant_case = "lowercase",
    object_from_js = false,
    use_nullable = true
)]
pub enum NativeEvent {
    /// A plugin's process is ready.
    Ready {
        plugin: u32,
        hooks: Vec<String>,
        routes: Vec<String>,
    },
    /// A plugin's process did not come to serve.
    Broken { plugin: u32 },
    /// A request is answered: JSON text, or `null` for `undefined`.
    Done { request: f64, value: Option<String> },
    /// A request failed: a code of the closed set, and a fragment. `stack` has the lines of the plugin's own code where
    /// it threw.
    Failed {
        request: f64,
        code: String,
        message: String,
        stack: Option<String>,
    },
    /// An operation to carry out. A string argument is itself, any other is JSON text, an absent one `null`.
    Call {
        plugin: u32,
        call: f64,
        method: String,
        #[napi(ts_type = "Array<string | null>")]
        args: Vec<Option<String>>,
        /// The bytes of a file that it brings.
        upload: Option<Buffer>,
    },
    /// A line for the operator: from a plugin's `ctx.log`, its process's output (`stdout`, `stderr`), or the addon
    /// (`notice`). `data` is JSON text.
    Log {
        source: String,
        plugin_id: Option<String>,
        level: String,
        message: String,
        data: Option<String>,
    },
}

impl From<Event> for NativeEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Ready { plugin, names } => {
                let Names { hooks, routes } = (*names).clone();
                Self::Ready {
                    plugin,
                    hooks,
                    routes,
                }
            }
            Event::StartFailed { plugin } => Self::Broken { plugin },
            Event::Done { request, value } => Self::Done {
                request: number(request),
                value,
            },
            Event::Failed { request, error } => Self::Failed {
                request: number(request),
                code: error.code.name().to_owned(),
                message: error.message,
                stack: error.stack,
            },
            Event::Call {
                plugin,
                call,
                operation,
                upload,
                ..
            } => Self::Call {
                plugin,
                call: number(call),
                method: operation.name().to_owned(),
                args: operation.args,
                upload: upload.map(Into::into),
            },
            Event::Log(log) => log.into(),
        }
    }
}

impl From<Log> for NativeEvent {
    fn from(log: Log) -> Self {
        let line = |source: &str, plugin_id, level: &str, message| Self::Log {
            source: source.to_owned(),
            plugin_id,
            level: level.to_owned(),
            message,
            data: None,
        };
        match log {
            Log::Plugin {
                plugin_id,
                level,
                message,
                data,
            } => Self::Log {
                source: "plugin".into(),
                plugin_id: Some(plugin_id.to_string()),
                level,
                message,
                data,
            },
            Log::Output {
                plugin_id,
                stream: Stream::Out,
                line: text,
            } => line("stdout", Some(plugin_id.to_string()), "info", text),
            Log::Output {
                plugin_id,
                stream: Stream::Err,
                line: text,
            } => line("stderr", Some(plugin_id.to_string()), "warn", text),
            Log::Notice { plugin_id, message } => {
                line("notice", plugin_id.map(|id| id.to_string()), "warn", message)
            }
        }
    }
}

/// Requests and calls are counted from 1; 2^53 of them are out of reach.
#[expect(clippy::cast_precision_loss, reason = "counters stay far below 2^53")]
pub(super) fn number(counter: u64) -> f64 {
    counter as f64
}
