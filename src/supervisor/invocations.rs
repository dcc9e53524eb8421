//! The invocations of one process: which are waited for, until when each may act, and which have run out of time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// An invocation that has not been answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The request of the JavaScript half that it answers.
    pub(super) request: u64,
    deadline: Instant,
}

/// Numbers are given in order and every invocation has the same time, so the order of numbers is that of deadlines.
///
/// An answer does not end an invocation's authority (work that the handler did not await may finish), yet nothing is
/// kept for each answered one: `begun` notes which number came when, at a resolution that bounds its length.
#[derive(Debug)]
pub(super) struct Invocations {
    wall_time: Duration,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    begun: VecDeque<Begun>,
}

#[derive(Debug)]
struct Begun {
    first: u64,
    at: Instant,
}

/// An answered invocation may lose its authority this much early. At 30 s of wall time it bounds the list at 3,000.
const RESOLUTION: Duration = Duration::from_millis(10);

impl Invocations {
    pub(super) fn new(wall_time: Duration) -> Self {
        Self {
            wall_time,
            next: 1,
            waiting: BTreeMap::new(),
            begun: VecDeque::new(),
        }
    }

    /// Its number.
    pub(super) fn begin(&mut self, request: u64, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.forget(now);
        if self
            .begun
            .back()
            .is_none_or(|last| now.duration_since(last.at) >= RESOLUTION)
        {
            self.begun.push_back(Begun {
                first: number,
                at: now,
            });
        }
        let deadline = now + self.wall_time;
        self.waiting.insert(number, Waiting { request, deadline });
        number
    }

    /// Whom the answer is for; `None` when nobody waits for it: it timed out, or was never asked.
    pub(super) fn answer(&mut self, number: u64) -> Option<Waiting> {
        self.waiting.remove(&number)
    }

    /// Until when this invocation may act; `None` when it may not, or never was.
    pub(super) fn authority(&self, number: u64, now: Instant) -> Option<Instant> {
        let until = match self.waiting.get(&number) {
            Some(waiting) => waiting.deadline,
            None if number >= self.next => return None,
            None => {
                let later = self.begun.partition_point(|begun| begun.first <= number);
                self.begun.get(later.checked_sub(1)?)?.at + self.wall_time
            }
        };
        (now < until).then_some(until)
    }

    /// The next one whose time is up; call until `None`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Waiting> {
        let first = self.waiting.first_entry()?;
        (first.get().deadline <= now).then(|| first.remove())
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting
            .first_key_value()
            .map(|(_, waiting)| waiting.deadline)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those that have not been answered.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing is waited for but these.
    pub(super) fn all_waiting_are(&self, numbers: &[u64]) -> bool {
        self.waiting.keys().all(|number| numbers.contains(number))
    }

    /// Ends all of them; what is left to answer.
    pub(super) fn close(&mut self) -> impl Iterator<Item = Waiting> + use<> {
        self.begun.clear();
        std::mem::take(&mut self.waiting).into_values()
    }

    fn forget(&mut self, now: Instant) {
        while let Some(second) = self.begun.get(1)
            && second.at + self.wall_time <= now
        {
            self.begun.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_secs(30);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_unanswered_invocation_expires_once_at_its_deadline() {
        let (start, mut all) = (Instant::now(), Invocations::new(WALL));
        let first = all.begin(7, start);
        all.begin(8, start + ms(5));
        assert_eq!(all.next_deadline(), Some(start + WALL));
        assert_eq!(all.expire(start + WALL - ms(1)), None);
        assert_eq!(all.expire(start + WALL).map(|waiting| waiting.request), Some(7));
        assert_eq!(all.expire(start + WALL), None);
        assert_eq!(
            all.answer(first),
            None,
            "an answer after the deadline is nobody's"
        );
        assert_eq!(all.authority(first, start + WALL), None);
    }

    #[test]
    fn an_answer_leaves_the_authority_until_the_deadline() {
        let (start, mut all) = (Instant::now(), Invocations::new(WALL));
        let number = all.begin(1, start + ms(7));
        assert!(all.answer(number).is_some() && all.is_empty());
        assert_eq!(all.authority(number, start + WALL), Some(start + ms(7) + WALL));
        assert_eq!(all.authority(number, start + ms(7) + WALL), None);
    }

    #[test]
    fn what_was_never_begun_has_no_authority() {
        let (start, mut all) = (Instant::now(), Invocations::new(WALL));
        let number = all.begin(1, start);
        for never in [0, number + 1, u64::MAX] {
            assert_eq!(all.authority(never, start), None);
        }
        assert_eq!(all.close().count(), 1);
        assert_eq!(all.authority(number, start), None, "closing ends it");
    }

    #[test]
    fn a_busy_plugin_is_remembered_in_bounded_space() {
        let (start, mut all) = (Instant::now(), Invocations::new(ms(1000)));
        for micros in (0..5_000_000).step_by(50) {
            let number = all.begin(1, start + Duration::from_micros(micros));
            all.answer(number);
        }
        assert!(all.begun.len() <= 102, "{} notes", all.begun.len());
    }

    proptest::proptest! {
        #[test]
        fn an_answered_one_never_acts_past_its_time_and_loses_at_most_the_resolution(
            gaps in proptest::collection::vec(0_u64..40, 1..60), ask_after in 0_u64..2000
        ) {
            let (start, mut all) = (Instant::now(), Invocations::new(ms(500)));
            let mut now = start;
            let begun: Vec<_> = gaps.iter().map(|gap| {
                now += ms(*gap);
                let number = all.begin(1, now);
                all.answer(number);
                (number, now + ms(500))
            }).collect();
            let ask = now + ms(ask_after);
            for (number, deadline) in begun {
                match all.authority(number, ask) {
                    Some(_) => assert!(ask < deadline),
                    None => assert!(ask + RESOLUTION >= deadline),
                }
            }
        }
    }
}
