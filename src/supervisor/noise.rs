//! Who listens to a plugin: JavaScript's thread, as long as most of what the plugin says is for it.
//!
//! A call that is refused, or a line past the rate, is dealt with here. A plugin that says little else would keep
//! JavaScript's thread busy with it; the io thread has the time.

use std::time::Duration;

use tokio::time::Instant;

/// So many frames in vain within [`STRETCH`] are noise.
const TOO_MANY: u32 = 50;
const STRETCH: Duration = Duration::from_millis(100);

/// How long the io thread listens then.
const QUIET: Duration = Duration::from_secs(1);

/// How long it listens after many calls were under way or came at once: mostly they come in waves, and to change who listens
/// costs two system calls.
const LULL: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct Noise {
    since: Option<Instant>,
    in_vain: u32,
    until: Option<Instant>,
}

impl Noise {
    /// A frame came of which JavaScript hears nothing.
    pub(super) fn hears_in_vain(&mut self, now: Instant) {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= STRETCH)
        {
            (self.since, self.in_vain) = (Some(now), 0);
        }
        self.in_vain += 1;
        if self.in_vain > TOO_MANY {
            self.until = Some(now + QUIET);
        }
    }

    /// It said something longer than JavaScript's thread has time for or, where that was brief, more at once.
    pub(super) fn is_too_much(&mut self, is_brief: bool, now: Instant) {
        if is_brief {
            self.is_crowd(now);
        } else {
            self.until = Some(now + QUIET);
        }
    }

    /// So many calls are under way that one read serves several.
    pub(super) fn is_crowd(&mut self, now: Instant) {
        self.until = self.until.max(Some(now + LULL));
    }

    /// Whether it is for the io thread to listen.
    pub(super) fn is_on(&mut self) -> bool {
        if self.until.is_some_and(|until| until <= Instant::now()) {
            self.until = None;
        }
        self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_frames_in_vain_are_noise_for_a_while() {
        let mut noise = Noise::default();
        (0..TOO_MANY).for_each(|_| noise.hears_in_vain(Instant::now()));
        assert!(!noise.is_on());
        noise.hears_in_vain(Instant::now());
        assert!(noise.is_on());
        tokio::time::advance(QUIET).await;
        assert!(!noise.is_on());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_shortens_no_quiet() {
        let mut noise = Noise::default();
        noise.is_crowd(Instant::now());
        assert!(noise.is_on());
        tokio::time::advance(LULL).await;
        assert!(!noise.is_on());
        noise.is_too_much(true, Instant::now());
        assert!(noise.is_on());
        tokio::time::advance(LULL).await;
        assert!(!noise.is_on(), "many at once is a wave");
        noise.is_too_much(false, Instant::now());
        noise.is_crowd(Instant::now());
        noise.is_too_much(true, Instant::now());
        tokio::time::advance(LULL).await;
        assert!(noise.is_on());
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_now_and_then_are_none() {
        let mut noise = Noise::default();
        for _ in 0..100 {
            (0..TOO_MANY).for_each(|_| noise.hears_in_vain(Instant::now()));
            tokio::time::advance(STRETCH).await;
            assert!(!noise.is_on());
        }
    }
}
