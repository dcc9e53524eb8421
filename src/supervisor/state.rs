//! What a plugin's process is doing: the states, and how each event moves one to the next. Pure; `plugin/` acts on it.

use tokio::time::Instant;

/// | state | `Call` | `Started` | `StartFailed` | `Gone` | `Terminate` | `Drained` |
/// |---|---|---|---|---|---|---|
/// | `Idle` | `Starting` | – | – | – | `Ended` | – |
/// | `Starting` | waits | `Serving` | `Failed` | – | `Ended` | – |
/// | `Serving` | sent | – | – | `Idle` | `Draining` | – |
/// | `Failed` | refused, or `Starting` | – | – | – | `Ended` | – |
/// | `Draining` | refused | – | – | `Ended` | joins | `Ended` |
/// | `Ended` | refused | – | – | – | – | – |
///
/// `S` is what a running process is to the actor (dropping it ends the process), `C` a call that waits for one.
#[derive(Debug)]
pub(super) enum State<S, C> {
    /// No process; the next call starts one.
    Idle,
    /// A process is on its way; calls wait for it.
    Starting {
        waiting: Vec<C>,
    },
    Serving(S),
    /// The start failed. Until the retry time calls fail for the same reason, so that a plugin that can't start does not
    /// cost every page view a process.
    Failed {
        reason: String,
        retry_at: Instant,
    },
    /// Unloaded: its calls in flight may end.
    Draining(S),
    Ended,
}

#[derive(Debug)]
pub(super) enum Input<S, C> {
    Call(C),
    Started(S),
    StartFailed {
        reason: String,
        retry_at: Instant,
    },
    /// The process ended, or can't be talked to.
    Gone,
    Terminate,
    /// Nothing is in flight any more, or the time for it is up.
    Drained,
}

/// What the actor has to do, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect<S, C> {
    Start,
    /// Give up the start that is under way.
    CancelStart,
    Send(C),
    Refuse(C, String),
    /// End this process and wait until it is gone.
    Stop(S),
}

/// The reason that a call on an unloaded plugin gets.
pub(super) const UNLOADED: &str = "it was unloaded";

impl<S, C> State<S, C> {
    /// Moves on, and tells through `effects` what is to be done.
    pub(super) fn step(&mut self, input: Input<S, C>, now: Instant, effects: &mut Vec<Effect<S, C>>) {
        let state = std::mem::replace(self, Self::Ended);
        *self = state.next(input, now, effects);
    }

    fn next(self, input: Input<S, C>, now: Instant, effects: &mut Vec<Effect<S, C>>) -> Self {
        match (self, input) {
            (Self::Serving(session), Input::Call(call)) => {
                effects.push(Effect::Send(call));
                Self::Serving(session)
            }
            (Self::Idle, Input::Call(call)) => Self::start(call, effects),
            (Self::Failed { retry_at, .. }, Input::Call(call)) if retry_at <= now => {
                Self::start(call, effects)
            }
            (Self::Failed { reason, retry_at }, Input::Call(call)) => {
                effects.push(Effect::Refuse(call, reason.clone()));
                Self::Failed { reason, retry_at }
            }
            (Self::Starting { mut waiting }, Input::Call(call)) => {
                waiting.push(call);
                Self::Starting { waiting }
            }
            (state @ (Self::Draining(_) | Self::Ended), Input::Call(call)) => {
                effects.push(Effect::Refuse(call, UNLOADED.into()));
                state
            }

            (Self::Starting { waiting }, Input::Started(session)) => {
                effects.extend(waiting.into_iter().map(Effect::Send));
                Self::Serving(session)
            }
            (Self::Starting { waiting }, Input::StartFailed { reason, retry_at }) => {
                refuse_all(waiting, &reason, effects);
                Self::Failed { reason, retry_at }
            }

            (Self::Serving(session), Input::Gone) => {
                effects.push(Effect::Stop(session));
                Self::Idle
            }
            (Self::Draining(session), Input::Gone | Input::Drained) => {
                effects.push(Effect::Stop(session));
                Self::Ended
            }

            (Self::Idle | Self::Failed { .. }, Input::Terminate) => Self::Ended,
            (Self::Starting { waiting }, Input::Terminate) => {
                effects.push(Effect::CancelStart);
                refuse_all(waiting, UNLOADED, effects);
                Self::Ended
            }
            (Self::Serving(session), Input::Terminate) => Self::Draining(session),

            // A process that nobody asked for any more must not stay.
            (state, Input::Started(session)) => {
                effects.push(Effect::Stop(session));
                state
            }
            (state, Input::StartFailed { .. } | Input::Gone | Input::Terminate | Input::Drained) => state,
        }
    }

    fn start(call: C, effects: &mut Vec<Effect<S, C>>) -> Self {
        effects.push(Effect::Start);
        Self::Starting { waiting: vec![call] }
    }

    /// The process, where there is one to talk to.
    pub(super) fn session(&self) -> Option<&S> {
        match self {
            Self::Serving(session) | Self::Draining(session) => Some(session),
            Self::Idle | Self::Starting { .. } | Self::Failed { .. } | Self::Ended => None,
        }
    }

    /// As [`State::session`].
    pub(super) fn session_mut(&mut self) -> Option<&mut S> {
        match self {
            Self::Serving(session) | Self::Draining(session) => Some(session),
            Self::Idle | Self::Starting { .. } | Self::Failed { .. } | Self::Ended => None,
        }
    }
}

fn refuse_all<S, C>(calls: Vec<C>, reason: &str, effects: &mut Vec<Effect<S, C>>) {
    effects.extend(
        calls
            .into_iter()
            .map(|call| Effect::Refuse(call, reason.to_owned())),
    );
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
