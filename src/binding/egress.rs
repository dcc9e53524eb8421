//! The way out alone, for `createBridgeHandler`, which has no process to fetch from.

use napi::Env;
use napi::bindgen_prelude::{Buffer, Object};
use napi_derive::napi;

use super::runner::NativeNumber;
use crate::bridge::{Caller, DirectEgress, Grants, WholeAnswer};
use crate::limits::Given;
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

/// The way out, without a plugin's process.
#[derive(Debug)]
#[napi]
pub struct NativeEgress {
    egress: DirectEgress,
}

#[napi]
impl NativeEgress {
    /// `private_hosts` is a list of `host[:port]`, with commas; `max_fetch_mb` what a body may take, each way.
    #[napi(constructor, catch_unwind)]
    pub fn new(private_hosts: String, max_fetch_mb: Option<NativeNumber>) -> napi::Result<Self> {
        let max_fetch_mb = max_fetch_mb.map(Given::from);
        let egress = DirectEgress::new(&private_hosts, max_fetch_mb).map_err(super::runner::thrown)?;
        Ok(Self { egress })
    }

    /// What an operator is told at the start: which private hosts are open.
    #[napi(getter, catch_unwind, ts_return_type = "string | null")]
    pub fn notice(&self) -> Option<String> {
        self.egress.notice().map(str::to_owned)
    }

    /// `call` is the body of `http/fetch` on the bridge, as JSON text. The capabilities count as they are.
    #[napi(catch_unwind, ts_return_type = "Promise<NativeFetch>")]
    pub fn fetch<'env>(
        &self,
        env: &'env Env,
        plugin_id: String,
        capabilities: Vec<String>,
        allowed_hosts: Vec<String>,
        call: String,
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
        self.egress.fetch(&caller, &call, move |outcome| {
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
