//! The half of the actor that listens to the guest: its answers, its `ctx` calls, and what the host says to those.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::Plugin;
use crate::bridge::{self, LogLine, Method, Operation};
use crate::channel::FetchAsk;
use crate::channel::frame::{self, Incoming};
use crate::egress::Grant;
use crate::error::{Error, ErrorCode, Refusal};
use crate::json;
use crate::supervisor::message::Answer;
use crate::supervisor::outbox::{Event, Log};
use crate::workerd::sanitise_text;

/// Values that an answer, or the arguments of a call, may hold. JavaScript builds an object of fifty bytes or more from
/// each two of text: without this bound, 64 MB of them would end the host with the plugin.
const MAX_VALUES: usize = 500_000;

impl Plugin {
    pub(super) async fn on_frame(&mut self, text: &str) {
        match Incoming::parse(text) {
            Ok(Incoming::Call {
                call,
                invocation,
                method,
                body,
            }) => self.on_guest_call(call, invocation, &method, body),
            Ok(Incoming::Answer { invocation, outcome }) => {
                let Some(waiting) = self.invocations.answer(invocation) else {
                    return;
                };
                match outcome {
                    Ok(Some(value)) if json::values(value.get()) > MAX_VALUES => {
                        let message = format!("its answer holds more than {MAX_VALUES} values");
                        self.fail(waiting.request, Error::new(ErrorCode::Threw, message));
                    }
                    Ok(value) => self.done(waiting.request, value.map(|value| value.get().to_owned())),
                    Err(thrown) => {
                        let message = sanitise_text(&thrown.message.0);
                        let code = thrown.route_error().map_or(ErrorCode::Threw, ErrorCode::Route);
                        self.fail(waiting.request, Error::new(code, message));
                    }
                }
            }
            Ok(Incoming::Ready { .. } | Incoming::Broken { .. }) | Err(_) => {
                self.on_gone(Some(format!("it sent {}", frame::FrameError))).await;
            }
        }
    }

    fn on_guest_call(&mut self, call: u64, invocation: u64, method: &str, body: &RawValue) {
        let Some(until) = self.invocations.authority(invocation, Instant::now()) else {
            return self.send_to_guest(call, Err("the hook or route that made this call is over".into()));
        };
        if json::values(body.get()) > MAX_VALUES {
            let message = format!("The arguments of a call may hold at most {MAX_VALUES} values");
            return self.send_to_guest(call, Err(message.into()));
        }
        match bridge::parse(method, body, &self.grants) {
            Err(error) => self.send_to_guest(call, Err(error.to_string().into())),
            Ok(operation) if operation.method == Method::Log => {
                self.log(operation.args);
                self.send_to_guest(call, Ok(Answer::json("null")));
            }
            Ok(operation) => {
                let upload = match self.upload_of(&operation) {
                    Ok(upload) => upload,
                    Err(message) => return self.send_to_guest(call, Err(message.into())),
                };
                let arguments: usize = operation.args.iter().flatten().map(String::len).sum();
                let bytes = arguments + upload.as_ref().map_or(0, Bytes::len);
                let number = self.calls.begin(call, bytes);
                let (plugin, authority) = (self.subject.number, self.authority.until(until));
                self.outbox.push(Event::Call {
                    plugin,
                    call: number,
                    operation,
                    upload,
                    authority,
                });
            }
        }
    }

    /// A fetch is a `ctx` call like the others; only its bodies go another way.
    pub(super) fn on_fetch(&self, FetchAsk { invocation, reply }: FetchAsk) {
        let grant = match self.invocations.authority(invocation, Instant::now()) {
            None => Err("the hook or route that made this call is over".to_owned()),
            Some(until) => bridge::reach(
                &self.subject.manifest.id,
                &self.grants,
                &self.subject.manifest.allowed_hosts,
            )
            .map(|reach| Grant {
                reach,
                ended: Box::pin(self.authority.until(until).ended()),
            })
            .map_err(|error| error.to_string()),
        };
        // Whoever asked may have gone.
        let _ = reply.send(grant);
    }

    /// The bytes that an upload names by the number under which they wait.
    fn upload_of(&self, operation: &Operation) -> Result<Option<Bytes>, &'static str> {
        if operation.method != Method::MediaUpload {
            return Ok(None);
        }
        let number = operation
            .args
            .last()
            .and_then(|number| number.as_ref()?.parse().ok());
        let upload = number.and_then(|number| self.state.session()?.channel.upload(number));
        upload.map(Some).ok_or("the bytes of this upload are not there")
    }

    pub(super) fn on_answer(&mut self, call: u64, result: Result<Answer, Refusal>) {
        let Some(call) = self.calls.end(call) else {
            return;
        };
        // The answer is spliced into a frame: it must be one JSON value, whatever a row of the database held.
        let result = match result {
            Ok(Answer {
                value: Some(text), ..
            }) if serde_json::from_str::<&RawValue>(&text).is_err() => {
                Err("the host's answer can't be read".into())
            }
            result => result,
        };
        self.send_to_guest(call, result);
    }

    fn send_to_guest(&mut self, call: u64, result: Result<Answer, Refusal>) {
        // Call 0 wants no answer.
        let (Some(session), 1..) = (self.state.session_mut(), call) else {
            return;
        };
        match result {
            Ok(Answer { value, bytes: None }) => session.channel.send(frame::result(call, value.as_deref())),
            Ok(Answer {
                value,
                bytes: Some(bytes),
            }) => {
                let frame = frame::result_with_bytes(call, value.as_deref().unwrap_or("{}"));
                session.channel.send_with_bytes(frame, call, bytes);
            }
            Err(refusal) => session.channel.send(frame::refusal(call, &refusal)),
        }
    }

    fn log(&self, args: Vec<Option<String>>) {
        let LogLine { level, message, data } = LogLine::new(args);
        self.outbox.push(Event::Log(Log::Plugin {
            plugin_id: Arc::clone(&self.label),
            level,
            message,
            data,
        }));
    }
}
