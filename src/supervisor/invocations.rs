//! The invocations of one process: which are waited for, until when each may act, and which have run out of time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// An invocation that has not been answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The request of the JavaScript half that it answers.
    pub(super) request: u64,
    /// `hook:…` or `route:…`.
    pub(super) name: String,
    deadline: Instant,
    subrequests: u32,
}

/// Numbers are given in order and every invocation has the same time, so the order of numbers is that of deadlines.
///
/// An answer does not end an invocation's authority (work that the handler did not await may finish), yet nothing is
/// kept for each answered one: `begun` notes which number came when, at a resolution that bounds its length.
#[derive(Debug)]
pub(super) struct Invocations {
    wall_time: Duration,
    subrequests: u32,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    begun: VecDeque<Begun>,
}

#[derive(Debug)]
struct Begun {
    first: u64,
    at: Instant,
    /// How many began in this stretch.
    count: u32,
    /// The subrequests of those of them that have been answered, and may make all together as many as each alone.
    subrequests: u64,
    /// Those of them that had made all of theirs, and take no part in what the others have left.
    spent: Vec<u64>,
}

/// An answered invocation may lose its authority this much early. At 30 s of wall time it bounds the list at 3,000.
const RESOLUTION: Duration = Duration::from_millis(10);

impl Invocations {
    pub(super) fn new(wall_time: Duration, subrequests: u32) -> Self {
        Self {
            wall_time,
            subrequests,
            next: 1,
            waiting: BTreeMap::new(),
            begun: VecDeque::new(),
        }
    }

    /// The number of the next one.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Its number.
    pub(super) fn begin(&mut self, request: u64, name: String, now: Instant) -> u64 {
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
                count: 0,
                subrequests: 0,
                spent: Vec::new(),
            });
        }
        if let Some(begun) = self.begun.back_mut() {
            begun.count += 1;
        }
        let waiting = Waiting {
            request,
            name,
            deadline: now + self.wall_time,
            subrequests: 0,
        };
        self.waiting.insert(number, waiting);
        number
    }

    /// Whom the answer is for; `None` when nobody waits for it: it timed out, or was never asked.
    pub(super) fn answer(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        if let Some(index) = self.stretch_of(number) {
            let begun = &mut self.begun[index];
            begun.subrequests += u64::from(waiting.subrequests);
            if waiting.subrequests >= self.subrequests {
                begun.spent.push(number);
            }
        }
        Some(waiting)
    }

    /// Counts one more call that leaves the isolate. How many that makes, or `None` when the invocation has had all.
    pub(super) fn charge(&mut self, number: u64) -> Option<u64> {
        let limit = u64::from(self.subrequests);
        if let Some(waiting) = self.waiting.get_mut(&number) {
            let count = u64::from(waiting.subrequests) + 1;
            return (count <= limit).then(|| {
                waiting.subrequests += 1;
                count
            });
        }
        let index = self.stretch_of(number).filter(|_| number < self.next)?;
        let begun = &mut self.begun[index];
        let count = begun.subrequests + 1;
        if begun.spent.contains(&number) {
            return None;
        }
        (count <= limit * u64::from(begun.count)).then(|| {
            begun.subrequests = count;
            // On average of those that share it.
            count.div_ceil(u64::from(begun.count))
        })
    }

    /// In which stretch it began, if that is remembered.
    fn stretch_of(&self, number: u64) -> Option<usize> {
        self.begun
            .partition_point(|begun| begun.first <= number)
            .checked_sub(1)
    }

    /// Until when this invocation may act; `None` when it may not, or never was.
    pub(super) fn authority(&self, number: u64, now: Instant) -> Option<Instant> {
        let until = match self.waiting.get(&number) {
            Some(waiting) => waiting.deadline,
            None if number >= self.next => return None,
            None => self.begun[self.stretch_of(number)?].at + self.wall_time,
        };
        (now < until).then_some(until)
    }

    /// The next one whose time is up, and its number; call until `None`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(u64, Waiting)> {
        let first = self.waiting.first_entry()?;
        (first.get().deadline <= now).then(|| first.remove_entry())
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

    /// The one that has not been answered, where there is one only.
    pub(super) fn only(&self) -> Option<u64> {
        let mut numbers = self.waiting.keys();
        numbers.next().copied().filter(|_| numbers.next().is_none())
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

    fn invocations(wall_time: Duration) -> Invocations {
        Invocations::new(wall_time, 3)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_unanswered_invocation_expires_once_at_its_deadline() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let first = all.begin(7, String::new(), start);
        all.begin(8, String::new(), start + ms(5));
        assert_eq!(all.next_deadline(), Some(start + WALL));
        assert_eq!(all.expire(start + WALL - ms(1)), None);
        assert_eq!(
            all.expire(start + WALL)
                .map(|(number, waiting)| (number, waiting.request)),
            Some((first, 7))
        );
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
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let number = all.begin(1, String::new(), start + ms(7));
        assert!(all.answer(number).is_some() && all.is_empty());
        assert_eq!(all.authority(number, start + WALL), Some(start + ms(7) + WALL));
        assert_eq!(all.authority(number, start + ms(7) + WALL), None);
    }

    #[test]
    fn what_was_never_begun_has_no_authority() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let number = all.begin(1, String::new(), start);
        for never in [0, number + 1, u64::MAX] {
            assert_eq!(all.authority(never, start), None);
        }
        assert_eq!(all.close().count(), 1);
        assert_eq!(all.authority(number, start), None, "closing ends it");
    }

    #[test]
    fn each_has_its_own_subrequests_and_a_charge_past_them_counts_for_nobody() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let first = all.begin(1, String::new(), start);
        let second = all.begin(2, String::new(), start);
        let charges: Vec<_> = (0..5).map(|_| all.charge(first)).collect();
        assert_eq!(charges, [Some(1), Some(2), Some(3), None, None]);
        assert_eq!(all.charge(second), Some(1));
        assert_eq!(
            (all.charge(0), all.charge(99).is_some()),
            (None, false),
            "who never began has none"
        );
    }

    #[test]
    fn those_that_were_answered_share_what_they_have_left() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let numbers = [1, 2].map(|request| all.begin(request, String::new(), start));
        assert_eq!(numbers.map(|number| all.charge(number)), [Some(1), Some(1)]);
        assert!(numbers.iter().all(|number| all.answer(*number).is_some()));
        let charges: Vec<_> = (0..5).map(|_| all.charge(numbers[0])).collect();
        assert_eq!(charges, [Some(2), Some(2), Some(3), Some(3), None]);
        let later = all.begin(3, String::new(), start + RESOLUTION);
        assert_eq!(all.charge(later), Some(1));
    }

    #[test]
    fn who_had_all_before_the_answer_gets_nothing_of_what_others_have_left() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let [greedy, other] = [1, 2].map(|request| all.begin(request, String::new(), start));
        assert_eq!((0..4).filter(|_| all.charge(greedy).is_some()).count(), 3);
        assert!(all.answer(greedy).is_some() && all.answer(other).is_some());
        assert_eq!((all.charge(greedy), all.charge(other).is_some()), (None, true));
    }

    #[test]
    fn a_busy_plugin_is_remembered_in_bounded_space() {
        let (start, mut all) = (Instant::now(), invocations(ms(1000)));
        for micros in (0..5_000_000).step_by(50) {
            let number = all.begin(1, String::new(), start + Duration::from_micros(micros));
            all.answer(number);
        }
        assert!(all.begun.len() <= 102, "{} notes", all.begun.len());
    }

    proptest::proptest! {
        #[test]
        fn an_answered_one_never_acts_past_its_time_and_loses_at_most_the_resolution(
            gaps in proptest::collection::vec(0_u64..40, 1..60), ask_after in 0_u64..2000
        ) {
            let (start, mut all) = (Instant::now(), invocations(ms(500)));
            let mut now = start;
            let begun: Vec<_> = gaps.iter().map(|gap| {
                now += ms(*gap);
                let number = all.begin(1, String::new(), now);
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
