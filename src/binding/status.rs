//! `status()` of a plugin, as it crosses to JavaScript.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use napi_derive::napi;

use super::event::number;
use crate::limits::{CpuRule, Limits};
use crate::supervisor::{PluginStatus, Used};

/// Times are milliseconds since 1970, as `Date.now()` gives them.
#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct NativePluginStatus {
    pub id: String,
    pub version: String,
    pub state: String,
    pub since: f64,
    pub next_start: Option<f64>,
    pub process_id: Option<u32>,
    pub starts: f64,
    pub failures: f64,
    pub last_failures: Vec<NativePluginFailure>,
    pub in_flight: u32,
    pub used: Option<NativeUsed>,
}

/// What a plugin's hooks and routes have used since it was loaded; `null` where nobody measures it.
#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeUsed {
    pub cpu_ms: f64,
    /// The most that was seen.
    pub memory_mb: f64,
    pub subrequests: f64,
}

#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativePluginFailure {
    pub at: f64,
    pub reason: String,
}

impl From<PluginStatus> for NativePluginStatus {
    fn from(status: PluginStatus) -> Self {
        let failures = status.last_failures.into_iter();
        Self {
            id: status.plugin_id,
            version: status.version,
            state: status.state.to_owned(),
            since: ms(status.since),
            next_start: status.next_start.map(ms),
            process_id: status.process_id,
            starts: number(status.starts),
            failures: number(status.failures),
            last_failures: failures
                .map(|(at, reason)| NativePluginFailure { at: ms(at), reason })
                .collect(),
            in_flight: u32::try_from(status.in_flight).unwrap_or(u32::MAX),
            used: Some(status.used.into()),
        }
    }
}

impl From<Used> for NativeUsed {
    fn from(used: Used) -> Self {
        Self {
            cpu_ms: used.cpu.as_secs_f64() * 1000.0,
            memory_mb: number(used.memory) / 1024.0 / 1024.0,
            subrequests: number(used.subrequests),
        }
    }
}

/// Whole milliseconds; a clock before 1970 reads as 1970.
fn ms(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs_f64() * 1000.0).round()
}

/// The limits of a runner.
#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeLimits {
    pub cpu_ms: f64,
    /// Whether each invocation is held to it, or all of them on average.
    pub cpu_is_exact: bool,
    pub memory_mb: u32,
    pub subrequests: u32,
    pub wall_time_ms: f64,
    pub max_upload_mb: f64,
    pub max_fetch_mb: f64,
    pub has_cgroups: bool,
    /// Names of those above that plugins are held to.
    pub enforced: Vec<String>,
}

impl NativeLimits {
    pub(super) fn new(limits: &Limits, has_cgroups: bool, enforced: &[&str]) -> Self {
        let in_ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let in_mb = |bytes: usize| bytes as f64 / 1024.0 / 1024.0;
        let (cpu_is_exact, cpu) = match limits.cpu {
            CpuRule::Exact(limit) => (true, limit),
            CpuRule::Average(average) => (false, average),
        };
        Self {
            cpu_ms: in_ms(cpu),
            cpu_is_exact,
            memory_mb: limits.memory_mb,
            subrequests: limits.subrequests,
            wall_time_ms: in_ms(limits.wall_time),
            max_upload_mb: in_mb(limits.max_upload),
            max_fetch_mb: in_mb(limits.max_fetch),
            has_cgroups,
            enforced: enforced.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}
