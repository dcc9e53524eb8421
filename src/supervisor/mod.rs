//! The plugins of one runner: who is loaded, and the way to each one's actor.

mod alarm;
pub(crate) mod authority;
mod bounds;
mod code;
mod complaint;
mod fetches;
mod home;
mod host_calls;
mod invocations;
mod journal;
mod load;
mod log_rate;
mod message;
mod noise;
mod outbox;
mod plugin;
mod registry;
mod restart;
mod start;
mod state;
mod status;
mod traces;
mod watch;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub(crate) use self::code::Code;
use self::code::CodeHash;
pub(crate) use self::complaint::{complaint_of_guest, error_of, explanation};
pub use self::load::Load;
pub use self::message::{Answer, Kind};
use self::message::{Call, Command};
pub use self::outbox::{Event, Log, Names, Outbox};
use self::registry::Plugins;
pub use self::registry::Within;
pub(crate) use self::registry::binding;
pub use self::status::{PluginStatus, Used};
use crate::backing::BackingServer;
use crate::egress::{Bounds, Egress, PrivateHosts};
use crate::error::{Error, OVER, Refusal};
use crate::jail::Jail;
use crate::limits::{Enforcement, Limits, Timing};
use crate::token::{Claims, Key};
use crate::workerd::{Delegation, Ear, Programs};

/// Processes of one runner that start at the same time; more would make each other miss the deadline.
const CONCURRENT_STARTS: usize = 4;

/// What a runner is made of.
#[derive(Debug)]
pub struct Options {
    pub programs: Programs,
    pub limits: Limits,
    pub timing: Timing,
    /// `EMDASH_SANDBOX_PRIVATE_HOSTS`, as it is.
    pub private_hosts: String,
    /// `ctx.site`, as JSON text.
    pub site: Box<RawValue>,
}

/// Its methods are called on the JavaScript thread; they enqueue, or do at once what is brief, and never wait. Dropping it
/// unloads every plugin.
pub struct Supervisor {
    runtime: &'static Handle,
    /// Where JavaScript's thread listens.
    ear: OnceLock<Arc<Ear>>,
    programs: Arc<Programs>,
    limits: Limits,
    enforcement: Enforcement,
    timing: Timing,
    site: Box<RawValue>,
    outbox: Arc<Outbox>,
    delegation: Option<Arc<Delegation>>,
    key: Key,
    starts: Arc<Semaphore>,
    backing: Arc<BackingServer>,
    epoch: Arc<AtomicU64>,
    known_names: Arc<Mutex<HashMap<CodeHash, Arc<Names>>>>,
    plugins: Mutex<Plugins>,
}

impl Supervisor {
    /// # Errors
    /// When the system gives no thread or no random bytes.
    pub fn new(options: Options, outbox: Outbox) -> Result<Self, Error> {
        let Options {
            programs,
            limits,
            timing,
            private_hosts,
            site,
        } = options;
        let private_hosts = PrivateHosts::parse(&private_hosts)?;
        let no_system =
            |error: &dyn fmt::Display| Error::unavailable(format!("the system refused the addon: {error}"));
        let runtime = crate::runtime::handle().map_err(|error| no_system(&error))?;
        let key = Key::generate().map_err(|error| no_system(&error))?;
        let enforcement = Enforcement::probe();
        for message in [private_hosts.notice(), enforcement.notice()]
            .into_iter()
            .flatten()
        {
            let plugin_id = None;
            outbox.push(Event::Log(Log::Notice { plugin_id, message }));
        }
        let egress = Arc::new(Egress::new(private_hosts, Bounds::new(limits.max_fetch)));
        let backing = {
            let _within = runtime.enter();
            BackingServer::start(programs.transport, key.clone(), egress)
                .map_err(|error| no_system(&error))?
        };
        Ok(Self {
            runtime,
            ear: OnceLock::new(),
            backing: Arc::new(backing),
            programs: Arc::new(programs),
            limits,
            enforcement,
            timing,
            site,
            outbox: Arc::new(outbox),
            delegation: Delegation::find().map(Arc::new),
            key,
            starts: Arc::new(Semaphore::new(CONCURRENT_STARTS)),
            epoch: Arc::default(),
            known_names: Arc::default(),
            plugins: Mutex::default(),
        })
    }

    /// What plugins that are loaded from now on say is read by [`Supervisor::hear`], which must be called on JavaScript's
    /// thread whenever `ear` can be read.
    pub fn listen(&self, ear: Arc<Ear>) {
        // Once; a second one would hear nothing.
        let _ = self.ear.set(ear);
    }

    /// Reads what plugins have said. Whether there is something to [drain](Supervisor::drain) now, of which JavaScript is not
    /// told: whoever calls this is on its thread.
    #[must_use]
    pub fn hear(&self) -> bool {
        self.outbox.hold(|| {
            for plugin in self.ear.get().map(|ear| ear.heard()).unwrap_or_default() {
                let actor = self.lock().actor(plugin);
                if let Some(actor) = actor {
                    // The others have been heard as well, and nobody tells of them twice.
                    let _ = catch_unwind(AssertUnwindSafe(|| actor.home.hear(self.runtime)));
                }
            }
        })
    }

    /// Tells JavaScript after all.
    pub fn wake(&self) {
        self.outbox.wake();
    }

    /// Ends in a [`Event::Done`] or [`Event::Failed`] for `request`. `payload` must be JSON text.
    pub fn invoke(&self, plugin: u32, request: u64, kind: Kind, name: String, payload: String) {
        let call = Call::Invoke {
            request,
            kind,
            name,
            payload,
        };
        self.send(plugin, call, request);
    }

    /// Ends in [`Event::Done`] when the plugin's process serves.
    pub fn ensure_running(&self, plugin: u32, request: u64) {
        self.send(
            plugin,
            Call::Start {
                request: Some(request),
            },
            request,
        );
    }

    /// The host's answer to an [`Event::Call`]: JSON text, nothing, or why there is none.
    pub fn answer(&self, plugin: u32, call: u64, result: Result<Answer, Refusal>) {
        let actor = {
            let mut plugins = self.lock();
            plugins.end_late_write(Within { plugin, call });
            plugins.actor(plugin)
        };
        if let Some(actor) = actor {
            // One that is gone needs no answer.
            actor.tell(self.runtime, Command::Answer { call, result });
        }
    }

    /// Refuses new calls from now on; ends in [`Event::Done`] when the plugin's process is gone. `within` is the host
    /// operation that asks for it, and that the end is not to wait for.
    pub fn terminate(&self, plugin: u32, request: u64, within: Option<Within>) {
        let mut plugins = self.lock();
        plugins.unload(plugin, within);
        let actor = plugins.draining.get(&plugin).map(|actor| actor.home.end());
        self.done_after(request, actor.into_iter().collect());
    }

    /// The same for every plugin, also for those whose termination is under way.
    pub fn terminate_all(&self, request: u64, within: Option<Within>) {
        let mut plugins = self.lock();
        plugins.unload_all(within);
        let actors = plugins.draining.values().map(|actor| actor.home.end());
        self.done_after(request, actors.collect());
    }

    /// What each plugin is doing, in the order in which they were loaded.
    pub fn status(&self) -> Vec<PluginStatus> {
        self.lock().status()
    }

    /// The claims of a token that this runner signed for a load that still stands.
    pub fn validate_token(&self, token: &str) -> Option<Claims> {
        let claims = self.key.verify(token)?;
        let number = u32::try_from(claims.load).ok()?;
        self.lock().loaded.contains_key(&number).then_some(claims)
    }

    /// The next events for JavaScript, and whether more wait. Operations whose authority has ended are refused here,
    /// before they begin.
    pub fn drain(&self) -> (Vec<Event>, bool) {
        let (mut events, more) = self.outbox.drain();
        events.retain(|event| self.may_begin(event));
        (events, more)
    }

    /// What is put around its plugins' processes.
    pub fn jail(&self) -> &Jail {
        &self.programs.jail
    }

    /// Whether a host operation that was waiting for something may write now. Only of those that
    /// [write late](crate::bridge::Method::writes_late).
    pub fn may_write(&self, call: Within) -> bool {
        self.lock().may_write(call)
    }

    /// What its plugins are held to.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Names of the limits that hold whole on this machine.
    pub fn enforced(&self) -> impl Iterator<Item = &'static str> {
        self.enforcement.enforced()
    }

    /// Whether each process has a cgroup of its own: the host has a part of the tree, and could use it the last time.
    pub fn has_cgroups(&self) -> bool {
        self.delegation
            .as_ref()
            .is_some_and(|delegation| !delegation.is_failing())
    }

    /// How many processes have been started and served.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    fn may_begin(&self, event: &Event) -> bool {
        match event {
            Event::Call {
                plugin,
                call,
                authority,
                ..
            } if !authority.holds() => {
                self.answer(*plugin, *call, Err(OVER.into()));
                false
            }
            Event::Call {
                plugin,
                call,
                operation,
                authority,
                ..
            } if operation.method.writes_late() => {
                let (plugin, call) = (*plugin, *call);
                let within = Within { plugin, call };
                self.lock().begin_late_write(within, authority.clone());
                true
            }
            _ => true,
        }
    }

    fn send(&self, plugin: u32, call: Call, request: u64) {
        let loaded = self.lock().loaded.get(&plugin).map(|loaded| loaded.actor.clone());
        let sent = loaded.is_some_and(|actor| actor.tell(self.runtime, Command::Call(call)));
        if !sent {
            self.outbox.push(Event::Failed {
                request,
                error: Error::unavailable(state::UNLOADED),
            });
        }
    }

    fn done_after(&self, request: u64, ends: Vec<impl Future<Output = ()> + Send + 'static>) {
        let outbox = Arc::clone(&self.outbox);
        self.runtime.spawn(async move {
            for end in ends {
                end.await;
            }
            outbox.push(Event::Done { request, value: None });
        });
    }

    fn lock(&self) -> MutexGuard<'_, Plugins> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.lock().unload_all(None);
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
