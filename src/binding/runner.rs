//! The one class of the addon.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use napi::Env;
use napi::bindgen_prelude::{Buffer, Function, Utf16String};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

#[cfg(target_os = "linux")]
use super::ear::{self, Listening};
use super::event::{self, NativeEvent};
use super::jail::NativeJailReport;
use super::options::NativeOptions;
use super::status::{NativeLimits, NativePluginStatus};
use crate::error::{Error, Refusal, RouteError};
use crate::supervisor::{Answer, Kind, Outbox, Supervisor, Within};
use crate::sys::Callback;

/// What `load` gives back: an expected failure is data. `failure` is `null` exactly when the other fields are not.
#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct LoadOutcome {
    pub failure: Option<NativeFailure>,
    pub loaded: Option<NativeLoad>,
}

#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeFailure {
    pub code: String,
    pub message: String,
}

#[derive(Debug)]
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct NativeLoad {
    /// Names this load in every other method.
    pub plugin: u32,
    /// The load that this one stands in for: to be terminated when this one is `ready` or `broken`.
    pub replaces: Option<u32>,
    pub id: String,
    pub version: String,
    /// The declared storage collections, as JSON text.
    pub storage: String,
    /// The plugin's own hooks and routes, when this code has run before.
    pub hooks: Option<Vec<String>>,
    pub routes: Option<Vec<String>>,
}

/// Names a `call` event.
#[derive(Debug)]
#[napi(object, object_to_js = false)]
pub struct NativeCall {
    pub plugin: u32,
    pub call: f64,
}

impl From<NativeCall> for Within {
    fn from(NativeCall { plugin, call }: NativeCall) -> Self {
        Self {
            plugin,
            call: counter(call),
        }
    }
}

#[derive(Debug)]
#[napi(object, object_from_js = false)]
pub struct NativeClaims {
    pub plugin_id: String,
    pub version: String,
    pub capabilities: Vec<String>,
    pub allowed_hosts: Vec<String>,
    pub storage_collections: Vec<String>,
}

/// The plugins of one runner. Its methods wait for nothing; what comes of them is told by `drain()`.
#[allow(
    missing_debug_implementations,
    reason = "a watch of Node's event loop has nothing to show"
)]
#[napi]
pub struct NativeRunner {
    supervisor: Arc<Supervisor>,
    /// Dropped with it: JavaScript's thread listens no more.
    #[cfg(target_os = "linux")]
    _ear: Option<Listening>,
}

#[napi]
impl NativeRunner {
    /// `wake` is called, at most once until the next `drain()`, when there is something to drain. It does not keep the event loop alive.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, options: NativeOptions, wake: Function<(), ()>) -> napi::Result<Self> {
        let refused = || napi::Error::from_reason("Node refuses the addon a reference");
        let wake = Rc::new(Callback::new(&env, &wake).ok_or_else(refused)?);
        let awake = Rc::clone(&wake);
        let wake_later = env
            .create_function_from_closure("wake", move |_| {
                // What is thrown has been told, and an environment that is going away has nobody left to tell.
                awake.call();
                Ok(())
            })?
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let outbox = Outbox::new(move || {
            // An environment that is going away has nobody left to tell.
            let _ = wake_later.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        let supervisor = options
            .validate()
            .and_then(|options| Supervisor::new(options, outbox));
        let supervisor = Arc::new(supervisor.map_err(thrown)?);
        Ok(Self {
            #[cfg(target_os = "linux")]
            _ear: ear::listen(&supervisor, &env, wake),
            supervisor,
        })
    }

    /// `code` crosses as UTF-16, so that an unpaired surrogate is refused rather than replaced.
    #[napi(catch_unwind)]
    pub fn load(&self, manifest: String, code: Utf16String) -> LoadOutcome {
        match self.supervisor.load(&manifest, &code) {
            Err(error) => LoadOutcome {
                failure: Some(error.into()),
                loaded: None,
            },
            Ok(load) => {
                let (hooks, routes) = load
                    .names
                    .map(|names| (names.hooks.clone(), names.routes.clone()))
                    .unzip();
                let storage = load.manifest.storage_json();
                let (plugin, id, version) = (load.plugin, load.manifest.id, load.manifest.version);
                let loaded = NativeLoad {
                    plugin,
                    replaces: load.replaces,
                    id,
                    version,
                    storage,
                    hooks,
                    routes,
                };
                LoadOutcome {
                    failure: None,
                    loaded: Some(loaded),
                }
            }
        }
    }

    /// `payload` is JSON text: `{"event":…}` for a hook, `{"input":…,"request":…}` for a route.
    #[napi(catch_unwind)]
    pub fn invoke(&self, plugin: u32, request: f64, is_route: bool, name: String, payload: String) {
        let kind = if is_route { Kind::Route } else { Kind::Hook };
        self.supervisor
            .invoke(plugin, counter(request), kind, name, payload);
    }

    /// Answers a `call` with JSON text, or with nothing. `bytes` become the member `bytes` of the value, an object.
    #[napi(catch_unwind)]
    pub fn answer(&self, plugin: u32, call: f64, value: Option<String>, bytes: Option<Buffer>) {
        let bytes = bytes.map(|bytes| Bytes::from(Vec::from(bytes)));
        let answer = Answer { value, bytes };
        self.supervisor.answer(plugin, counter(call), Ok(answer));
    }

    /// Refuses a `call`: with a sentence, and the code of one of EmDash's route errors if it is one.
    #[napi(catch_unwind)]
    pub fn refuse(&self, plugin: u32, call: f64, message: String, code: Option<String>) {
        let refusal = Refusal {
            message,
            route_error: code.as_deref().and_then(RouteError::parse),
        };
        self.supervisor.answer(plugin, counter(call), Err(refusal));
    }

    /// Whether the operation of this `call` may still write, after whatever it has waited for. False for one that need not
    /// ask.
    #[napi(catch_unwind)]
    pub fn may_write(&self, plugin: u32, call: f64) -> bool {
        let call = counter(call);
        self.supervisor.may_write(Within { plugin, call })
    }

    /// Done when the plugin's process serves.
    #[napi(catch_unwind)]
    pub fn ensure_running(&self, plugin: u32, request: f64) {
        self.supervisor.ensure_running(plugin, counter(request));
    }

    /// Done when the plugin's process is gone. `within` is the `call` in which it is asked for.
    #[napi(catch_unwind)]
    pub fn terminate(&self, plugin: u32, request: f64, within: Option<NativeCall>) {
        self.supervisor
            .terminate(plugin, counter(request), within.map(Within::from));
    }

    /// Done when no plugin has a process any more.
    #[napi(catch_unwind)]
    pub fn terminate_all(&self, request: f64, within: Option<NativeCall>) {
        self.supervisor
            .terminate_all(counter(request), within.map(Within::from));
    }

    /// What each plugin is doing.
    #[napi(catch_unwind)]
    pub fn status(&self) -> Vec<NativePluginStatus> {
        self.supervisor
            .status()
            .into_iter()
            .map(NativePluginStatus::from)
            .collect()
    }

    /// The next events, each a list: its kind, and what `src/binding/event.rs` says of it. After `more` it must be called
    /// again, in another turn of the event loop.
    #[napi(
        catch_unwind,
        ts_return_type = "Array<
    | [kind: 'ready', plugin: number, hooks: Array<string>, routes: Array<string>]
    | [kind: 'broken', plugin: number]
    | [kind: 'done', request: number, value: string | null]
    | [kind: 'failed', request: number, code: string, message: string, stack: string | null]
    | [kind: 'call', plugin: number, call: number, method: string, args: Array<string | null>, upload: Buffer | null]
    | [kind: 'log', source: string, pluginId: string | null, level: string, message: string, data: string | null]
    | [kind: 'more']
  >"
    )]
    pub fn drain(&self) -> Vec<NativeEvent> {
        let (events, more) = self.supervisor.drain();
        let events = events.into_iter().map(event::native);
        events.chain(more.then_some(event::MORE)).collect()
    }

    /// What its plugins are held to: a process that can't be does not come to serve.
    #[napi(catch_unwind)]
    pub fn limits(&self) -> NativeLimits {
        let enforced: Vec<_> = self.supervisor.enforced().collect();
        NativeLimits::new(self.supervisor.limits(), self.supervisor.has_cgroups(), &enforced)
    }

    /// What holds of the jail around its plugins' processes, by the last start of one; `null` for a runner that has none.
    #[napi(catch_unwind)]
    pub fn jail(&self) -> Option<NativeJailReport> {
        Some(self.supervisor.jail().report().into())
    }

    #[napi(catch_unwind)]
    pub fn validate_token(&self, token: String) -> Option<NativeClaims> {
        self.supervisor.validate_token(&token).map(|claims| NativeClaims {
            plugin_id: claims.plugin_id,
            version: claims.version,
            capabilities: claims.capabilities,
            allowed_hosts: claims.allowed_hosts,
            storage_collections: claims.storage_collections,
        })
    }

    /// How many processes have been started and served.
    #[napi(getter, catch_unwind)]
    pub fn epoch(&self) -> f64 {
        event::number(self.supervisor.epoch())
    }
}

impl From<Error> for NativeFailure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code.name().to_owned(),
            message: error.message,
        }
    }
}

/// The constructor's failures can only be thrown; `host/errors.ts` reads the code before the first space.
pub(super) fn thrown(error: Error) -> napi::Error {
    napi::Error::from_reason(format!("{} {}", error.code.name(), error.message))
}

/// Counters of `host/inbox.ts`, whole and positive.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a wrong number finds no request"
)]
fn counter(number: f64) -> u64 {
    number as u64
}
