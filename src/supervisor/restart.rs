//! When a plugin whose process failed may have another one: at once, after a while, or, past an intensity, not before a
//! longer while has passed and one call has found it well. Pure: it is told the time and the chance.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Failures within [`WINDOW`] that open the circuit breaker. EmDash's other runner gives up for good at as many.
pub(super) const INTENSITY: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// The delay after the second failure; each one after it doubles. Short enough that a call waits it out.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// What a failed start costs the next one at least: it mostly fails for the same reason, and takes a processor to do so.
const FAILED_START_DELAY: Duration = Duration::from_secs(1);

/// How long the breaker stays open the first time, and at most. It doubles each time that the plugin fails again.
const FIRST_OPEN: Duration = Duration::from_secs(5);
const LONGEST_OPEN: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The process did not come to serve.
    Start,
    /// It served, and ended without having been asked to.
    Crash,
    /// It served, and was ended because it exceeded a limit. The next call is not to wait for longer than a start takes,
    /// since nothing about the process was broken; the breaker counts it all the same.
    Breach,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It starts again by itself at this moment; calls wait for it.
    Restart(Instant),
    /// Calls fail until this moment; the next one after it starts it.
    Retry(Instant),
    /// The breaker is open: calls fail until this moment, and then one may try.
    Open(Instant),
}

/// The failures of one plugin that still count.
#[derive(Debug, Default)]
pub(super) struct Failures {
    recent: VecDeque<Instant>,
    serving_since: Option<Instant>,
    is_open: bool,
    /// How often the breaker has opened since the plugin last served for a whole window.
    openings: u32,
}

impl Failures {
    /// `chance`, from 0 to 1, spreads the delays, so that plugins that failed together don't start together.
    pub(super) fn failed(&mut self, failure: Failure, now: Instant, chance: f64) -> Verdict {
        let long_ago = |then: &Instant| now.duration_since(*then) >= WINDOW;
        if self.serving_since.take().is_some_and(|since| long_ago(&since)) {
            *self = Self::default();
        }
        while self.recent.front().is_some_and(long_ago) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        if self.is_open || self.recent.len() >= INTENSITY {
            let open = spread(doubled(FIRST_OPEN, self.openings, LONGEST_OPEN), chance);
            self.is_open = true;
            self.openings += 1;
            // They have been answered for; a plugin that recovers begins anew.
            self.recent.clear();
            return Verdict::Open(now + open);
        }
        let delay = match self.recent.len() {
            ..=1 => Duration::ZERO,
            failures => spread(doubled(FIRST_DELAY, failures as u32 - 2, WINDOW), chance),
        };
        match failure {
            Failure::Breach => Verdict::Restart(now),
            Failure::Crash => Verdict::Restart(now + delay),
            Failure::Start => Verdict::Retry(now + delay.max(FAILED_START_DELAY)),
        }
    }

    /// A process of it serves from now on.
    pub(super) fn serves(&mut self, now: Instant) {
        self.serving_since = Some(now);
    }

    /// The one call that tried was answered.
    pub(super) fn recovered(&mut self) {
        self.is_open = false;
    }
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first
        .saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
        .min(most)
}

/// From half of it to all of it.
fn spread(delay: Duration, chance: f64) -> Duration {
    delay.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    /// The delays that failures one second apart bring, without chance.
    fn crashes(failures: &mut Failures, count: u32, start: Instant) -> Vec<Verdict> {
        (0..count)
            .map(|n| failures.failed(Failure::Crash, start + n * SECOND, 1.0))
            .collect()
    }

    #[test]
    fn a_crash_restarts_at_once_then_ever_later_then_opens_the_breaker() {
        let start = Instant::now();
        let at = |n: u32, delay| start + n * SECOND + delay;
        assert_eq!(
            crashes(&mut Failures::default(), 5, start),
            [
                Verdict::Restart(at(0, Duration::ZERO)),
                Verdict::Restart(at(1, 100 * MS)),
                Verdict::Restart(at(2, 200 * MS)),
                Verdict::Restart(at(3, 400 * MS)),
                Verdict::Open(at(4, 5 * SECOND)),
            ]
        );
    }

    #[test]
    fn a_breach_restarts_at_once_each_time_until_the_breaker_opens() {
        let (start, mut failures) = (Instant::now(), Failures::default());
        for breach in 0..4 {
            let now = start + breach * SECOND;
            assert_eq!(
                failures.failed(Failure::Breach, now, 1.0),
                Verdict::Restart(now),
                "breach {breach}"
            );
            failures.serves(now);
        }
        let now = start + 4 * SECOND;
        assert_eq!(
            failures.failed(Failure::Breach, now, 1.0),
            Verdict::Open(now + 5 * SECOND)
        );
    }

    #[test]
    fn a_crash_after_breaches_waits_as_long_as_after_crashes() {
        let (start, mut failures) = (Instant::now(), Failures::default());
        failures.failed(Failure::Breach, start, 1.0);
        assert_eq!(
            failures.failed(Failure::Crash, start, 1.0),
            Verdict::Restart(start + 100 * MS)
        );
    }

    #[test]
    fn a_start_that_fails_is_retried_by_a_call_a_second_later_at_the_earliest() {
        let (start, mut failures) = (Instant::now(), Failures::default());
        for _ in 0..4 {
            assert_eq!(
                failures.failed(Failure::Start, start, 0.0),
                Verdict::Retry(start + SECOND)
            );
        }
        assert!(matches!(
            failures.failed(Failure::Start, start, 0.0),
            Verdict::Open(_)
        ));
    }

    #[test]
    fn failures_that_are_far_apart_never_open_it() {
        let (mut now, mut failures) = (Instant::now(), Failures::default());
        for _ in 0..50 {
            failures.serves(now);
            now += 16 * SECOND;
            assert!(matches!(
                failures.failed(Failure::Crash, now, 0.5),
                Verdict::Restart(_)
            ));
        }
    }

    #[test]
    fn who_fails_when_tried_waits_twice_as_long_up_to_a_bound_and_never_for_good() {
        let (mut now, mut failures) = (Instant::now(), Failures::default());
        crashes(&mut failures, 4, now);
        let opens: Vec<u64> = (0..9)
            .map(|_| {
                now += 4 * SECOND;
                let Verdict::Open(until) = failures.failed(Failure::Crash, now, 1.0) else {
                    panic!("it is open");
                };
                let open = until.duration_since(now).as_secs();
                now = until;
                failures.serves(now);
                open
            })
            .collect();
        assert_eq!(opens, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_recovery_gives_the_credit_back_and_a_minute_of_service_the_patience() {
        let (start, mut failures) = (Instant::now(), Failures::default());
        crashes(&mut failures, 5, start);
        failures.recovered();
        let again = crashes(&mut failures, 5, start + 10 * SECOND);
        assert_eq!(again[0], Verdict::Restart(start + 10 * SECOND));
        assert_eq!(
            again[4],
            Verdict::Open(start + (10 + 4 + 10) * SECOND),
            "the second opening is longer"
        );
        failures.recovered();
        failures.serves(start + 30 * SECOND);
        let later = crashes(&mut failures, 5, start + 90 * SECOND);
        assert_eq!(later[4], Verdict::Open(start + (90 + 4 + 5) * SECOND));
    }

    proptest::proptest! {
        #[test]
        fn every_verdict_lies_ahead_and_within_its_bound(
            gaps in proptest::collection::vec((0_u64..90_000, proptest::bool::ANY, 0.0_f64..=1.0), 1..200)
        ) {
            let (mut now, mut failures) = (Instant::now(), Failures::default());
            for (gap, starts, chance) in gaps {
                now += Duration::from_millis(gap);
                let failure = if starts { Failure::Start } else { Failure::Crash };
                let (at, most) = match failures.failed(failure, now, chance) {
                    Verdict::Restart(at) => (at, SECOND),
                    Verdict::Retry(at) => (at, SECOND),
                    Verdict::Open(at) => (at, LONGEST_OPEN),
                };
                assert!(at >= now && at <= now + most);
                if !starts { failures.serves(now); }
            }
        }
    }
}
