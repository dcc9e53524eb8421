//! The limits of a plugin as checked types. `docs/architecture.md` and the README say which of them hold today.

mod timing;

use std::time::Duration;

pub use self::timing::Timing;
use crate::error::{Error, ErrorCode};

/// What an operator may set; a number that can't be a limit is refused by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the moment an invocation is sent. Not the wait for a process to start.
    pub wall_time: Duration,
    /// MiB of V8's heap. Memory outside it (array buffers) is not limited yet.
    pub heap_mb: u32,
    /// Bytes of one file that a plugin uploads.
    pub max_upload: usize,
}

/// EmDash's documented defaults.
const WALL_TIME_MS: f64 = 30_000.0;
const MEMORY_MB: f64 = 128.0;

/// EmDash has no such limit; its other runner ends at about 7 MiB, by accident.
const MAX_UPLOAD_MB: f64 = 16.0;

/// Past this a limit limits nothing: a day, and more memory than a plugin can address.
const MAX_WALL_TIME_MS: f64 = 86_400_000.0;
const MAX_MEMORY_MB: f64 = 4096.0;

/// A file is held whole, in the plugin's heap and in the host.
const LARGEST_UPLOAD_MB: f64 = 1024.0;

/// V8 can't start in less.
const MIN_MEMORY_MB: f64 = 16.0;

/// A number that somebody has set, and what they call it: an option or an environment variable.
#[derive(Debug, Clone)]
pub struct Given {
    pub name: String,
    pub value: f64,
}

/// The limits as they were set; `None` is the default.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub wall_time_ms: Option<Given>,
    pub memory_mb: Option<Given>,
    pub max_upload_mb: Option<Given>,
}

impl Limits {
    /// # Errors
    /// When a number is no limit: not a number, zero, negative, or beyond reason.
    pub fn new(wanted: Wanted) -> Result<Self, Error> {
        let wall_time = within(wanted.wall_time_ms, WALL_TIME_MS, 1.0, MAX_WALL_TIME_MS)?;
        let memory = within(wanted.memory_mb, MEMORY_MB, MIN_MEMORY_MB, MAX_MEMORY_MB)?;
        let max_upload = within(wanted.max_upload_mb, MAX_UPLOAD_MB, 1.0, LARGEST_UPLOAD_MB)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within its bounds it fits"
        )]
        Ok(Self {
            wall_time: Duration::from_micros((wall_time * 1000.0) as u64),
            heap_mb: memory as u32,
            max_upload: (max_upload * 1024.0 * 1024.0) as usize,
        })
    }

    /// The heap limit, and the flags that keep a busy plugin's heap small: 29 MB of its own after 60,000 calls instead
    /// of 120, at the same latency (measured before the first line was written; see docs/architecture.md).
    #[must_use]
    pub fn v8_flags(&self) -> Vec<String> {
        vec![
            format!("--max-heap-size={}", self.heap_mb),
            "--optimize-for-size".into(),
            "--max-semi-space-size=1".into(),
            "--initial-old-space-size=4".into(),
        ]
    }
}

fn within(given: Option<Given>, default: f64, min: f64, max: f64) -> Result<f64, Error> {
    match given {
        None => Ok(default),
        Some(Given { value, .. }) if (min..=max).contains(&value) => Ok(value),
        Some(Given { name, value }) => Err(Error::new(
            ErrorCode::InvalidOption,
            format!("{name} must be a number from {min} to {max}, not {value}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: f64) -> Option<Given> {
        let name = name.into();
        Some(Given { name, value })
    }

    #[test]
    fn unset_limits_are_the_documented_ones() {
        let limits = Limits::new(Wanted::default()).unwrap();
        assert_eq!((limits.wall_time, limits.heap_mb), (Duration::from_secs(30), 128));
        let timing = Timing::new(None, None).unwrap();
        assert_eq!(timing.start, Duration::from_secs(5));
        assert_eq!(timing.idle, Some(Duration::from_secs(600)));
    }

    #[test]
    fn a_number_that_is_no_limit_is_refused_by_the_name_that_it_was_given_under() {
        for wrong in [f64::NAN, -1.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, 1e99] {
            let wanted = Wanted {
                wall_time_ms: given("limits.wallTimeMs", wrong),
                ..Wanted::default()
            };
            let error = Limits::new(wanted).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidOption);
            assert!(
                error.message.starts_with("limits.wallTimeMs must be a number"),
                "{error}"
            );
            let error = Timing::new(given("EMDASH_X", wrong), None).unwrap_err();
            assert!(error.message.starts_with("EMDASH_X must be"), "{error}");
        }
    }

    #[test]
    fn an_idle_time_of_zero_keeps_processes_and_no_other_odd_number_does() {
        assert_eq!(Timing::new(None, given("IDLE", 0.0)).unwrap().idle, None);
        for wrong in [f64::NAN, -1.0, 0.5, 1e99] {
            assert!(Timing::new(None, given("IDLE", wrong)).is_err());
        }
    }
}
