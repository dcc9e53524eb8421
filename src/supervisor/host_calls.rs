//! The host operations that one plugin waits for, and the bound on them.

use std::collections::HashMap;

/// Operations of one plugin that may be under way; past it the plugin's frames are not read. It bounds what one plugin
/// can put into the host's event loop.
const MAX_CALLS: usize = 256;

/// What their arguments may take together, for the same reason.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Numbered by us: the guest's own numbers may come twice.
#[derive(Debug, Default)]
pub(super) struct HostCalls {
    last: u64,
    under_way: HashMap<u64, HostCall>,
    bytes: usize,
}

#[derive(Debug)]
struct HostCall {
    /// The guest's number of it.
    call: u64,
    invocation: u64,
    /// What its arguments take.
    bytes: usize,
}

impl HostCalls {
    /// Our number of a call that is handed to JavaScript.
    pub(super) fn begin(&mut self, call: u64, invocation: u64, bytes: usize) -> u64 {
        self.last += 1;
        self.bytes += bytes;
        self.under_way.insert(
            self.last,
            HostCall {
                call,
                invocation,
                bytes,
            },
        );
        self.last
    }

    /// The guest's number of a call that has been answered; `None` when nobody waits for it any more.
    pub(super) fn end(&mut self, number: u64) -> Option<u64> {
        let HostCall { call, bytes, .. } = self.under_way.remove(&number)?;
        self.bytes -= bytes;
        Some(call)
    }

    /// The invocation that made a call which is under way, by our number of it.
    pub(super) fn invocation_of(&self, number: u64) -> Option<u64> {
        self.under_way.get(&number).map(|call| call.invocation)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether the plugin may ask for more. One call may exceed the bytes by itself, so that none is ever too large.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < MAX_CALLS && self.bytes < MAX_BYTES
    }

    /// Forgets them with the process that made them. Numbers go on: an answer may still be on its way.
    pub(super) fn clear(&mut self) {
        self.under_way.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_call_once() {
        let mut calls = HostCalls::default();
        let (first, second) = (calls.begin(7, 1, 0), calls.begin(7, 1, 0));
        assert_eq!((calls.end(second), calls.end(second)), (Some(7), None));
        assert_eq!(calls.end(first), Some(7));
    }

    #[test]
    fn there_is_room_up_to_the_number_and_the_bytes() {
        let mut calls = HostCalls::default();
        let numbers: Vec<_> = (0..MAX_CALLS as u64)
            .map(|call| calls.begin(call, 1, 0))
            .collect();
        assert!(!calls.has_room());
        calls.end(numbers[0]);
        assert!(calls.has_room());
        let large = calls.begin(1, 1, MAX_BYTES);
        assert!(!calls.has_room());
        calls.end(large);
        assert!(calls.has_room());
    }

    #[test]
    fn an_answer_to_the_process_before_is_nobodys() {
        let mut calls = HostCalls::default();
        let before = calls.begin(1, 1, MAX_BYTES);
        calls.clear();
        assert!(calls.has_room());
        let after = calls.begin(1, 1, 0);
        assert_eq!((calls.end(before), calls.end(after)), (None, Some(1)));
    }
}
