//! The half of the actor that serves calls: to the guest, and back to whoever made them.

use std::time::Duration;

use tokio::time::Instant;

use super::Plugin;
use crate::channel::{MAX_LARGE_FRAME_BYTES, frame};
use crate::error::{Error, ErrorCode};
use crate::json;
use crate::limits::cpu::End;
use crate::limits::ms_text;
use crate::limits::sizes::MAX_DEPTH;
use crate::supervisor::message::{Call, Kind};
use crate::supervisor::outbox::Event;
use crate::supervisor::state::{Input, State};
use crate::workerd::sanitise_line;

/// How much longer than a start may take a call waits, so that a start that fails at its deadline says why itself. It
/// counts for calls that wait for the turn of their start, too.
const PATIENCE: Duration = Duration::from_millis(500);

/// Invocations of one plugin that are under way, or wait for its process. A site that is asked more often than its plugin
/// answers must say so before it holds everybody's requests in memory.
const MAX_INVOCATIONS: usize = 1000;

/// What a frame holds besides an event: numbers, and the name of a hook or route.
const FRAME_BYTES: usize = 64 * 1024;

impl Plugin {
    pub(super) async fn on_call(&mut self, call: Call) {
        // A name that the plugin does not have needs no process.
        if let (
            Call::Invoke {
                request, kind, name, ..
            },
            Some(names),
        ) = (&call, &self.names)
            && !names.has(*kind, name)
            && !matches!(self.state, State::Draining(_))
        {
            return self.answer_missing(*request, *kind, name);
        }
        if let Some((request, error)) = self.objection(&call) {
            return self.fail(request, error);
        }
        let may_wait_until = Instant::now() + self.subject.timing.start + PATIENCE;
        self.step(Input::Call(call, may_wait_until)).await;
    }

    /// Why it can't take this call as well.
    fn objection(&self, call: &Call) -> Option<(u64, Error)> {
        let Call::Invoke { request, payload, .. } = call else {
            return None;
        };
        let error = if payload.len() > MAX_LARGE_FRAME_BYTES - FRAME_BYTES {
            let mib = MAX_LARGE_FRAME_BYTES / 1024 / 1024;
            let message = format!("what it is called with is more than {mib} MiB as JSON");
            Error::new(ErrorCode::Threw, message)
        } else if self.invocations.len() + self.state.waiting() >= MAX_INVOCATIONS {
            Error::unavailable(format!(
                "{MAX_INVOCATIONS} calls of it are under way or wait, and it takes no more"
            ))
        } else if json::extent(payload).depth > MAX_DEPTH + 1 {
            // Its own object, in which the event stands, is a level.
            let message = format!("what it is called with is nested more than {MAX_DEPTH} levels deep");
            Error::new(ErrorCode::Threw, message)
        } else if !self.state.session()?.channel.budget().takes(payload.len()) {
            Error::unavailable(
                "it has not read what the calls before this one brought, and that is too much together",
            )
        } else {
            return None;
        };
        Some((*request, error))
    }

    pub(super) fn send(&mut self, call: Call) {
        self.last_used = Instant::now();
        let (request, kind, name, payload) = match call {
            Call::Start { request } => {
                return request.into_iter().for_each(|request| self.done(request, None));
            }
            Call::Invoke {
                request,
                kind,
                name,
                payload,
            } => (request, kind, name, payload),
        };
        if self.names.as_ref().is_some_and(|names| !names.has(kind, &name)) {
            return self.answer_missing(request, kind, &name);
        }
        let Some(session) = self.state.session_mut() else {
            return;
        };
        let label = format!("{}:{name}", kind.field());
        let number = self.invocations.begin(request, label, self.last_used);
        session.watch.begin(&session.process, number, self.last_used);
        session
            .channel
            .send(frame::invoke(number, kind.field(), &name, &payload));
    }

    fn answer_missing(&self, request: u64, kind: Kind, name: &str) {
        match kind {
            Kind::Hook => self.done(request, None),
            Kind::Route => {
                let message = sanitise_line(format!("Route not found: {name}").as_bytes());
                self.fail(request, Error::new(ErrorCode::Threw, message));
            }
        }
    }

    pub(super) fn refuse(&self, call: Call, reason: String) {
        match call {
            Call::Invoke { request, .. }
            | Call::Start {
                request: Some(request),
            } => {
                self.fail(request, Error::unavailable(reason));
            }
            Call::Start { request: None } => {}
        }
    }

    pub(super) fn fail_in_flight(&mut self, reason: &str) {
        for waiting in self.invocations.close() {
            self.outbox.push(Event::Failed {
                request: waiting.request,
                error: Error::unavailable(reason),
            });
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((number, waiting)) = self.invocations.expire(now) {
            self.end_watch(number, End::Expired, now);
            self.leftovers += 1;
            let limit = ms_text(self.subject.limits.wall_time);
            self.fail(waiting.request, Error::new(ErrorCode::WallTime, limit));
        }
    }

    /// Its answer is there, or comes too late.
    pub(super) fn end_watch(&mut self, invocation: u64, end: End, now: Instant) {
        if let Some(session) = self.state.session_mut() {
            session.watch.end(&session.process, invocation, end, now);
        }
        self.tell_used(now);
    }

    /// For `status()`, before whoever waits for an answer can ask it.
    pub(super) fn tell_used(&mut self, now: Instant) {
        if let Some(session) = self.state.session_mut() {
            let (cpu, memory) = session.watch.take_used(&session.process, now);
            self.subject.board.used(cpu, memory);
        }
    }

    pub(super) fn done(&self, request: u64, value: Option<String>) {
        self.outbox.push(Event::Done { request, value });
    }

    pub(super) fn fail(&self, request: u64, error: Error) {
        self.outbox.push(Event::Failed { request, error });
    }
}
