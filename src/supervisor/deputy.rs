//! Who acts for an actor that sleeps: JavaScript's own thread.
//!
//! To wake the io thread, only to have it write a frame to a plugin's process, takes as long as the frame's way there. So
//! an actor that has nothing to do leaves what is needed for that on its desk. Until it wakes up, JavaScript's thread may
//! send a small call, or the answer to one of the plugin's, itself, and notes it down; the actor reads the notes before it
//! does anything else. All that is not simple takes the long way, a command to the actor: then nothing may be sent from
//! the desk any more, so that no call or answer overtakes another one.
//!
//! The actor must still be awake in time for limits. It says when it will wake up by itself and when it would have to for
//! a call that begins now; where the first is later, it is woken, once the frame is out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::host_calls::{HostCalls, MAX_CALLS_OF_ONE};
use super::message::{Answer, Kind};
use super::outbox::Names;
use crate::channel::{Writer, frame};
use crate::error::Refusal;
use crate::json;
use crate::limits::sizes::MAX_DEPTH;
use crate::workerd::CpuClock;

/// What is longer keeps a thread busy, and goes out faster in one piece with others.
const MAX_BYTES: usize = 16 * 1024;

/// With more under way than this, it is cheaper to have the io thread write for many at once.
const MAX_UNDER_WAY: usize = 4;

const _: () = assert!(MAX_UNDER_WAY < MAX_CALLS_OF_ONE);

/// What an actor leaves for others while it sleeps.
pub(super) struct Deputy<W> {
    pub(super) writer: Arc<Writer>,
    pub(super) clock: CpuClock,
    /// What the clock may show without the kernel's bound coming too near.
    pub(super) may_use: Duration,
    pub(super) names: Arc<Names>,
    pub(super) calls: HostCalls<W>,
    /// The number of the next invocation.
    pub(super) next: u64,
    /// Invocations that had begun before it went to sleep and are not answered.
    pub(super) in_flight: usize,
    /// When it wakes up by itself.
    pub(super) wakes_at: Option<Instant>,
    /// How soon it has to look at an invocation that begins.
    pub(super) looks_within: Duration,
    pub(super) begun: Vec<Begun>,
    /// The invocations whose calls were answered.
    pub(super) answered: Vec<u64>,
    /// A command is on its way to it.
    pub(super) is_relieved: bool,
}

/// An invocation that has been sent.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) request: u64,
    /// `hook:…` or `route:…`.
    pub(super) label: String,
    pub(super) at: Instant,
    /// What the process's clock showed.
    pub(super) used: Duration,
}

/// What has become of a call or an answer that was left at the desk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Dealt<T> {
    /// It is out.
    Sent,
    /// It is out, and the actor is to wake up.
    SentAndWake,
    /// It is for the actor.
    Back(T),
}

pub(super) struct Desk<W>(Mutex<Option<Deputy<W>>>);

impl<W> Default for Desk<W> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<W> Desk<W> {
    /// The actor goes to sleep. Asked within the lock, so that it can tell whether a command has come.
    pub(super) fn leave(&self, deputy: impl FnOnce() -> Option<Deputy<W>>) {
        let mut desk = self.lock();
        *desk = deputy();
    }

    /// The actor is awake: what it had left, if it had. `before` is done within the lock.
    pub(super) fn take(&self, before: impl FnOnce(&Deputy<W>)) -> Option<Deputy<W>> {
        let mut desk = self.lock();
        desk.as_ref().inspect(|deputy| before(deputy));
        desk.take()
    }

    /// Asks `then` with the number of invocations that were sent from here and that the actor has not heard of.
    pub(super) fn begun<T>(&self, then: impl FnOnce(usize) -> T) -> T {
        let desk = self.lock();
        then(desk.as_ref().map_or(0, |deputy| deputy.begun.len()))
    }

    /// Passes a command on to the actor: from now on all goes to it, until it has slept again.
    pub(super) fn relieve<T>(&self, command: impl FnOnce() -> T) -> T {
        let mut desk = self.lock();
        if let Some(deputy) = &mut *desk {
            deputy.is_relieved = true;
        }
        // Within the lock, or the actor could fall asleep between the two.
        command()
    }

    /// Sends a call whose payload is JSON text.
    pub(super) fn invoke(&self, request: u64, kind: Kind, name: &str, payload: String) -> Dealt<String> {
        match &mut *self.lock() {
            Some(deputy) => deputy.invoke(request, kind, name, payload),
            None => Dealt::Back(payload),
        }
    }

    /// Sends the host's answer to a call of the plugin.
    pub(super) fn answer(
        &self,
        call: u64,
        result: Result<Answer, Refusal>,
    ) -> Dealt<Result<Answer, Refusal>> {
        match &mut *self.lock() {
            Some(deputy) => deputy.answer(call, result),
            None => Dealt::Back(result),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Deputy<W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Deputy<W> {
    fn invoke(&mut self, request: u64, kind: Kind, name: &str, payload: String) -> Dealt<String> {
        let is_simple = !self.is_relieved
            && payload.len() <= MAX_BYTES
            && self.under_way() < MAX_UNDER_WAY
            && self.names.has(kind, name)
            && json::extent(&payload).depth <= MAX_DEPTH;
        if !is_simple {
            return Dealt::Back(payload);
        }
        // The actor tells what is wrong with a process that has no clock, and moves the kernel's bound on.
        let Some(used) = self.clock.read().ok().filter(|used| *used <= self.may_use) else {
            return Dealt::Back(payload);
        };
        let number = self.next + self.begun.len() as u64;
        if self
            .writer
            .send_now(frame::invoke(number, kind.field(), name, &payload))
            .is_err()
        {
            return Dealt::Back(payload);
        }
        let at = Instant::now();
        let label = format!("{}:{name}", kind.field());
        self.begun.push(Begun {
            request,
            label,
            at,
            used,
        });
        match self
            .wakes_at
            .is_some_and(|wakes_at| wakes_at <= at + self.looks_within)
        {
            true => Dealt::Sent,
            false => Dealt::SentAndWake,
        }
    }

    fn answer(&mut self, call: u64, result: Result<Answer, Refusal>) -> Dealt<Result<Answer, Refusal>> {
        if self.is_relieved || self.calls.len() > MAX_UNDER_WAY {
            return Dealt::Back(result);
        }
        let Some(guests) = self.calls.guests(call).filter(|_| is_simple(&result)) else {
            return Dealt::Back(result);
        };
        let text = match &result {
            Ok(answer) => frame::result(guests, answer.value.as_deref()),
            Err(refusal) => frame::refusal(guests, refusal),
        };
        // Call 0 wants no answer.
        if guests != 0 && self.writer.send_now(text).is_err() {
            return Dealt::Back(result);
        }
        let had_room = self.calls.has_room();
        // So few are under way that none waits for its turn.
        let ended = self.calls.end(call);
        self.answered.extend(ended.map(|(_, invocation, _)| invocation));
        // It reads on when there is room, and may stop the process some time after the last of them.
        let is_awaited = !had_room || (self.calls.is_empty() && self.under_way() == 0);
        if is_awaited {
            Dealt::SentAndWake
        } else {
            Dealt::Sent
        }
    }

    fn under_way(&self) -> usize {
        self.in_flight + self.begun.len()
    }
}

fn is_simple(result: &Result<Answer, Refusal>) -> bool {
    match result {
        Ok(Answer { value, bytes: None }) => value.as_deref().is_none_or(is_small_json),
        Ok(Answer { bytes: Some(_), .. }) => false,
        Err(refusal) => refusal.message.len() <= MAX_BYTES,
    }
}

/// It is spliced into a frame: it must be one JSON value, whatever a row of the database held.
fn is_small_json(text: &str) -> bool {
    text.len() <= MAX_BYTES && serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
#[path = "deputy_tests.rs"]
mod tests;
