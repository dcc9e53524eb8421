//! What a plugin's process is doing: the states, and how each event moves one to the next. Pure; `plugin/` acts on it.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::restart::Verdict;

/// `S` is what a running process is to the actor (dropping it ends the process), `C` a call that waits for one. A state
/// that an input is not listed for stays as it is. `docs/supervision.md` says the same in words.
///
/// | state | `Call` | `Started` | `StartFailed`, `Gone` | `Tick` | `Answered` | `Unused`; `Worn` | `Terminate` | `Drained` |
/// |---|---|---|---|---|---|---|---|---|
/// | `Idle` | `Starting` | | | | | | `Ended` | |
/// | `Starting` | waits | `Serving`, all are sent | by verdict, all are refused | the late are refused | | | `Ended` | |
/// | `Serving` | sent | | by verdict | | | `Idle`; `Starting` | `Draining` | |
/// | `Resting` | waits | | | `Starting`, when it is time; the late are refused | | | `Ended` | |
/// | `Failed` | refused; `Starting`, when it is time | | | | | | `Ended` | |
/// | `Open` | refused; `Probing`, when it is time | | | | | | `Ended` | |
/// | `Probing` | waits | `HalfOpen`, one is sent | by verdict, all are refused | the late are refused | | | `Ended` | |
/// | `HalfOpen` | waits | | by verdict, all are refused | the late are refused | `Serving`, all are sent | | `Draining` | |
/// | `Draining` | refused | | `Ended` | | | | | `Ended` |
/// | `Ended` | refused | | | | | | | |
///
/// By verdict: `Restart` leads to `Starting`, or to `Resting` until it is time; `Retry` to `Failed`; `Open` to `Open`.
#[derive(Debug)]
pub(super) enum State<S, C> {
    /// No process; the next call starts one.
    Idle,
    /// A process is on its way; calls wait for it.
    Starting {
        waiting: Waiting<C>,
    },
    Serving(S),
    /// It crashed, and starts again by itself: calls wait, since it is soon.
    Resting {
        waiting: Waiting<C>,
        until: Instant,
    },
    /// The start failed. Until the retry time calls fail for the same reason, so that a plugin that can't start does not
    /// cost every page view a process.
    Failed {
        reason: String,
        retry_at: Instant,
    },
    /// The circuit breaker: it failed too often. Calls fail; after a while one may try.
    Open {
        reason: String,
        until: Instant,
    },
    /// A process for the one call that may try, the first that waits.
    Probing {
        waiting: Waiting<C>,
    },
    /// The one call that may try is being served.
    HalfOpen {
        session: S,
        waiting: Waiting<C>,
    },
    /// Unloaded: its calls in flight may end.
    Draining(S),
    Ended,
}

#[derive(Debug)]
pub(super) enum Input<S, C> {
    /// A call, and until when it may wait for a process.
    Call(C, Instant),
    Started(S),
    StartFailed {
        reason: String,
        verdict: Verdict,
    },
    /// The process ended, or is no use any more.
    Gone {
        reason: String,
        verdict: Verdict,
    },
    /// The time of [`State::next_tick`] has come.
    Tick,
    /// Nothing that was sent is unanswered any more.
    Answered,
    /// It has served nobody for long.
    Unused,
    /// A fresh process is to take its place: it is full of work that nobody waits for.
    Worn,
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
    /// The call that tried was answered.
    Recovered,
}

/// Calls in the order in which they came, which is that of the moments until which they may wait.
pub(super) type Waiting<C> = VecDeque<(C, Instant)>;

/// The name of [`State::Ended`], the only one that `status()` does not tell.
pub(super) const ENDED: &str = "ended";

/// The reason that a call on an unloaded plugin gets.
pub(super) const UNLOADED: &str = "it was unloaded";

/// The reason of a call that waited as long as it may.
pub(super) const NOT_READY: &str = "its process was not ready in time";

impl<S, C> State<S, C> {
    /// Moves on, and tells through `effects` what is to be done.
    pub(super) fn step(&mut self, input: Input<S, C>, now: Instant, effects: &mut Vec<Effect<S, C>>) {
        let state = std::mem::replace(self, Self::Ended);
        *self = state.next(input, now, effects);
    }

    fn next(self, input: Input<S, C>, now: Instant, effects: &mut Vec<Effect<S, C>>) -> Self {
        match input {
            Input::Call(call, until) => self.on_call(call, until, now, effects),
            Input::Started(session) => self.on_started(session, effects),
            Input::StartFailed { reason, verdict } => match self {
                Self::Starting { waiting } | Self::Probing { waiting } => {
                    refuse_all(waiting, &reason, effects);
                    Self::failed(reason, verdict, now, effects)
                }
                state => state,
            },
            Input::Gone { reason, verdict } => self.on_gone(reason, verdict, now, effects),
            Input::Tick => self.on_tick(now, effects),
            Input::Answered => match self {
                Self::HalfOpen { session, waiting } => {
                    effects.push(Effect::Recovered);
                    send_all(waiting, effects);
                    Self::Serving(session)
                }
                state => state,
            },
            Input::Unused => match self {
                Self::Serving(session) => {
                    effects.push(Effect::Stop(session));
                    Self::Idle
                }
                state => state,
            },
            Input::Worn => match self {
                Self::Serving(session) => {
                    effects.push(Effect::Stop(session));
                    Self::start(Waiting::new(), effects)
                }
                state => state,
            },
            Input::Terminate => self.on_terminate(effects),
            Input::Drained => match self {
                Self::Draining(session) => {
                    effects.push(Effect::Stop(session));
                    Self::Ended
                }
                state => state,
            },
        }
    }

    fn on_call(self, call: C, until: Instant, now: Instant, effects: &mut Vec<Effect<S, C>>) -> Self {
        match self {
            Self::Serving(session) => {
                effects.push(Effect::Send(call));
                Self::Serving(session)
            }
            Self::Idle => Self::start([(call, until)].into(), effects),
            Self::Failed { retry_at, .. } if retry_at <= now => Self::start([(call, until)].into(), effects),
            Self::Open { until: closed, .. } if closed <= now => {
                effects.push(Effect::Start);
                Self::Probing {
                    waiting: [(call, until)].into(),
                }
            }
            Self::Failed { reason, retry_at } => {
                effects.push(Effect::Refuse(call, reason.clone()));
                Self::Failed { reason, retry_at }
            }
            Self::Open { reason, until } => {
                effects.push(Effect::Refuse(call, open_reason(&reason, until, now)));
                Self::Open { reason, until }
            }
            Self::Draining(_) | Self::Ended => {
                effects.push(Effect::Refuse(call, UNLOADED.into()));
                self
            }
            mut state => {
                if let Some(waiting) = state.queue_mut() {
                    waiting.push_back((call, until));
                }
                state
            }
        }
    }

    fn start(waiting: Waiting<C>, effects: &mut Vec<Effect<S, C>>) -> Self {
        effects.push(Effect::Start);
        Self::Starting { waiting }
    }

    fn on_started(self, session: S, effects: &mut Vec<Effect<S, C>>) -> Self {
        match self {
            Self::Starting { waiting } => {
                send_all(waiting, effects);
                Self::Serving(session)
            }
            Self::Probing { mut waiting } => match waiting.pop_front() {
                Some((first, _)) => {
                    effects.push(Effect::Send(first));
                    Self::HalfOpen { session, waiting }
                }
                // Who was to try has given up.
                None => Self::Serving(session),
            },
            // A process that nobody asked for any more must not stay.
            state => {
                effects.push(Effect::Stop(session));
                state
            }
        }
    }

    fn on_gone(
        self,
        reason: String,
        verdict: Verdict,
        now: Instant,
        effects: &mut Vec<Effect<S, C>>,
    ) -> Self {
        match self {
            Self::Serving(session) => {
                effects.push(Effect::Stop(session));
                Self::failed(reason, verdict, now, effects)
            }
            Self::HalfOpen { session, waiting } => {
                effects.push(Effect::Stop(session));
                refuse_all(waiting, &reason, effects);
                Self::failed(reason, verdict, now, effects)
            }
            Self::Draining(session) => {
                effects.push(Effect::Stop(session));
                Self::Ended
            }
            state => state,
        }
    }

    fn failed(reason: String, verdict: Verdict, now: Instant, effects: &mut Vec<Effect<S, C>>) -> Self {
        match verdict {
            Verdict::Restart(at) if at <= now => Self::start(Waiting::new(), effects),
            Verdict::Restart(until) => Self::Resting {
                waiting: Waiting::new(),
                until,
            },
            Verdict::Retry(retry_at) => Self::Failed { reason, retry_at },
            Verdict::Open(until) => Self::Open { reason, until },
        }
    }

    fn on_tick(mut self, now: Instant, effects: &mut Vec<Effect<S, C>>) -> Self {
        if let Some(waiting) = self.queue_mut() {
            while waiting.front().is_some_and(|(_, until)| *until <= now) {
                let late = waiting.pop_front().map(|(call, _)| call);
                effects.extend(late.map(|call| Effect::Refuse(call, NOT_READY.into())));
            }
        }
        match self {
            Self::Resting { waiting, until } if until <= now => Self::start(waiting, effects),
            state => state,
        }
    }

    fn on_terminate(self, effects: &mut Vec<Effect<S, C>>) -> Self {
        match self {
            Self::Idle | Self::Failed { .. } | Self::Open { .. } | Self::Ended => Self::Ended,
            Self::Starting { waiting } | Self::Probing { waiting } => {
                effects.push(Effect::CancelStart);
                refuse_all(waiting, UNLOADED, effects);
                Self::Ended
            }
            Self::Resting { waiting, .. } => {
                refuse_all(waiting, UNLOADED, effects);
                Self::Ended
            }
            Self::HalfOpen { session, waiting } => {
                refuse_all(waiting, UNLOADED, effects);
                Self::Draining(session)
            }
            Self::Serving(session) | Self::Draining(session) => Self::Draining(session),
        }
    }

    /// When the next [`Input::Tick`] is due.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let rests_until = match self {
            Self::Resting { until, .. } => Some(*until),
            _ => None,
        };
        let late = self.queue().and_then(VecDeque::front).map(|(_, until)| *until);
        late.into_iter().chain(rests_until).min()
    }

    /// The calls that wait for a process.
    pub(super) fn waiting_calls(&self) -> impl Iterator<Item = &C> {
        self.queue().into_iter().flatten().map(|(call, _)| call)
    }

    /// How many they are.
    pub(super) fn waiting(&self) -> usize {
        self.queue().map_or(0, VecDeque::len)
    }

    fn queue(&self) -> Option<&Waiting<C>> {
        match self {
            Self::Starting { waiting }
            | Self::Resting { waiting, .. }
            | Self::Probing { waiting }
            | Self::HalfOpen { waiting, .. } => Some(waiting),
            _ => None,
        }
    }

    /// As [`State::queue`].
    fn queue_mut(&mut self) -> Option<&mut Waiting<C>> {
        match self {
            Self::Starting { waiting }
            | Self::Resting { waiting, .. }
            | Self::Probing { waiting }
            | Self::HalfOpen { waiting, .. } => Some(waiting),
            _ => None,
        }
    }

    /// The process, where there is one to talk to.
    pub(super) fn session(&self) -> Option<&S> {
        match self {
            Self::Serving(session) | Self::HalfOpen { session, .. } | Self::Draining(session) => {
                Some(session)
            }
            _ => None,
        }
    }

    /// As [`State::session`].
    pub(super) fn session_mut(&mut self) -> Option<&mut S> {
        match self {
            Self::Serving(session) | Self::HalfOpen { session, .. } | Self::Draining(session) => {
                Some(session)
            }
            _ => None,
        }
    }

    /// As `status()` says it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Starting { .. } => "starting",
            Self::Serving(_) => "serving",
            Self::Resting { .. } => "resting",
            Self::Failed { .. } => "failed",
            Self::Open { .. } => "open",
            Self::Probing { .. } => "probing",
            Self::HalfOpen { .. } => "half-open",
            Self::Draining(_) => "draining",
            Self::Ended => ENDED,
        }
    }
}

fn send_all<S, C>(calls: Waiting<C>, effects: &mut Vec<Effect<S, C>>) {
    effects.extend(calls.into_iter().map(|(call, _)| Effect::Send(call)));
}

fn refuse_all<S, C>(calls: Waiting<C>, reason: &str, effects: &mut Vec<Effect<S, C>>) {
    effects.extend(
        calls
            .into_iter()
            .map(|(call, _)| Effect::Refuse(call, reason.to_owned())),
    );
}

fn open_reason(reason: &str, until: Instant, now: Instant) -> String {
    let wait = until.duration_since(now).as_secs_f64().ceil();
    format!("{reason}; it failed too often, so the next try is in {wait} s")
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod recovery_tests;
