//! Why fetches failed whose answers could no longer say so: their heads had gone out, or nobody was listening yet.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The guest asks at once, so more are those of fetches that nobody reads.
const MAX_REASONS: usize = 64;

/// The reasons of one process, by the guest's number of the fetch.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Mutex<VecDeque<(u64, String)>>);

impl Reasons {
    /// When there are too many the oldest one goes.
    pub(crate) fn keep(&self, fetch: u64, reason: String) {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.len() == MAX_REASONS {
            reasons.pop_front();
        }
        reasons.push_back((fetch, reason));
    }

    /// Hands one out, once.
    pub(crate) fn take(&self, fetch: u64) -> Option<String> {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = reasons.iter().position(|(other, _)| *other == fetch)?;
        reasons.remove(index).map(|(_, reason)| reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_and_old_ones_go() {
        let reasons = Reasons::default();
        for fetch in 0..=MAX_REASONS as u64 {
            reasons.keep(fetch, format!("because of {fetch}"));
        }
        assert_eq!(reasons.take(0), None);
        assert_eq!(reasons.take(1).as_deref(), Some("because of 1"));
        assert_eq!(reasons.take(1), None);
    }
}
