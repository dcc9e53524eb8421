//! The one timer of an actor.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// What an actor has to do next by the clock moves with each call, mostly to later. To set a timer of the runtime takes its
/// lock, and wakes the io thread where that would have slept for longer. So this one is set for what is due sooner than
/// it rings, and otherwise only when it has rung in vain.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Resolves when `due` has come; never without it. Cancel-safe, and made to be called anew with another `due`.
    pub(super) async fn ring(&mut self, due: Option<Instant>) {
        poll_fn(|context| match due {
            Some(due) => self.poll(due, context),
            None => Poll::Pending,
        })
        .await;
    }

    fn poll(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn it_rings_when_it_is_due_and_not_before() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        for due in [20, 50, 50, 51] {
            alarm.ring(Some(start + ms(due))).await;
            assert_eq!(start.elapsed(), ms(due));
        }
        alarm.ring(Some(start)).await;
        assert_eq!(start.elapsed(), ms(51), "what is over is due at once");
    }

    #[tokio::test(start_paused = true)]
    async fn it_may_be_put_off_and_moved_forward_while_it_is_waited_for() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        for due in [30, 1000, 500, 40] {
            assert!(alarm.ring(Some(start + ms(due))).now_or_never().is_none());
        }
        alarm.ring(Some(start + ms(40))).await;
        assert_eq!(start.elapsed(), ms(40));
        assert!(alarm.ring(Some(start + ms(90))).now_or_never().is_none());
        alarm.ring(Some(start + ms(60))).await;
        assert_eq!(start.elapsed(), ms(60));
    }

    #[tokio::test(start_paused = true)]
    async fn with_nothing_due_it_does_not_ring() {
        let mut alarm = Alarm::default();
        assert!(alarm.ring(Some(Instant::now() + ms(10))).now_or_never().is_none());
        let silence = tokio::time::timeout(ms(100), alarm.ring(None));
        assert!(silence.await.is_err());
    }

    /// What a call costs: an alarm that is put off leaves the runtime's timer alone.
    #[tokio::test(start_paused = true)]
    async fn putting_it_off_sets_no_timer() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        for due in 10..1000 {
            assert!(alarm.ring(Some(start + ms(due))).now_or_never().is_none());
        }
        assert_eq!(
            alarm.timer.as_ref().map(|timer| timer.deadline()),
            Some(start + ms(10))
        );
    }
}
