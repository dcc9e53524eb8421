//! The fetches of one plugin that are under way: counted, and heard of when they end.

use std::sync::Arc;

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Fetches(Arc<Notify>);

/// One of them; dropped with it.
#[derive(Debug)]
pub(super) struct OpenFetch(Arc<Notify>);

impl Fetches {
    pub(super) fn begin(&self) -> OpenFetch {
        OpenFetch(Arc::clone(&self.0))
    }

    pub(super) fn is_empty(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Resolves when one has ended, also if that was before. Cancel-safe.
    pub(super) async fn one_ended(&self) {
        self.0.notified().await;
    }
}

impl Drop for OpenFetch {
    fn drop(&mut self) {
        // Whoever hears of it is another task of the same thread: by then it counts no more.
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_hears_of_each_end_and_then_counts_it_no_more() {
        let fetches = Fetches::default();
        let (one, two) = (fetches.begin(), fetches.begin());
        drop(one);
        fetches.one_ended().await;
        assert!(!fetches.is_empty());
        drop(two);
        fetches.one_ended().await;
        assert!(fetches.is_empty());
    }
}
