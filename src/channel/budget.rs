//! What waits to be read by one guest. A guest can ask for more than it reads, and the difference is the host's memory.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// Past this, nothing more is taken from the guest until it has read.
const ROOM_BYTES: usize = 8 * 1024 * 1024;

/// Past this it is taken to have stopped reading. Answers that were asked for before the room ran out still come: as
/// many as a plugin may have calls under way.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// Past this no further event is sent: the rest is for answers.
const MAX_EVENT_BYTES: usize = MAX_BYTES / 2;

#[derive(Debug, Default)]
pub(crate) struct Budget {
    queued: AtomicUsize,
    /// Of the one who waits for a change: the actor.
    waker: AtomicWaker,
}

impl Budget {
    pub(super) fn take(&self, bytes: usize) {
        let before = self.queued.fetch_add(bytes, Ordering::SeqCst);
        if before + bytes > MAX_BYTES {
            self.waker.wake();
        }
    }

    pub(super) fn give_back(&self, bytes: usize) {
        let before = self.queued.fetch_sub(bytes, Ordering::SeqCst);
        if before > ROOM_BYTES && before - bytes <= ROOM_BYTES {
            self.waker.wake();
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.queued.load(Ordering::SeqCst) <= ROOM_BYTES
    }

    /// Whether this much more may wait. One message may exceed the bound by itself, so that none is ever too large.
    pub(crate) fn takes(&self, bytes: usize) -> bool {
        let queued = self.queued.load(Ordering::SeqCst);
        queued == 0 || queued + bytes <= MAX_EVENT_BYTES
    }

    /// Resolves when there is room again. Cancel-safe.
    pub(crate) async fn room(&self) {
        self.until(|queued| queued <= ROOM_BYTES).await;
    }

    /// Resolves when too much waits. Cancel-safe.
    pub(crate) async fn overflow(&self) {
        self.until(|queued| queued > MAX_BYTES).await;
    }

    /// The last one who asks is woken.
    async fn until(&self, condition: impl Fn(usize) -> bool) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match condition(self.queued.load(Ordering::SeqCst)) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn room_comes_back_when_the_guest_has_read() {
        let budget = Arc::new(Budget::default());
        budget.take(ROOM_BYTES + 10);
        assert!(!budget.has_room());
        let waits = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.room().await }
        });
        tokio::task::yield_now().await;
        budget.give_back(5);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        budget.give_back(5);
        waits.await.unwrap();
    }

    #[tokio::test]
    async fn too_much_is_noticed_while_somebody_waits_and_before() {
        let budget = Arc::new(Budget::default());
        let waits = tokio::spawn({
            let budget = Arc::clone(&budget);
            async move { budget.overflow().await }
        });
        tokio::task::yield_now().await;
        budget.take(MAX_BYTES);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        budget.take(1);
        waits.await.unwrap();
        budget.overflow().await;
    }
}
