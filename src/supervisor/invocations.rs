//! The invocations of one process: which are waited for, until when each may act, and which have run out of time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::numbered::Numbered;

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
/// An answer does not end an invocation's authority (work that the handler did not await may finish), yet of each answered
/// one nothing is kept but how many subrequests it has made, where it has made some: `begun` notes which number came when,
/// at a resolution that bounds its length.
#[derive(Debug)]
pub(super) struct Invocations {
    wall_time: Duration,
    subrequests: u32,
    next: u64,
    waiting: Numbered<Waiting>,
    begun: VecDeque<Begun>,
}

#[derive(Debug)]
struct Begun {
    first: u64,
    at: Instant,
    /// The subrequests of those of this stretch that have been answered and have made any.
    answered: Vec<(u64, u32)>,
}

/// An answered invocation may lose its authority this much early. At 30 s of wall time it bounds the list at 3,000.
const RESOLUTION: Duration = Duration::from_millis(10);

impl Invocations {
    pub(super) fn new(wall_time: Duration, subrequests: u32) -> Self {
        Self {
            wall_time,
            subrequests,
            next: 1,
            waiting: Numbered::default(),
            begun: VecDeque::new(),
        }
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
                answered: Vec::new(),
            });
        }
        let waiting = Waiting {
            request,
            name,
            deadline: now + self.wall_time,
            subrequests: 0,
        };
        self.waiting.push(number, waiting);
        number
    }

    /// Whom the answer is for; `None` when nobody waits for it: it timed out, or was never asked.
    pub(super) fn answer(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(number)?;
        if waiting.subrequests > 0
            && let Some(index) = self.stretch_of(number)
        {
            self.begun[index].answered.push((number, waiting.subrequests));
        }
        Some(waiting)
    }

    /// Counts one more call that leaves the isolate. How many that makes, or `None` when the invocation has had all, or
    /// never was.
    pub(super) fn charge(&mut self, number: u64) -> Option<u32> {
        let limit = self.subrequests;
        let made = match self.waiting.get_mut(number) {
            Some(waiting) => &mut waiting.subrequests,
            None => {
                let index = self.stretch_of(number).filter(|_| number < self.next)?;
                let answered = &mut self.begun[index].answered;
                let known = answered.iter().position(|(other, _)| *other == number);
                let place = known.unwrap_or_else(|| {
                    answered.push((number, 0));
                    answered.len() - 1
                });
                &mut answered[place].1
            }
        };
        (*made < limit).then(|| {
            *made += 1;
            *made
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
        let until = match self.waiting.get(number) {
            Some(waiting) => waiting.deadline,
            None if number >= self.next => return None,
            None => self.begun[self.stretch_of(number)?].at + self.wall_time,
        };
        (now < until).then_some(until)
    }

    /// The next one whose time is up, and its number; call until `None`.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(u64, Waiting)> {
        let (_, first) = self.waiting.first()?;
        if first.deadline > now {
            return None;
        }
        self.waiting.pop_first()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.first().map(|(_, waiting)| waiting.deadline)
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
        let (number, _) = self.waiting.first()?;
        (self.waiting.len() == 1).then_some(number)
    }

    /// Whether nothing is waited for but these.
    pub(super) fn all_waiting_are(&self, numbers: &[u64]) -> bool {
        self.waiting.iter().all(|(number, _)| numbers.contains(&number))
    }

    /// Ends all of them; what is left to answer.
    pub(super) fn close(&mut self) -> impl Iterator<Item = Waiting> + use<> {
        self.begun.clear();
        self.waiting.take()
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
    fn an_answered_one_has_what_it_left_over_and_nothing_of_what_others_did() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let [greedy, modest, quiet] = [1, 2, 3].map(|request| all.begin(request, String::new(), start));
        assert_eq!((0..9).filter(|_| all.charge(greedy).is_some()).count(), 3);
        assert_eq!(all.charge(modest), Some(1));
        for number in [modest, greedy, quiet] {
            assert!(all.answer(number).is_some());
        }
        assert_eq!(all.charge(greedy), None);
        assert_eq!([(); 3].map(|()| all.charge(modest)), [Some(2), Some(3), None]);
        assert_eq!(
            [(); 4].map(|()| all.charge(quiet)),
            [Some(1), Some(2), Some(3), None]
        );
    }

    #[test]
    fn a_number_that_the_guest_made_up_charges_nobody() {
        let (start, mut all) = (Instant::now(), invocations(WALL));
        let before = all.begin(1, String::new(), start);
        assert_eq!(all.close().count(), 1, "its process has ended");
        let number = all.begin(2, String::new(), start);
        for never in [0, before, number + 1, u64::MAX] {
            assert_eq!(
                (all.charge(never), all.authority(never, start)),
                (None, None),
                "{never}"
            );
        }
        assert_eq!(
            [(); 4].map(|()| all.charge(number)),
            [Some(1), Some(2), Some(3), None]
        );
        assert!(all.answer(number).is_some());
        for never in [0, before, number + 1, u64::MAX] {
            assert_eq!(all.charge(never), None, "{never}");
        }
        assert!(all.begun.iter().all(|begun| begun.answered == [(number, 3)]));
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
