//! Visits: JavaScript's thread runs an actor itself, for a moment.
//!
//! Actors live on the io thread. To wake that one, only to have it write a frame to a plugin's process or to be woken by it
//! when the answer is there, takes as long as the frame's way. So JavaScript's thread may run an actor that nobody else is
//! running. What holds that thread up holds up the whole site: a visit has an allowance, and what is not brief waits for
//! the io thread.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// The largest frame of a plugin's that a visit deals with. What is longer keeps a thread busy.
pub(crate) const MAX_BYTES: usize = 16 * 1024;

/// The longest text of JavaScript's own that a visit writes. So many bytes take some 20 µs, and a look at how deep they are
/// nested up to 70; JavaScript has taken three times as long to make them, and to wake the other thread takes 60 in all.
pub(crate) const MAX_OWN_BYTES: usize = 128 * 1024;

/// Things that an actor does in one visit.
const MAX_STEPS: u32 = 32;

#[derive(Debug, Clone, Copy)]
struct Visit {
    /// Whether the plugin may have said something that nobody has read.
    reads: bool,
    steps: u32,
}

thread_local! {
    static VISIT: Cell<Option<Visit>> = const { Cell::new(None) };
}

/// `reads`: whether the plugin may have said something.
pub(crate) fn make<T>(reads: bool, visit: impl FnOnce() -> T) -> T {
    struct Over(Option<Visit>);
    impl Drop for Over {
        fn drop(&mut self) {
            VISIT.set(self.0);
        }
    }
    let steps = MAX_STEPS;
    let _over = Over(VISIT.replace(Some(Visit { reads, steps })));
    visit()
}

/// Whether it is JavaScript's thread that runs this.
pub(crate) fn is_on() -> bool {
    VISIT.get().is_some()
}

/// Whether a socket need not be asked: whoever visits knows that there is nothing to read.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) fn hears_nothing() -> bool {
    VISIT.get().is_some_and(|visit| !visit.reads)
}

/// A socket gave less than there was room for: it has no more.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) fn has_read_all() {
    if let Some(visit) = VISIT.get() {
        VISIT.set(Some(Visit {
            reads: false,
            ..visit
        }));
    }
}

/// Resolves on the io thread, and on a visit while its allowance lasts, if what is to be done is brief. Whether the io
/// thread had to be waited for.
pub(crate) async fn may_go_on(is_brief: bool) -> bool {
    let mut has_waited = false;
    poll_fn(|context| match VISIT.get() {
        None => Poll::Ready(has_waited),
        Some(visit) if is_brief && visit.steps > 0 => {
            let steps = visit.steps - 1;
            VISIT.set(Some(Visit { steps, ..visit }));
            Poll::Ready(false)
        }
        Some(_) => {
            has_waited = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// What no visit is to go on with: it has the io thread's waker already.
pub(crate) async fn never<F: Future + Unpin>(mut future: F) -> F::Output {
    poll_fn(|context| match is_on() {
        true => Poll::Pending,
        false => Pin::new(&mut future).poll(context),
    })
    .await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_not_brief_waits_for_the_io_thread() {
        assert!(may_go_on(false).now_or_never().is_some(), "it is this one");
        make(true, || {
            assert!(is_on());
            assert!(may_go_on(true).now_or_never().is_some());
            assert!(may_go_on(false).now_or_never().is_none());
        });
        assert!(!is_on() && may_go_on(false).now_or_never().is_some());
    }

    #[test]
    fn the_allowance_of_a_visit_is_used_up() {
        make(true, || {
            let brief = || may_go_on(true).now_or_never().is_some();
            assert_eq!((0..1000).filter(|_| brief()).count(), MAX_STEPS as usize);
        });
        make(true, || assert!(may_go_on(true).now_or_never().is_some()));
    }

    #[test]
    fn a_visit_reads_until_there_is_no_more_and_ends_with_a_panic_too() {
        make(false, || assert!(hears_nothing()));
        make(true, || {
            assert!(!hears_nothing());
            has_read_all();
            assert!(hears_nothing());
        });
        let panic = std::panic::catch_unwind(|| make(true, || panic!("of a visit")));
        assert!(panic.is_err() && !is_on() && !hears_nothing());
    }
}
