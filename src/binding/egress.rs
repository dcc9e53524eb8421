//! The way out alone, for `createBridgeHandler`, which has no process to fetch from.

use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Buffer, Object};
use napi_derive::napi;

use super::event::number;
use super::options::NativeNumber;
use crate::bridge::{Caller, DirectEgress, Grants, WholeAnswer};
use crate::limits::{Given, Wanted};
use crate::manifest::Capabilities;

/// What a fetch gives back: a refusal is data. Exactly one of the two is not `null`.
#[allow(missing_debug_implementations, reason = "napi's Buffer has none")]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct NativeFetch {
    /// What the plugin is told.
    pub error: Option<String>,
    pub answer: Option<NativeAnswer>,
}

#[allow(missing_debug_implementations, reason = "napi's Buffer has none")]
#[napi(object, object_from_js = false)]
pub struct NativeAnswer {
    pub status: u32,
    pub status_text: String,
    pub headers: Vec<(String, String)>,
    pub url: String,
    pub redirected: bool,
    pub body: Buffer,
}

/// What a caller without a plugin's process is held to. `null` is the default.
#[allow(missing_debug_implementations, reason = "only crosses")]
#[napi(object, object_to_js = false, use_nullable = true)]
pub struct NativeEgressLimits {
    pub max_fetch_mb: Option<NativeNumber>,
    pub max_upload_mb: Option<NativeNumber>,
    pub wall_time_ms: Option<NativeNumber>,
}

/// The way out, without a plugin's process.
#[derive(Debug)]
#[napi]
pub struct NativeEgress {
    egress: DirectEgress,
}

#[napi]
impl NativeEgress {
    /// `private_hosts` is a list of `host[:port]`, with commas.
    #[napi(constructor, catch_unwind)]
    pub fn new(private_hosts: String, limits: NativeEgressLimits) -> napi::Result<Self> {
        let limits = Wanted {
            max_fetch_mb: limits.max_fetch_mb.map(Given::from),
            max_upload_mb: limits.max_upload_mb.map(Given::from),
            wall_time_ms: limits.wall_time_ms.map(Given::from),
            ..Wanted::default()
        };
        let egress = DirectEgress::new(&private_hosts, limits).map_err(super::runner::thrown)?;
        Ok(Self { egress })
    }

    /// Bytes of one file that a plugin uploads.
    #[napi(getter, catch_unwind)]
    pub fn max_upload(&self) -> f64 {
        number(self.egress.max_upload() as u64)
    }

    /// What an operator is told at the start: which private hosts are open.
    #[napi(getter, catch_unwind, ts_return_type = "string | null")]
    pub fn notice(&self) -> Option<String> {
        self.egress.notice().map(str::to_owned)
    }

    /// `call` is the body of `http/fetch` on the bridge, as JSON text. The capabilities count as they are. `left_ms` is what
    /// its invocation has left of its time; without one it may take as long as an invocation.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeFetch>")]
    pub fn fetch<'env>(
        &self,
        env: &'env Env,
        plugin_id: String,
        capabilities: Vec<String>,
        allowed_hosts: Vec<String>,
        call: String,
        left_ms: Option<f64>,
    ) -> napi::Result<Object<'env>> {
        let caller = Caller {
            plugin_id,
            grants: Grants {
                capabilities: Capabilities::strict(capabilities),
                ..Grants::default()
            },
            allowed_hosts,
        };
        let (deferred, promise) = env.create_deferred()?;
        let left = left_ms.and_then(|left| Duration::try_from_secs_f64(left / 1000.0).ok());
        self.egress.fetch(&caller, &call, left, move |outcome| {
            deferred.resolve(move |_| Ok(NativeFetch::from(outcome)));
        });
        Ok(promise)
    }
}

impl From<Result<WholeAnswer, String>> for NativeFetch {
    fn from(outcome: Result<WholeAnswer, String>) -> Self {
        match outcome {
            Err(error) => Self {
                error: Some(error),
                answer: None,
            },
            Ok(answer) => Self {
                error: None,
                answer: Some(NativeAnswer {
                    status: answer.status.into(),
                    status_text: answer.status_text,
                    headers: answer.headers,
                    url: answer.url,
                    redirected: answer.redirected,
                    body: Vec::from(answer.body).into(),
                }),
            },
        }
    }
}
