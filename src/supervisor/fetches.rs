//! The fetches of one plugin that are under way: counted, and heard of when they end.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::task::AtomicWaker;

#[derive(Debug, Default)]
pub(super) struct Fetches(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: AtomicUsize,
    /// The actor's, which alone waits.
    waker: AtomicWaker,
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
        shared.open.fetch_add(1, Ordering::SeqCst);
        OpenFetch { shared, invocation }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.open.load(Ordering::SeqCst) == 0
    }

    /// The invocations of those that have ended since the last time, once for each fetch.
    pub(super) fn take_ended(&self) -> Vec<u64> {
        match self.0.has_ended.swap(false, Ordering::SeqCst) {
            true => std::mem::take(&mut self.0.ended.lock().unwrap_or_else(PoisonError::into_inner)),
            false => Vec::new(),
        }
    }

    /// Resolves when one has ended, also if that was before, until [`Fetches::take_ended`] is asked. Cancel-safe; the last one
    /// who asks is woken.
    pub(super) async fn one_ended(&self) {
        poll_fn(|context| {
            self.0.waker.register(context.waker());
            match self.0.has_ended.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

impl Drop for OpenFetch {
    fn drop(&mut self) {
        let shared = &*self.shared;
        let mut ended = shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(self.invocation);
        drop(ended);
        // Whoever hears of it finds that it counts no more.
        shared.open.fetch_sub(1, Ordering::SeqCst);
        shared.has_ended.store(true, Ordering::SeqCst);
        shared.waker.wake();
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
