//! What happens to a plugin that exceeds a limit that only the end of its process can enforce.

use tokio::time::Instant;

use super::Plugin;
use crate::error::{Error, ErrorCode};
use crate::limits::cpu::Overdrawn;
use crate::supervisor::restart::Failure;
use crate::supervisor::state::Input;

/// Invocations whose answers nobody waits for any more, past which a process is replaced when it has nothing else to do:
/// each may hold what it works with for ever.
const MAX_LEFTOVERS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    CpuTime,
    Memory,
}

impl Plugin {
    pub(super) async fn on_overdrawn(&mut self, Overdrawn { invocation }: Overdrawn) {
        self.tell_used(Instant::now());
        let Some(session) = self.state.session() else {
            return;
        };
        // V8 works hardest when its heap is full: a heap bomb ends here as often as at its own limit.
        let full = self.subject.limits.memory() / 10 * 9;
        let (breach, culprit) = match session.watch.memory(&session.process) {
            // Which of several has filled it nobody knows.
            memory if memory >= full => {
                let is_alone = self.invocations.is_empty();
                (Breach::Memory, is_alone.then_some(invocation))
            }
            _ => (Breach::CpuTime, Some(invocation)),
        };
        session.kill().await;
        self.end_process_for(breach, culprit).await;
    }

    /// Its process is gone: because of this invocation, or, without one, of nobody knows which.
    pub(super) async fn end_process_for(&mut self, breach: Breach, invocation: Option<u64>) {
        let limits = &self.subject.limits;
        let (code, name, limit) = match breach {
            Breach::CpuTime => (ErrorCode::CpuTime, "CPU-time", limits.cpu.text()),
            Breach::Memory => (ErrorCode::Memory, "memory", format!("{}MB", limits.memory_mb)),
        };
        let what = format!("{name} limit of {limit}");
        let culprit = invocation.or_else(|| self.invocations.only());
        let reason = match culprit.map(|number| self.invocations.answer(number)) {
            Some(Some(waiting)) => {
                self.fail(waiting.request, Error::new(code, limit));
                format!("{} exceeded its {what}", waiting.name)
            }
            Some(None) => format!("what a hook or route had left running exceeded its {what}"),
            None => format!("its {what} was exceeded"),
        };
        self.end_process(Failure::Breach, reason).await;
    }

    /// Whether it is to be replaced, now that nothing of it goes on which may.
    pub(super) fn is_littered(&self) -> bool {
        self.littered_until().is_some_and(|until| until <= Instant::now())
    }

    /// When it is to be replaced, where it is littered and nobody waits for it: what answered invocations have left running
    /// may go on until their time is over.
    pub(super) fn littered_until(&self) -> Option<Instant> {
        let is_littered = self.leftovers >= MAX_LEFTOVERS
            && self.invocations.is_empty()
            && self.calls.is_empty()
            && self.fetches.is_empty();
        let session = self.state.session().filter(|_| is_littered)?;
        Some(session.watch.until())
    }

    pub(super) async fn recycle(&mut self) {
        self.notice(format!(
            "starts afresh: {} calls of it did not end in time",
            self.leftovers
        ));
        self.leftovers = 0;
        self.end_authority();
        self.step(Input::Worn).await;
    }
}
