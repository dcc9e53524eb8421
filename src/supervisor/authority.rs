//! What lets a host operation begin: its invocation's deadline has not passed and its plugin has not been unloaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
}

/// A loaded plugin's part of it: ends for good when the plugin's process ends or the plugin is unloaded.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoadAuthority(Arc<AtomicBool>);

impl LoadAuthority {
    pub(crate) fn until(&self, until: Instant) -> Authority {
        Authority {
            load: self.clone(),
            until,
        }
    }

    pub(crate) fn end(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn holds(&self) -> bool {
        !self.0.load(Ordering::Acquire)
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
}
