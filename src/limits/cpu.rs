//! What an invocation is charged of its process's processor time. Pure: it is told how much the process has used.
//!
//! One process serves several invocations, and nobody can tell from outside which of them a moment of it was for. So the
//! time between two looks at the clock is divided equally among those that were open and wait for nothing of the host's, as
//! if each had run in turn; among all, where all wait. Shares are kept as running totals, one of those that run and one of
//! those that wait: what an invocation is charged is what the total of its side has grown by.
//!
//! A plugin that spins reads no message, so what it is asked meanwhile must not share with it for ever: what is used
//! without a word of the guest is counted besides, as [`CpuAccount::heard`] says.

use std::time::Duration;

use tokio::time::Instant;

use super::ms_text;
use crate::numbered::Numbered;

/// How much an invocation may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuRule {
    /// What an operator has set: this much for each invocation.
    Exact(Duration),
    /// The default, so that a site that switches over does not break: this much for each on average, and ten times as
    /// much at once. A plugin has a credit of ten times the average, which every invocation and every second adds one
    /// average to, and which all that it uses is taken from.
    Average(Duration),
}

/// How many averages a plugin may use at once.
const BURST: u32 = 10;

impl CpuRule {
    /// As error texts name it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Exact(limit) => ms_text(limit),
            Self::Average(average) => {
                format!(
                    "{} on average, {} at once",
                    ms_text(average),
                    ms_text(average * BURST)
                )
            }
        }
    }
}

/// The account of one process.
#[derive(Debug)]
pub(crate) struct CpuAccount {
    rule: CpuRule,
    wall_time: Duration,
    /// The process's clock, when it was read last.
    used: Duration,
    totals: Totals,
    open: Numbered<Share>,
    /// How many of the open ones wait for nothing.
    running: u32,
    /// The last one that ended, when none is open, and what it has been charged: what it left running is charged to it.
    lingering: Option<(u64, Share)>,
    silence: Silence,
    /// Of [`CpuRule::Average`]; below zero when overdrawn.
    credit: f64,
    credited_at: Instant,
}

/// What a single invocation would be charged that was open all along.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    /// If it ran.
    ran: Duration,
    /// If it waited.
    waited: Duration,
}

/// An open invocation's.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// What it was charged on the other side, and on this one before.
    before: Duration,
    /// What the total of its side was when it came there.
    since: Duration,
    /// Answers of the host that it waits for.
    waits_for: u32,
}

/// The time since the guest was last heard.
#[derive(Debug)]
struct Silence {
    /// What the process's clock showed when somebody was open in it, and it was read first; `None` before that.
    since: Option<Duration>,
    /// How many were open when it began: each of them may use the limit without a word.
    open: u32,
    /// The oldest one that was open in it.
    oldest: Option<u64>,
}

/// An invocation that used more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overdrawn {
    pub(crate) invocation: u64,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    /// Its time was up first.
    Expired,
}

impl CpuAccount {
    /// `used` is what the process's clock shows now.
    pub(crate) fn new(rule: CpuRule, wall_time: Duration, used: Duration, now: Instant) -> Self {
        let credit = match rule {
            CpuRule::Average(average) => (average * BURST).as_secs_f64(),
            CpuRule::Exact(_) => 0.0,
        };
        Self {
            rule,
            wall_time,
            used,
            totals: Totals::default(),
            open: Numbered::default(),
            running: 0,
            lingering: None,
            silence: Silence {
                since: None,
                open: 0,
                oldest: None,
            },
            credit,
            credited_at: now,
        }
    }

    /// Numbers rise.
    pub(crate) fn begin(&mut self, invocation: u64, used: Duration, now: Instant) {
        self.charge(used);
        self.refill(now);
        self.lingering = None;
        let share = Share {
            before: Duration::ZERO,
            since: self.totals.ran,
            waits_for: 0,
        };
        self.open.push(invocation, share);
        self.running += 1;
        if self.silence.oldest.is_none() {
            self.silence.oldest = Some(invocation);
            self.silence.since = Some(self.used);
        }
    }

    pub(crate) fn end(&mut self, invocation: u64, end: End, used: Duration) {
        self.charge(used);
        let Some(mut share) = self.open.remove(invocation) else {
            return;
        };
        if share.waits_for == 0 {
            self.running -= 1;
        }
        if end == End::Answered {
            self.silence.oldest = self.open.first().map(|(number, _)| number);
            // Paid for when it is answered: what a plugin that spins is asked must not keep it spinning.
            if let CpuRule::Average(average) = self.rule {
                self.add(average, 1.0);
            }
        }
        if self.open.is_empty() {
            share = Share {
                before: self.charged(share),
                since: self.totals.ran,
                waits_for: 0,
            };
            self.lingering = Some((invocation, share));
        }
    }

    /// An open invocation waits for one more answer of the host. Who waits mostly uses nothing.
    pub(crate) fn waits(&mut self, invocation: u64) {
        let totals = self.totals;
        let Some(share) = self.open.get_mut(invocation) else {
            return;
        };
        if share.waits_for == 0 {
            share.before = share.charged(totals);
            share.since = totals.waited;
            self.running -= 1;
        }
        share.waits_for += 1;
    }

    /// One of the answers that it waits for is there.
    pub(crate) fn resumes(&mut self, invocation: u64) {
        let totals = self.totals;
        let Some(share) = self.open.get_mut(invocation) else {
            return;
        };
        if share.waits_for == 1 {
            share.before = share.charged(totals);
            share.since = totals.ran;
            self.running += 1;
        }
        share.waits_for = share.waits_for.saturating_sub(1);
    }

    /// The guest has said something, so whatever ran has let others run. Where an invocation may use an exact limit, all
    /// that were open then, and two that came later, may use as much each before the guest has to be heard again; and none
    /// of them has any time left once they have used the wall time.
    pub(crate) fn heard(&mut self) {
        self.silence = Silence {
            since: None,
            open: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            oldest: self.open.first().map(|(number, _)| number),
        };
    }

    /// Who has used more than they may, by now.
    pub(crate) fn check(&mut self, used: Duration, now: Instant) -> Option<Overdrawn> {
        self.charge(used);
        self.refill(now);
        let overdrawn = |invocation| Some(Overdrawn { invocation });
        match self.payer() {
            Some((invocation, share)) if self.left_of(share) == Duration::ZERO => overdrawn(invocation),
            _ if self.left_in_silence() == Duration::ZERO => overdrawn(self.silence.oldest?),
            _ => None,
        }
    }

    /// What may be used before somebody is overdrawn. Several may use more than one together.
    pub(crate) fn left(&self) -> Duration {
        let left = match self.rule {
            CpuRule::Exact(limit) => self.payer().map_or(limit, |(_, share)| self.left_of(share)),
            CpuRule::Average(_) => self.left_of(NOTHING),
        };
        left.min(self.left_in_silence())
    }

    fn left_of(&self, share: Share) -> Duration {
        match self.rule {
            CpuRule::Exact(limit) => limit.saturating_sub(self.charged(share)),
            CpuRule::Average(_) => Duration::from_secs_f64(self.credit.max(0.0)),
        }
    }

    fn left_in_silence(&self) -> Duration {
        let (CpuRule::Exact(limit), Some(since), Some(_)) =
            (self.rule, self.silence.since, self.silence.oldest)
        else {
            return Duration::MAX;
        };
        let most = limit.saturating_mul(self.silence.open.saturating_add(2));
        let bound = most.min(limit.max(self.wall_time));
        bound.saturating_sub(self.used.saturating_sub(since))
    }

    fn charged(&self, share: Share) -> Duration {
        share.charged(self.totals)
    }

    /// What the process's clock showed when it was read last.
    pub(crate) fn used(&self) -> Duration {
        self.used
    }

    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// The number of whoever is charged most.
    pub(crate) fn first_to_pay(&self) -> Option<u64> {
        self.payer().map(|(number, _)| number)
    }

    /// Whoever is charged most; of several the oldest.
    fn payer(&self) -> Option<(u64, Share)> {
        let open = self.open.iter().map(|(number, share)| (number, *share));
        let most = open.reduce(|most, other| match self.charged(other.1) > self.charged(most.1) {
            true => other,
            false => most,
        });
        most.or(self.lingering)
    }

    fn charge(&mut self, used: Duration) {
        let delta = used.saturating_sub(self.used);
        self.used = self.used.max(used);
        if self.silence.oldest.is_some() {
            self.silence.since.get_or_insert(self.used);
        }
        if delta.is_zero() {
            return;
        }
        match u32::try_from(self.open.len()).unwrap_or(u32::MAX) {
            0 => self.totals.ran += delta,
            all if self.running == 0 => self.totals.waited += delta / all,
            _ => self.totals.ran += delta / self.running,
        }
        if matches!(self.rule, CpuRule::Average(_)) {
            self.credit -= delta.as_secs_f64();
        }
    }

    fn refill(&mut self, now: Instant) {
        if let CpuRule::Average(average) = self.rule {
            let since = now.saturating_duration_since(self.credited_at);
            self.credited_at = now;
            self.add(average, since.as_secs_f64());
        }
    }

    fn add(&mut self, average: Duration, times: f64) {
        let average = average.as_secs_f64();
        self.credit = (self.credit + average * times).min(average * f64::from(BURST));
    }
}

impl Share {
    fn charged(self, totals: Totals) -> Duration {
        let total = match self.waits_for {
            0 => totals.ran,
            _ => totals.waited,
        };
        self.before + total.saturating_sub(self.since)
    }
}

/// For the average, which all share.
const NOTHING: Share = Share {
    before: Duration::ZERO,
    since: Duration::ZERO,
    waits_for: 0,
};

#[cfg(test)]
#[path = "cpu_tests.rs"]
mod tests;
