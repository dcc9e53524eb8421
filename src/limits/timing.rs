//! How long the supervisor waits for a plugin's process, and keeps it.

use std::time::Duration;

use super::{Given, from_ms, within};
use crate::error::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// From the spawn to the guest's report, and how long a call may wait for it.
    pub start: Duration,
    /// How long a process may serve nobody before it is stopped; `None` is for ever.
    pub idle: Option<Duration>,
}

/// Thirty starts at once took 0.34 s when measured on 2 cores.
const START_TIMEOUT_MS: f64 = 5000.0;
const MAX_START_TIMEOUT_MS: f64 = 600_000.0;

/// A process costs 10 MB; a start 30 ms. A plugin that is asked every few minutes stays.
const IDLE_MS: f64 = 600_000.0;
/// A process that is stopped at once would be started for every call.
const MIN_IDLE_MS: f64 = 100.0;
const MAX_IDLE_MS: f64 = 30.0 * 86_400_000.0;

impl Timing {
    /// `None` is the default. An idle time of 0 keeps processes for ever.
    ///
    /// # Errors
    /// When a number is no time, naming it.
    pub fn new(start: Option<Given>, idle: Option<Given>) -> Result<Self, Error> {
        let start = within(start, START_TIMEOUT_MS, 1.0, MAX_START_TIMEOUT_MS)?;
        let idle = match idle {
            Some(Given { value: 0.0, .. }) => None,
            idle => Some(from_ms(within(idle, IDLE_MS, MIN_IDLE_MS, MAX_IDLE_MS)?)),
        };
        Ok(Self {
            start: from_ms(start),
            idle,
        })
    }
}
