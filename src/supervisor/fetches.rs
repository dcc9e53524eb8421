//! The fetches of one plugin that are under way: counted, and heard of when they end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Fetches(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    end: Notify,
    /// So that nobody need look into the list to see that it is empty.
    has_ended: AtomicBool,
    /// The invocations of those that have ended.
    ended: Mutex<Vec<u64>>,
}

/// One of them; dropped with it.
#[derive(Debug)]
pub(super) struct OpenFetch {
    shared: Arc<Shared>,
    invocation: u64,
}

impl Fetches {
    pub(super) fn begin(&self, invocation: u64) -> OpenFetch {
        let shared = Arc::clone(&self.0);
        OpenFetch { shared, invocation }
    }

    pub(super) fn is_empty(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The invocations of those that have ended since the last time, once for each fetch.
    pub(super) fn take_ended(&self) -> Vec<u64> {
        match self.0.has_ended.swap(false, Ordering::Relaxed) {
            true => std::mem::take(&mut self.0.ended.lock().unwrap_or_else(PoisonError::into_inner)),
            false => Vec::new(),
        }
    }

    /// Resolves when one has ended, also if that was before. Cancel-safe.
    pub(super) async fn one_ended(&self) {
        self.0.end.notified().await;
    }
}

impl Drop for OpenFetch {
    fn drop(&mut self) {
        let Shared {
            end,
            has_ended,
            ended,
        } = &*self.shared;
        ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.invocation);
        has_ended.store(true, Ordering::Relaxed);
        // Whoever hears of it is another task of the same thread: by then it counts no more.
        end.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_hears_of_each_end_and_then_counts_it_no_more() {
        let fetches = Fetches::default();
        let (one, two) = (fetches.begin(1), fetches.begin(2));
        drop(one);
        fetches.one_ended().await;
        assert!(!fetches.is_empty());
        assert_eq!(fetches.take_ended(), [1]);
        drop(two);
        fetches.one_ended().await;
        assert!(fetches.is_empty());
        assert_eq!(fetches.take_ended(), [2]);
        assert!(fetches.take_ended().is_empty());
    }
}
