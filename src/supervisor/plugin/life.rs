//! The half of the actor that starts and ends the plugin's process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::breach::Breach;
use super::{Drain, Plugin};
use crate::supervisor::authority::LoadAuthority;
use crate::supervisor::message::Call;
use crate::supervisor::outbox::Event;
use crate::supervisor::restart::{Failure, Verdict};
use crate::supervisor::start::{End, Session, StartError, start};
use crate::supervisor::state::{Effect, Input, State};
use crate::supervisor::watch::Excess;

/// How long the calls in flight of an unloaded plugin may take to end; the peer gives as much.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Why a process has ended that the kernel ended for its use of the processor, with no call in flight.
const UNASKED: &str = "it used the processor while nothing was asked of it";

/// The same before a call's limit was reached.
const TOO_BUSY: &str = "it used the processor while the host was too busy to look";

impl Plugin {
    /// Moves the state on, and does what follows.
    pub(super) async fn step(&mut self, input: Input<Box<Session>, Call>) {
        let mut effects = Vec::new();
        self.state.step(input, Instant::now(), &mut effects);
        for effect in effects {
            match effect {
                Effect::Start => {
                    let (cancel, cancelled) = oneshot::channel();
                    self.cancel_start = Some(cancel);
                    self.starting = Some(Box::pin(start(Arc::clone(&self.subject.blueprint), cancelled)));
                }
                Effect::CancelStart => self.end_start().await,
                Effect::Send(call) => self.send(call),
                Effect::Refuse(call, reason) => self.refuse(call, reason),
                Effect::Stop(session) => session.stop().await,
                Effect::Recovered => {
                    self.failures.recovered();
                    self.notice("serves again".into());
                }
            }
        }
        self.tell_status();
    }

    fn tell_status(&self) {
        let next_start = match &self.state {
            State::Resting { until, .. } | State::Open { until, .. } => Some(*until),
            State::Failed { retry_at, .. } => Some(*retry_at),
            _ => None,
        };
        let process_id = self.state.session().map(|session| session.process.pid());
        self.subject
            .board
            .enters(self.state.name(), next_start, process_id);
    }

    pub(super) async fn on_started(&mut self, outcome: Result<Box<Session>, StartError>) {
        self.starting = None;
        match outcome {
            Ok(session) => {
                let names = Arc::clone(&session.names);
                (self.subject.on_ready)(&names);
                self.subject.board.started();
                self.last_used = Instant::now();
                self.leftovers = 0;
                self.failures.serves(self.last_used);
                self.outbox.push(Event::Ready {
                    plugin: self.subject.number,
                    names: Arc::clone(&names),
                });
                self.names = Some(names);
                self.step(Input::Started(session)).await;
            }
            Err(error) => {
                let reason = error.to_string();
                let verdict = self.judge(Failure::Start, &reason);
                self.notice(format!("can't start: {reason}{}", consequence(verdict)));
                self.outbox.push(Event::StartFailed {
                    plugin: self.subject.number,
                });
                self.step(Input::StartFailed { reason, verdict }).await;
            }
        }
    }

    /// The process ended, or with a `complaint` its channel did: it is no use any more.
    pub(super) async fn on_gone(&mut self, complaint: Option<String>) {
        let Some(session) = self.state.session_mut() else {
            return;
        };
        let reason = match session.end(complaint).await {
            End::OutOfMemory => return self.end_process_for(Breach::Memory, None).await,
            End::OutOfTime if self.invocations.is_empty() => UNASKED.into(),
            // Our own look came too late: the machine is very busy.
            End::OutOfTime if session.watch.is_overdrawn_at_bound() => {
                return self.end_process_for(Breach::CpuTime, None).await;
            }
            End::OutOfTime => TOO_BUSY.into(),
            End::Other(reason) => reason,
        };
        self.end_process(Failure::Crash, reason).await;
    }

    /// What is left to do when the process is gone.
    pub(super) async fn end_process(&mut self, failure: Failure, reason: String) {
        self.end_authority();
        self.fail_in_flight(&reason);
        let verdict = self.judge(failure, &reason);
        let outlook = match &self.state {
            State::Draining(_) => String::new(),
            _ => consequence(verdict),
        };
        self.notice(format!("stopped: {reason}{outlook}"));
        self.step(Input::Gone { reason, verdict }).await;
    }

    fn judge(&mut self, failure: Failure, reason: &str) -> Verdict {
        self.subject.board.failed(reason);
        self.failures.failed(failure, Instant::now(), chance())
    }

    /// Cancels the start that is under way and waits until no process is left of it.
    async fn end_start(&mut self) {
        self.cancel_start = None;
        let Some(starting) = self.starting.take() else {
            return;
        };
        if let Ok(session) = starting.await {
            session.stop().await;
        }
    }

    pub(super) async fn on_timer(&mut self) {
        self.read_up().await;
        let now = Instant::now();
        self.expire(now);
        self.refuse_overdue(now);
        if let Some(session) = self.state.session_mut()
            && let Some(excess) = session.watch.look(&session.process, now)
        {
            return match excess {
                Excess::Overdrawn(overdrawn) => self.on_overdrawn(overdrawn).await,
                Excess::Unasked => {
                    session.kill().await;
                    self.end_process(Failure::Crash, UNASKED.into()).await;
                }
            };
        }
        self.tell_used(now);
        if self.unused_at().is_some_and(|at| at <= now) {
            self.notice("stopped: nobody needed it; the next call starts it".into());
            self.end_authority();
            self.step(Input::Unused).await;
        } else {
            self.step(Input::Tick).await;
        }
    }

    /// When its process has had nothing to do for so long that it ends.
    pub(super) fn unused_at(&self) -> Option<Instant> {
        let is_at_rest = matches!(self.state, State::Serving(_))
            && self.invocations.is_empty()
            && self.calls.is_empty()
            && self.fetches.is_empty();
        // What an answered invocation has left running may go on until its deadline.
        let idle = self.subject.timing.idle?.max(self.subject.limits.wall_time);
        is_at_rest.then(|| self.last_used + idle)
    }

    /// `within` is the host operation in which the unloading was asked for, and awaited.
    pub(super) async fn on_terminate(&mut self, within: Option<u64>) {
        self.step(Input::Terminate).await;
        let drain = self.drain.get_or_insert(Drain {
            until: Instant::now() + DRAIN_TIME,
            within: Vec::new(),
        });
        drain
            .within
            .extend(within.and_then(|call| self.calls.invocation_of(call)));
    }

    pub(super) fn is_drained(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| {
            drain.until <= Instant::now()
                || (self.invocations.all_waiting_are(&drain.within)
                    && self.calls.all_are_of(&drain.within)
                    // What waits for this end does not need its fetches any more.
                    && (self.fetches.is_empty() || !drain.within.is_empty()))
        })
    }

    pub(super) async fn end_drain(&mut self) {
        self.end_authority();
        self.fail_in_flight("it was unloaded, and this call did not end in time");
        self.step(Input::Drained).await;
    }

    pub(super) fn end_authority(&mut self) {
        self.authority.end();
        self.authority = LoadAuthority::default();
        self.calls.clear();
    }
}

/// What an operator wants to know after a failure.
fn consequence(verdict: Verdict) -> String {
    let seconds = |at: Instant| at.saturating_duration_since(Instant::now()).as_secs_f64();
    match verdict {
        Verdict::Restart(at) if at <= Instant::now() => "; it starts again".into(),
        Verdict::Restart(at) => format!("; it starts again in {:.1} s", seconds(at)),
        Verdict::Retry(at) => format!(
            "; calls fail for {:.1} s, then the next one tries again",
            seconds(at)
        ),
        Verdict::Open(at) => format!(
            "; it failed too often: calls fail for {:.1} s, then one may try",
            seconds(at)
        ),
    }
}

/// From 0 to 1. Without randomness delays are at their longest, and no other harm is done.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}
