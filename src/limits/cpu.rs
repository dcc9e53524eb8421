//! What an invocation is charged of its process's processor time. Pure: it is told how much the process has used.
//!
//! One process serves several invocations, and nobody can tell from outside which of them a moment of it was for. So the
//! time between two looks at the clock is divided equally among those that were open, as if each had run in turn. Shares
//! are kept as one running total: an invocation's charge is what the total has grown by since it began. The oldest one
//! open is therefore the one that is charged most.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::ms_text;

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
    /// The process's clock, when it was read last.
    used: Duration,
    /// What a single invocation that was open all along would be charged.
    total: Duration,
    /// The total when each of the open ones began.
    open: BTreeMap<u64, Duration>,
    /// The last one that ended, when none is open: what it left running is charged to it.
    lingering: Option<(u64, Duration)>,
    /// Of [`CpuRule::Average`]; below zero when overdrawn.
    credit: f64,
    credited_at: Instant,
}

/// An invocation that used more than it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overdrawn {
    pub(crate) invocation: u64,
}

impl CpuAccount {
    /// `used` is what the process's clock shows now.
    pub(crate) fn new(rule: CpuRule, used: Duration, now: Instant) -> Self {
        let credit = match rule {
            CpuRule::Average(average) => (average * BURST).as_secs_f64(),
            CpuRule::Exact(_) => 0.0,
        };
        Self {
            rule,
            used,
            total: Duration::ZERO,
            open: BTreeMap::new(),
            lingering: None,
            credit,
            credited_at: now,
        }
    }

    /// Numbers rise.
    pub(crate) fn begin(&mut self, invocation: u64, used: Duration, now: Instant) {
        self.charge(used);
        self.lingering = None;
        self.open.insert(invocation, self.total);
        if let CpuRule::Average(average) = self.rule {
            self.refill(now);
            self.add(average, 1.0);
        }
    }

    pub(crate) fn end(&mut self, invocation: u64, used: Duration) {
        self.charge(used);
        let began = self.open.remove(&invocation);
        if self.open.is_empty() {
            self.lingering = began.map(|began| (invocation, began)).or(self.lingering);
        }
    }

    /// Who has used more than they may, by now.
    pub(crate) fn check(&mut self, used: Duration, now: Instant) -> Option<Overdrawn> {
        self.charge(used);
        self.refill(now);
        let (invocation, _) = self.payer()?;
        (self.left() == Duration::ZERO).then_some(Overdrawn { invocation })
    }

    /// What may be used before somebody is overdrawn. Several may use more than one together.
    pub(crate) fn left(&self) -> Duration {
        match (self.rule, self.payer()) {
            (CpuRule::Exact(limit), Some((_, began))) => {
                limit.saturating_sub(self.total.saturating_sub(began))
            }
            (CpuRule::Exact(limit), None) => limit,
            (CpuRule::Average(_), _) => Duration::from_secs_f64(self.credit.max(0.0)),
        }
    }

    /// What the process's clock showed when it was read last.
    pub(crate) fn used(&self) -> Duration {
        self.used
    }

    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whoever is charged most.
    pub(crate) fn payer(&self) -> Option<(u64, Duration)> {
        let oldest = self
            .open
            .first_key_value()
            .map(|(number, began)| (*number, *began));
        oldest.or(self.lingering)
    }

    fn charge(&mut self, used: Duration) {
        let delta = used.saturating_sub(self.used);
        self.used = self.used.max(used);
        let sharers = u32::try_from(self.open.len().max(1)).unwrap_or(u32::MAX);
        self.total += delta / sharers;
        if matches!(self.rule, CpuRule::Average(_)) {
            self.credit -= delta.as_secs_f64();
        }
    }

    fn refill(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.credited_at);
        self.credited_at = now;
        if let CpuRule::Average(average) = self.rule {
            self.add(average, since.as_secs_f64());
        }
    }

    fn add(&mut self, average: Duration, times: f64) {
        let average = average.as_secs_f64();
        self.credit = (self.credit + average * times).min(average * f64::from(BURST));
    }
}

#[cfg(test)]
#[path = "cpu_tests.rs"]
mod tests;
