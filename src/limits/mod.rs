//! The limits of a plugin as checked types. `docs/architecture.md` and the README say which of them hold today.

pub(crate) mod cpu;
mod enforcement;
pub(crate) mod sizes;
mod timing;

use std::time::Duration;

pub use self::cpu::CpuRule;
pub(crate) use self::enforcement::Enforcement;
use self::sizes::{CLOUDFLARE_VALUE_BYTES, MAX_VALUE_BYTES};
pub use self::timing::Timing;
use crate::error::{Error, ErrorCode};
use crate::workerd::sanitise_line;

/// What an operator may set; a number that can't be a limit is refused by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Of one invocation.
    pub cpu: CpuRule,
    /// MiB that the plugin may use for itself: V8's heap, and all else together.
    pub memory_mb: u32,
    /// `ctx` calls of one invocation.
    pub subrequests: u32,
    /// From the moment an invocation is sent. Not the wait for a process to start.
    pub wall_time: Duration,
    /// Bytes of one file that a plugin uploads.
    pub max_upload: usize,
    /// Bytes of one body of `http.fetch`, decoded, each way.
    pub max_fetch: usize,
    /// Connections of `http.fetch` at once.
    pub connections: usize,
    /// Bytes of a value that is stored, as JSON.
    pub max_value: usize,
}

/// EmDash's documented defaults, which are Cloudflare's.
const CPU_MS: f64 = 50.0;
const MEMORY_MB: f64 = 128.0;
pub(crate) const DOCUMENTED_SUBREQUESTS: u32 = 10;
const WALL_TIME_MS: f64 = 30_000.0;

/// EmDash documents [`DOCUMENTED_SUBREQUESTS`] and its other runner counts none: a site that switches over must not break.
const SUBREQUESTS: f64 = 1000.0;

/// EmDash has no such limit; its other runner ends at about 7 MiB, by accident.
const MAX_UPLOAD_MB: f64 = 16.0;

/// EmDash's cap, each way.
const MAX_FETCH_MB: f64 = 8.0;

/// Until their answers have been read; further fetches wait. An answer may take 16 MiB for each of its two codings while it
/// is decoded, so this is also a bound of memory.
pub(crate) const CONNECTIONS: usize = 16;

/// The same on Cloudflare.
const CLOUDFLARE_CONNECTIONS: usize = 6;

/// Past this a limit limits nothing: a day, and more memory than a plugin can address.
const MAX_TIME_MS: f64 = 86_400_000.0;
const MAX_MEMORY_MB: f64 = 4096.0;
const MAX_SUBREQUESTS: f64 = 1_000_000.0;

/// A file is held whole, in the plugin's heap and in the host.
const LARGEST_UPLOAD_MB: f64 = 1024.0;

/// A body that is held is held in the host, and this is what one plugin's may take there together.
const LARGEST_FETCH_MB: f64 = 32.0;

/// V8 can't start in less.
const MIN_MEMORY_MB: f64 = 16.0;

/// A number that somebody has set, and what they call it: an option or an environment variable.
#[derive(Debug, Clone)]
pub struct Given {
    pub name: String,
    pub value: f64,
}

/// The limits as they were set; `None` is the preset's, or the default.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub preset: Option<String>,
    pub cpu_ms: Option<Given>,
    pub memory_mb: Option<Given>,
    pub subrequests: Option<Given>,
    pub wall_time_ms: Option<Given>,
    pub max_upload_mb: Option<Given>,
    pub max_fetch_mb: Option<Given>,
}

impl Limits {
    /// # Errors
    /// When a number is no limit: not a number, zero, negative, or beyond reason.
    pub fn new(wanted: Wanted) -> Result<Self, Error> {
        let is_exact = preset_is_exact(wanted.preset.as_deref())?;
        let cpu_is_set = is_exact || wanted.cpu_ms.is_some();
        let cpu = from_ms(within(wanted.cpu_ms, CPU_MS, 1.0, MAX_TIME_MS)?);
        let memory = whole(wanted.memory_mb, MEMORY_MB, MIN_MEMORY_MB, MAX_MEMORY_MB)?;
        let subrequests = match is_exact {
            true => f64::from(DOCUMENTED_SUBREQUESTS),
            false => SUBREQUESTS,
        };
        let subrequests = whole(wanted.subrequests, subrequests, 1.0, MAX_SUBREQUESTS)?;
        let wall_time = wall_time(wanted.wall_time_ms)?;
        let max_upload = upload_bytes(wanted.max_upload_mb)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within its bounds it fits"
        )]
        Ok(Self {
            cpu: if cpu_is_set {
                CpuRule::Exact(cpu)
            } else {
                CpuRule::Average(cpu)
            },
            memory_mb: memory as u32,
            subrequests: subrequests as u32,
            wall_time,
            max_upload,
            max_fetch: fetch_bytes(wanted.max_fetch_mb)?,
            connections: if is_exact {
                CLOUDFLARE_CONNECTIONS
            } else {
                CONNECTIONS
            },
            max_value: if is_exact {
                CLOUDFLARE_VALUE_BYTES
            } else {
                MAX_VALUE_BYTES
            },
        })
    }

    /// [`Limits::memory_mb`] in bytes.
    pub(crate) fn memory(&self) -> u64 {
        u64::from(self.memory_mb) * 1024 * 1024
    }

    /// The heap limit, and the flags that keep a busy plugin's heap small: at most 20 MB of its own after 60,000 calls
    /// instead of 120, at the same latency (docs/performance.md).
    #[must_use]
    pub fn v8_flags(&self) -> Vec<String> {
        vec![
            format!("--max-heap-size={}", self.memory_mb),
            "--optimize-for-size".into(),
            "--max-semi-space-size=1".into(),
            "--initial-old-space-size=4".into(),
            // The guest asks for collections now and then (`guest/garbage.js`).
            "--expose-gc".into(),
        ]
    }

    /// Whether the guest asks for a collection for many messages alone. Where processor time is exact, what one takes of a
    /// large heap could be more than a call may; without it a busy plugin only takes more memory.
    #[must_use]
    pub(crate) fn collects_by_frames(&self) -> bool {
        matches!(self.cpu, CpuRule::Average(_))
    }

    /// After how many bytes of files and bodies the guest asks for a collection of what is young, which takes no longer for
    /// all that is alive.
    #[must_use]
    pub(crate) fn collects_after_bytes(&self) -> u64 {
        self.memory() / 8
    }
}

/// Whether the documented numbers hold as they are, as they do on Cloudflare.
fn preset_is_exact(preset: Option<&str>) -> Result<bool, Error> {
    match preset {
        None => Ok(false),
        Some("cloudflare") => Ok(true),
        Some(other) => Err(Error::new(
            ErrorCode::InvalidOption,
            format!(
                "EMDASH_SANDBOX_LIMITS must be cloudflare or unset, not {}",
                sanitise_line(other.as_bytes())
            ),
        )),
    }
}

/// [`Limits::max_fetch`] as it was set, or the default.
///
/// # Errors
/// When the number is none that it may be.
pub(crate) fn fetch_bytes(mb: Option<Given>) -> Result<usize, Error> {
    let mb = within(mb, MAX_FETCH_MB, 1.0, LARGEST_FETCH_MB)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within its bounds it fits"
    )]
    Ok((mb * 1024.0 * 1024.0) as usize)
}

/// [`Limits::max_upload`] alone, for who serves no process.
///
/// # Errors
/// When the number is none that it may be.
pub(crate) fn upload_bytes(mb: Option<Given>) -> Result<usize, Error> {
    let mb = within(mb, MAX_UPLOAD_MB, 1.0, LARGEST_UPLOAD_MB)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within its bounds it fits"
    )]
    Ok((mb * 1024.0 * 1024.0) as usize)
}

/// [`Limits::wall_time`] alone.
///
/// # Errors
/// When the number is none that it may be.
pub(crate) fn wall_time(ms: Option<Given>) -> Result<Duration, Error> {
    Ok(from_ms(within(ms, WALL_TIME_MS, 1.0, MAX_TIME_MS)?))
}

fn from_ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1000.0)
}

/// A limit's time as error texts name it, to the microsecond.
pub(crate) fn ms_text(time: Duration) -> String {
    format!("{}ms", (time.as_secs_f64() * 1e6).round() / 1e3)
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

/// As [`within`], of what is counted in one piece.
fn whole(given: Option<Given>, default: f64, min: f64, max: f64) -> Result<f64, Error> {
    let name = given.as_ref().map(|given| given.name.clone());
    let value = within(given, default, min, max)?;
    match name {
        Some(name) if value.fract() != 0.0 => Err(Error::new(
            ErrorCode::InvalidOption,
            format!("{name} must be a whole number, not {value}"),
        )),
        _ => Ok(value),
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
