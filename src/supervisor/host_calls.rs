//! The host operations that one plugin waits for, and the bounds on them: they run in the host's own event loop.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::channel::Room;

/// Operations of one plugin that may be under way or queued; past it the plugin's frames are not read.
const MAX_CALLS: usize = 256;

/// What their arguments may take together, for the same reason. Files have a bound of their own.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Operations of one invocation that are under way at once; further ones wait for their turn. More at once make a
/// database no faster, and make whoever else asks it wait.
pub(super) const MAX_CALLS_OF_ONE: usize = 32;

/// Numbered by us: the guest's own numbers may come twice. `W` is the work that waits for its turn.
#[derive(Debug)]
pub(super) struct HostCalls<W> {
    last: u64,
    calls: HashMap<u64, HostCall>,
    by_invocation: HashMap<u64, Turns<W>>,
    bytes: usize,
    /// Before this none of them is overdue.
    earliest: Option<Instant>,
}

/// A call of the guest that is for the host to answer.
#[derive(Debug)]
pub(super) struct HostCall {
    /// The guest's number of it.
    pub(super) call: u64,
    pub(super) invocation: u64,
    /// When its invocation's time is over: then nobody may act on the answer.
    pub(super) until: Instant,
    /// What its arguments take.
    pub(super) bytes: usize,
    /// What a file that it brings, or asks for, takes of its plugin's share.
    pub(super) file: Option<Room>,
}

#[derive(Debug)]
struct Turns<W> {
    under_way: usize,
    waiting: VecDeque<W>,
}

impl<W> Default for HostCalls<W> {
    fn default() -> Self {
        Self {
            last: 0,
            calls: HashMap::new(),
            by_invocation: HashMap::new(),
            bytes: 0,
            earliest: None,
        }
    }
}

impl<W> HostCalls<W> {
    /// Counts a call. `work` is made of our number of it, and given back if it is its turn.
    pub(super) fn begin(&mut self, call: HostCall, work: impl FnOnce(u64) -> W) -> Option<W> {
        self.last += 1;
        self.bytes += call.bytes;
        let invocation = call.invocation;
        self.earliest = Some(self.earliest.map_or(call.until, |until| until.min(call.until)));
        self.calls.insert(self.last, call);
        let turns = self.by_invocation.entry(invocation).or_insert(Turns {
            under_way: 0,
            waiting: VecDeque::new(),
        });
        if turns.under_way < MAX_CALLS_OF_ONE {
            turns.under_way += 1;
            return Some(work(self.last));
        }
        turns.waiting.push_back(work(self.last));
        None
    }

    /// The guest's number of a call that has been answered, its invocation, and the work whose turn it is now. `None` when
    /// nobody waits for the answer any more.
    pub(super) fn end(&mut self, number: u64) -> Option<(u64, u64, Option<W>)> {
        let HostCall {
            call,
            invocation,
            bytes,
            ..
        } = self.calls.remove(&number)?;
        self.bytes -= bytes;
        if self.calls.is_empty() {
            self.earliest = None;
        }
        Some((call, invocation, self.next_of(invocation)))
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    fn next_of(&mut self, invocation: u64) -> Option<W> {
        let turns = self.by_invocation.get_mut(&invocation)?;
        if let Some(work) = turns.waiting.pop_front() {
            return Some(work);
        }
        turns.under_way -= 1;
        if turns.under_way == 0 {
            self.by_invocation.remove(&invocation);
        }
        None
    }

    /// Forgets those whose invocation's time is over, whatever becomes of them: an operation that never ends must not
    /// take a place for ever. The guest's numbers of them.
    pub(super) fn take_overdue(&mut self, now: Instant) -> Vec<u64> {
        let overdue: Vec<_> = self.calls.extract_if(|_, call| call.until <= now).collect();
        for (_, call) in &overdue {
            self.bytes -= call.bytes;
            // All calls of an invocation have the same time, but for some milliseconds.
            self.by_invocation.remove(&call.invocation);
        }
        self.earliest = self.calls.values().map(|call| call.until).min();
        overdue.into_iter().map(|(_, call)| call.call).collect()
    }

    /// When [`HostCalls::take_overdue`] is to be called; there may be nothing to take by then.
    pub(super) fn next_overdue(&self) -> Option<Instant> {
        self.earliest
    }

    /// The invocation that made a call which is under way, by our number of it.
    pub(super) fn invocation_of(&self, number: u64) -> Option<u64> {
        self.calls.get(&number).map(|call| call.invocation)
    }

    /// What the file of a call that is under way takes.
    pub(super) fn room_of(&self, number: u64) -> Option<Room> {
        self.calls.get(&number)?.file.clone()
    }

    /// Whether nothing is under way but what these invocations asked for.
    pub(super) fn all_are_of(&self, invocations: &[u64]) -> bool {
        self.calls
            .values()
            .all(|call| invocations.contains(&call.invocation))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether the plugin may ask for more. One call may exceed the bytes by itself, so that none is ever too large.
    pub(super) fn has_room(&self) -> bool {
        self.calls.len() < MAX_CALLS && self.bytes < MAX_BYTES
    }

    /// Forgets them with the process that made them. Numbers go on: an answer may still be on its way.
    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.by_invocation.clear();
        self.bytes = 0;
        self.earliest = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn call(call: u64, invocation: u64) -> HostCall {
        HostCall {
            call,
            invocation,
            until: Instant::now() + Duration::from_secs(30),
            bytes: 0,
            file: None,
        }
    }

    fn begin(calls: &mut HostCalls<u64>, new: HostCall) -> u64 {
        calls.begin(new, |number| number);
        calls.last
    }

    #[test]
    fn an_answer_finds_its_call_once() {
        let mut calls = HostCalls::default();
        let (first, second) = (begin(&mut calls, call(7, 1)), begin(&mut calls, call(7, 1)));
        assert_eq!((calls.end(second), calls.end(second)), (Some((7, 1, None)), None));
        assert_eq!(calls.end(first), Some((7, 1, None)));
        assert!(calls.is_empty() && calls.by_invocation.is_empty());
    }

    #[test]
    fn there_is_room_up_to_the_number_and_the_bytes() {
        let mut calls = HostCalls::default();
        let numbers: Vec<_> = (0..MAX_CALLS as u64)
            .map(|number| begin(&mut calls, call(number, number)))
            .collect();
        assert!(!calls.has_room());
        calls.end(numbers[0]);
        assert!(calls.has_room());
        let bytes = MAX_BYTES;
        let large = begin(&mut calls, HostCall { bytes, ..call(1, 1) });
        assert!(!calls.has_room());
        calls.end(large);
        assert!(calls.has_room());
    }

    #[test]
    fn one_invocations_calls_take_turns_in_order_and_keep_no_other_ones_waiting() {
        let mut calls = HostCalls::default();
        let most = MAX_CALLS_OF_ONE as u64;
        let at_once: Vec<_> = (1..=most + 2)
            .map(|number| calls.begin(call(number, 1), |work| work).is_some())
            .collect();
        assert_eq!(at_once.iter().filter(|now| **now).count(), MAX_CALLS_OF_ONE);
        assert!(
            calls.begin(call(9, 2), |work| work).is_some(),
            "another invocation's turn"
        );
        assert_eq!(calls.end(1), Some((1, 1, Some(most + 1))));
        assert_eq!(calls.end(2), Some((2, 1, Some(most + 2))));
        assert_eq!(calls.end(3), Some((3, 1, None)));
        assert!(
            calls.begin(call(9, 1), |work| work).is_some(),
            "a turn is free again"
        );
    }

    #[test]
    fn operations_that_never_end_take_a_place_until_their_invocations_time_is_over() {
        let (start, mut calls) = (Instant::now(), HostCalls::default());
        let until = start + Duration::from_secs(1);
        for number in 0..MAX_CALLS as u64 {
            let invocation = number % 2;
            begin(
                &mut calls,
                HostCall {
                    until,
                    invocation,
                    ..call(number, 0)
                },
            );
        }
        assert_eq!(calls.next_overdue(), Some(until));
        assert!(calls.take_overdue(start).is_empty());
        assert_eq!(calls.next_overdue(), Some(until));
        let mut overdue = calls.take_overdue(until);
        overdue.sort_unstable();
        assert_eq!(overdue, (0..MAX_CALLS as u64).collect::<Vec<_>>());
        assert!(calls.has_room() && calls.is_empty() && calls.by_invocation.is_empty());
        assert_eq!(calls.next_overdue(), None);
        assert_eq!(
            calls.end(1),
            None,
            "an answer that comes all the same is nobody's"
        );
    }

    #[test]
    fn what_waits_is_told_when_its_time_is_over_also_while_there_is_room() {
        let (start, mut calls) = (Instant::now(), HostCalls::default());
        let second = Duration::from_secs(1);
        for (number, until) in [(1, 3), (2, 1), (3, 2)] {
            let until = start + second * until;
            begin(
                &mut calls,
                HostCall {
                    until,
                    ..call(number, number)
                },
            );
        }
        assert!(calls.has_room());
        for (number, at) in [(2, 1), (3, 2), (1, 3)] {
            let at = start + second * at;
            assert_eq!(calls.next_overdue(), Some(at));
            assert_eq!(calls.take_overdue(at), [number]);
        }
        assert_eq!(calls.next_overdue(), None);
        let number = begin(&mut calls, call(4, 4));
        calls.end(number);
        assert_eq!(calls.next_overdue(), None, "nobody waits");
    }

    #[test]
    fn an_answer_to_the_process_before_is_nobodys() {
        let mut calls = HostCalls::default();
        let before = begin(
            &mut calls,
            HostCall {
                bytes: MAX_BYTES,
                ..call(1, 1)
            },
        );
        calls.clear();
        assert!(calls.has_room());
        let after = begin(&mut calls, call(1, 1));
        assert_eq!((calls.end(before), calls.end(after)), (None, Some((1, 1, None))));
    }
}
