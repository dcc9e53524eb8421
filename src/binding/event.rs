//! What crosses to JavaScript: lists, told apart by the first element, the kind. `null` is none.
//!
//! Not objects: V8 takes more than a microsecond for each property that an addon gives to one, and a call is answered by an
//! event. `NativeRunner::drain` has their types for TypeScript, in the same order.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, Either7};

use crate::supervisor::{Event, Log, Names};
use crate::workerd::Stream;

type KindName = &'static str;

/// `ready`: a plugin's process is ready. Its number, and the names of its hooks and routes.
type Ready = (KindName, u32, Vec<String>, Vec<String>);
/// `broken`: a plugin's process did not come to serve.
type Broken = (KindName, u32);
/// `done`: a request is answered, with JSON text, or none for `undefined`.
type Done = (KindName, f64, Option<String>);
/// `failed`: a request failed. A code of the closed set, a fragment, and the lines of the plugin's own code where it threw.
type Failed = (KindName, f64, String, String, Option<String>);
/// `call`: an operation to carry out. The plugin, the call's number, its method; a string argument is itself, any other is
/// JSON text; and the bytes of a file that it brings.
type Call = (KindName, u32, f64, String, Vec<Option<String>>, Option<Buffer>);
/// `log`: a line for the operator. It is from a plugin's `ctx.log`, its process's output (`stdout`, `stderr`), or the addon
/// (`notice`); of which plugin, its level, its words, and JSON text.
type Line = (KindName, KindName, Option<String>, String, String, Option<String>);
/// `more`: the last of a list, when more wait.
type More = (KindName,);

pub(super) type NativeEvent = Either7<Ready, Broken, Done, Failed, Call, Line, More>;

pub(super) const MORE: NativeEvent = NativeEvent::G(("more",));

pub(super) fn native(event: Event) -> NativeEvent {
    match event {
        Event::Ready { plugin, names } => {
            let Names { hooks, routes } = (*names).clone();
            NativeEvent::A(("ready", plugin, hooks, routes))
        }
        Event::StartFailed { plugin } => NativeEvent::B(("broken", plugin)),
        Event::Done { request, value } => NativeEvent::C(("done", number(request), value)),
        Event::Failed { request, error } => {
            let code = error.code.name().to_owned();
            NativeEvent::D(("failed", number(request), code, error.message, error.stack))
        }
        Event::Call {
            plugin,
            call,
            operation,
            upload,
            ..
        } => {
            let method = operation.name().to_owned();
            let upload = upload.map(Buffer::from);
            NativeEvent::E(("call", plugin, number(call), method, operation.args, upload))
        }
        Event::Log(log) => NativeEvent::F(line(log)),
    }
}

fn line(log: Log) -> Line {
    let without_data = |source, plugin_id: Option<Arc<str>>, level: &str, message| {
        let plugin_id = plugin_id.map(|id| id.to_string());
        ("log", source, plugin_id, level.to_owned(), message, None)
    };
    match log {
        Log::Plugin {
            plugin_id,
            level,
            message,
            data,
        } => ("log", "plugin", Some(plugin_id.to_string()), level, message, data),
        Log::Output {
            plugin_id,
            stream: Stream::Out,
            line,
        } => without_data("stdout", Some(plugin_id), "info", line),
        Log::Output {
            plugin_id,
            stream: Stream::Err,
            line,
        } => without_data("stderr", Some(plugin_id), "warn", line),
        Log::Notice { plugin_id, message } => without_data("notice", plugin_id, "warn", message),
    }
}

/// Requests and calls are counted from 1; 2^53 of them are out of reach.
#[expect(clippy::cast_precision_loss, reason = "counters stay far below 2^53")]
pub(super) fn number(counter: u64) -> f64 {
    counter as f64
}
