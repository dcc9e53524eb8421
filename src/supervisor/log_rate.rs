//! How many lines one plugin may put into the operator's log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines that may come at once: what a plugin says in a busy moment, and a stack trace or two.
const BURST: f64 = 500.0;

/// Lines a second in the long run. Node prints a line in 10 µs or more, on the thread that serves pages.
const PER_SECOND: f64 = 100.0;

/// After the first dropped line, how long the others are counted before one line tells of them.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// A token bucket, shared by all that writes lines in a plugin's name.
#[derive(Debug, Clone, Default)]
pub(super) struct LogRate(Arc<Mutex<Bucket>>);

#[derive(Debug, Default)]
struct Bucket {
    /// Lines taken and not yet given back, and when that was worked out.
    used: f64,
    at: Option<Instant>,
    dropped: u64,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passage {
    Pass,
    Drop,
    /// As `Drop`, and after this time [`LogRate::take_dropped`] has to be told of.
    DropAndReport {
        after: Duration,
    },
}

impl LogRate {
    pub(super) fn line(&self, now: Instant) -> Passage {
        let mut bucket = self.lock();
        let since = bucket
            .at
            .replace(now)
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        bucket.used = (bucket.used - since.as_secs_f64() * PER_SECOND).max(0.0);
        if bucket.used + 1.0 <= BURST {
            bucket.used += 1.0;
            return Passage::Pass;
        }
        bucket.dropped += 1;
        match bucket.dropped {
            1 => Passage::DropAndReport { after: COUNTED_FOR },
            _ => Passage::Drop,
        }
    }

    /// How many lines were dropped since this was asked last.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_what_the_rate_allows_and_the_rest_is_counted() {
        let (start, rate) = (Instant::now(), LogRate::default());
        assert!((0..500).all(|_| rate.line(start) == Passage::Pass));
        assert_eq!(rate.line(start), Passage::DropAndReport { after: COUNTED_FOR });
        assert_eq!(rate.line(start), Passage::Drop);
        let later = start + Duration::from_millis(105);
        let passed = (0..50).filter(|_| rate.line(later) == Passage::Pass).count();
        assert_eq!(passed, 10);
        assert_eq!((rate.take_dropped(), rate.take_dropped()), (42, 0));
        assert!(
            matches!(rate.line(later), Passage::DropAndReport { .. }),
            "each report is announced anew"
        );
    }

    #[test]
    fn silence_gives_back_a_burst_and_no_more() {
        let (start, rate) = (Instant::now(), LogRate::default());
        let passed = (0..600).filter(|_| rate.line(start) == Passage::Pass).count();
        assert_eq!(passed, 500);
        let later = start + Duration::from_secs(3600);
        assert_eq!(
            (0..900).filter(|_| rate.line(later) == Passage::Pass).count(),
            500
        );
    }
}
