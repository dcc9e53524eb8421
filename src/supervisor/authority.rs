//! What lets a host operation begin: its invocation's deadline has not passed and its plugin has not been unloaded.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

/// Goes with each operation to the JavaScript thread, where it is asked again right before the operation begins.
#[derive(Debug, Clone)]
pub struct Authority {
    load: LoadAuthority,
    until: Instant,
}

impl Authority {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.load.holds() && Instant::now() < self.until
    }

    /// Resolves when it holds no more, for what has begun and takes long.
    pub(crate) async fn ended(self) {
        let mut load = self.load.0.subscribe();
        tokio::select! {
            // The sender lives as long as this authority does.
            _ = load.wait_for(|has_ended| *has_ended) => {}
            () = tokio::time::sleep_until(self.until) => {}
        }
    }
}

/// A loaded plugin's part of it: ends for good when the plugin's process ends or the plugin is unloaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoadAuthority(Arc<watch::Sender<bool>>);

impl LoadAuthority {
    pub(crate) fn until(&self, until: Instant) -> Authority {
        Authority {
            load: self.clone(),
            until,
        }
    }

    pub(crate) fn end(&self) {
        self.0.send_replace(true);
    }

    fn holds(&self) -> bool {
        !*self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_at_the_deadline_and_at_the_unload() {
        let load = LoadAuthority::default();
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(9));
        let (brief, lasting) = (
            load.until(Instant::now() + short),
            load.until(Instant::now() + long),
        );
        assert!(brief.holds() && lasting.holds());
        tokio::time::advance(short).await;
        assert!(!brief.holds() && lasting.holds());
        load.end();
        assert!(!lasting.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_its_end_hears_of_either() {
        let load = LoadAuthority::default();
        let (start, hour) = (Instant::now(), Duration::from_secs(3600));
        load.until(start + hour).ended().await;
        assert_eq!(start.elapsed(), hour);
        let waits = tokio::spawn(load.until(Instant::now() + hour).ended());
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        load.end();
        waits.await.unwrap();
        load.until(Instant::now() + hour).ended().await;
        assert_eq!(start.elapsed(), hour, "an end that was before is heard at once");
    }
}
