//! The options of a runner, as they cross and as they are checked.

use napi_derive::napi;
use serde_json::value::RawValue;

use crate::error::{Error, ErrorCode};
use crate::jail::Mode;
use crate::limits::{Given, Limits, Timing, Wanted};
use crate::supervisor::Options;
use crate::workerd::{Programs, Transport};

/// How a runner is set up. Limits cross as numbers of any kind and are checked in Rust; `null` is the default.
#[derive(Debug)]
#[napi(object, object_to_js = false, use_nullable = true)]
pub struct NativeOptions {
    /// Path of the launcher that is shipped beside the addon.
    pub launcher: String,
    /// Path of the workerd executable.
    pub workerd: String,
    /// What is put around a plugin's process: `auto`, `require` or `off`.
    pub jail: String,
    /// By what plugins' processes and the host reach each other: `auto`, `unix` or `tcp`.
    pub transport: String,
    /// For tests: a system call that nobody expected ends the process, instead of failing.
    pub is_jail_strict: bool,
    /// All of the environment that a plugin's process gets: names and values.
    pub environment: Vec<(String, String)>,
    /// `ctx.site`, as JSON text.
    pub site: String,
    /// `EMDASH_SANDBOX_LIMITS`.
    pub preset: Option<String>,
    pub cpu_ms: Option<NativeNumber>,
    pub memory_mb: Option<NativeNumber>,
    pub subrequests: Option<NativeNumber>,
    pub wall_time_ms: Option<NativeNumber>,
    pub max_upload_mb: Option<NativeNumber>,
    pub max_fetch_mb: Option<NativeNumber>,
    pub start_timeout_ms: Option<NativeNumber>,
    /// 0 keeps idle processes for ever.
    pub idle_ms: Option<NativeNumber>,
    /// `host[:port],…` of the site's own network that plugins may reach.
    pub private_hosts: String,
}

/// A number that somebody has set, and what they call it.
#[derive(Debug)]
#[napi(object, object_to_js = false)]
pub struct NativeNumber {
    pub name: String,
    pub value: f64,
}

impl NativeOptions {
    pub(super) fn validate(self) -> Result<Options, Error> {
        let site = RawValue::from_string(self.site)
            .map_err(|_| Error::new(ErrorCode::InvalidOption, "siteInfo can't be written as JSON"))?;
        let transport = Transport::parse(&self.transport)?;
        Ok(Options {
            programs: Programs {
                launcher: self.launcher.into(),
                workerd: self.workerd.into(),
                jail: super::jail::jail(Mode::parse(&self.jail)?, transport, self.is_jail_strict),
                transport,
                environment: self
                    .environment
                    .into_iter()
                    .map(|(k, v)| (k.into(), v.into()))
                    .collect(),
            },
            limits: Limits::new(Wanted {
                preset: self.preset,
                cpu_ms: self.cpu_ms.map(Given::from),
                subrequests: self.subrequests.map(Given::from),
                wall_time_ms: self.wall_time_ms.map(Given::from),
                memory_mb: self.memory_mb.map(Given::from),
                max_upload_mb: self.max_upload_mb.map(Given::from),
                max_fetch_mb: self.max_fetch_mb.map(Given::from),
            })?,
            timing: Timing::new(
                self.start_timeout_ms.map(Given::from),
                self.idle_ms.map(Given::from),
            )?,
            private_hosts: self.private_hosts,
            site,
        })
    }
}

impl From<NativeNumber> for Given {
    fn from(NativeNumber { name, value }: NativeNumber) -> Self {
        Self { name, value }
    }
}
