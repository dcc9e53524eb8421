//! The limits of a plugin as checked types. `docs/architecture.md` and the README say which of them hold today.

use std::time::Duration;

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

impl Limits {
    /// `None` is the default.
    ///
    /// # Errors
    /// When a number is no limit: not a number, zero, negative, or beyond reason.
    pub fn new(
        wall_time_ms: Option<f64>,
        memory_mb: Option<f64>,
        max_upload_mb: Option<f64>,
    ) -> Result<Self, Error> {
        let wall_time = within(
            "limits.wallTimeMs",
            wall_time_ms.unwrap_or(WALL_TIME_MS),
            1.0,
            MAX_WALL_TIME_MS,
        )?;
        let memory = within(
            "limits.memoryMb",
            memory_mb.unwrap_or(MEMORY_MB),
            MIN_MEMORY_MB,
            MAX_MEMORY_MB,
        )?;
        let max_upload = within(
            "EMDASH_SANDBOX_MAX_UPLOAD_MB",
            max_upload_mb.unwrap_or(MAX_UPLOAD_MB),
            1.0,
            LARGEST_UPLOAD_MB,
        )?;
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

fn within(name: &str, value: f64, min: f64, max: f64) -> Result<f64, Error> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(Error::new(
        ErrorCode::InvalidOption,
        format!("{name} must be a number from {min} to {max}, not {value}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_limits_are_the_documented_ones() {
        let limits = Limits::new(None, None, None).unwrap();
        assert_eq!((limits.wall_time, limits.heap_mb), (Duration::from_secs(30), 128));
    }

    #[test]
    fn a_number_that_is_no_limit_is_refused_by_its_name() {
        for wrong in [f64::NAN, -1.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, 1e99] {
            let error = Limits::new(Some(wrong), None, None).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidOption);
            assert!(
                error.message.starts_with("limits.wallTimeMs must be a number"),
                "{error}"
            );
            assert!(
                Limits::new(None, Some(wrong), None)
                    .unwrap_err()
                    .message
                    .starts_with("limits.memoryMb")
            );
        }
    }
}
