//! From "a plugin" to "a process that serves it": socket, configuration, launch, readiness, channel, the guest's report.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::bounds::{Bounded, excess_at_start, too_large_at_start, too_much_at_start};
use super::complaint::{complaint_of_guest, ended};
use super::outbox::Names;
use super::traces::Traces;
use super::watch::Watch;
use crate::backing::{Admission, BackingServer};
use crate::channel::frame::Incoming;
use crate::channel::{Channel, Received};
use crate::egress::Share;
use crate::limits::Limits;
use crate::token::Token;
use crate::visit;
use crate::workerd::{
    Cgroup, Config, Delegation, Ear, Exit, LineSink, Opening, Output, Process, Programs, Stream,
    guest_modules,
};

/// All that starting a plugin's process needs; the same for every start of one load.
pub(super) struct Blueprint {
    pub(super) programs: Arc<Programs>,
    pub(super) code: Arc<str>,
    /// The JSON binding that tells the guest whom it runs.
    pub(super) binding: String,
    pub(super) limits: Limits,
    pub(super) delegation: Option<Arc<Delegation>>,
    pub(super) deadline: Duration,
    pub(super) starts: Arc<Semaphore>,
    pub(super) load: u64,
    /// Where JavaScript's thread hears it, and by what number.
    pub(super) ear: Option<(Arc<Ear>, u32)>,
    pub(super) token: Token,
    pub(super) backing: Arc<BackingServer>,
    pub(super) lines: LineSink,
}

/// A process that serves a plugin. Dropping it ends the process.
pub(super) struct Session {
    pub(super) channel: Channel,
    pub(super) process: Process,
    pub(super) names: Arc<Names>,
    pub(super) watch: Watch,
    traces: Traces,
    _admission: Admission,
}

/// Why a start failed, as a fragment whose subject is the plugin.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct StartError(String);

/// Processor time of a start: workerd's own 25 ms, and the evaluation of the plugin's modules. Cloudflare gives 1 s; the
/// kernel counts whole seconds, and all threads.
const START_CPU: Duration = Duration::from_secs(2);

/// A start takes its turn for no longer than this, so that plugins that never start keep no others waiting. A start
/// takes 25 ms on an idle machine.
const TURN: Duration = Duration::from_millis(500);

impl Blueprint {
    /// The process's cgroup, where the host may make one. Without, the other limits hold.
    fn hold(&self, process_id: u32) -> Option<Cgroup> {
        let delegation = self.delegation.as_ref()?;
        let was_failing = delegation.is_failing();
        let held = delegation.hold(process_id, self.limits.memory());
        held.map_err(|error| {
            // Once, not at each start: the next one mostly fails alike.
            if !was_failing {
                let what = format!("its cgroup can't be made, and no other one either: {error}");
                (self.lines)(Stream::Err, what);
            }
        })
        .ok()
    }

    /// Waits until the process listens, bounds it, and has the guest evaluate the plugin, which it does not do before it
    /// is asked for the channel.
    async fn open(
        &self,
        process: &Process,
        opening: Opening,
        share: Share,
        bounded: &OnceLock<Bounded>,
    ) -> Result<(Channel, Names), Complaint> {
        let complain = |error: &dyn std::error::Error| Complaint::Channel(error.to_string());
        let say = |missing| {
            let line = format!("the jail around plugins lacks {missing}");
            (self.lines)(Stream::Err, line);
        };
        let door = opening.listening(&self.programs.jail, say).await;
        let door = door.map_err(|_| Complaint::NeverListened)?;
        let bounds = Bounded::new(process, &self.limits);
        let _ = bounded.set(bounds.map_err(|error| Complaint::Channel(unenforceable(&error)))?);
        let mut channel = Channel::open(Arc::new(door), self.ear.as_ref(), share)
            .await
            .map_err(|error| complain(&error))?;
        let text = match channel.receive().await {
            Received::Frame(text) => text,
            Received::Closed(error) => return Err(complain(&error)),
            // Nobody has invoked anything. What it asks for is refused with the reply's end.
            Received::Fetch(_) => return Err(Complaint::Channel(SILENT.into())),
        };
        match Incoming::parse(text.as_str()) {
            Ok(Incoming::Ready { hooks, routes }) if hooks.len().max(routes.len()) <= MAX_NAMES => {
                Ok((channel, Names { hooks, routes }))
            }
            Ok(Incoming::Broken { reason }) => Err(Complaint::Plugin(complaint_of_guest(&reason))),
            Ok(_) | Err(_) => Err(Complaint::Channel(SILENT.into())),
        }
    }

    async fn complain(
        &self,
        text: String,
        breath: Duration,
        process: &Process,
        traces: &mut Traces,
    ) -> StartError {
        match tokio::time::timeout(breath, process.exited()).await {
            Ok(exit) => self.failed_start(exit, traces).await,
            Err(_) => StartError(text),
        }
    }

    async fn failed_start(&self, exit: Exit, traces: &mut Traces) -> StartError {
        let last = traces.last().await;
        failed(match exit {
            exit if exit.is_out_of_time() => too_much_at_start(START_CPU),
            _ if last.is_out_of_memory => too_large_at_start(&self.limits),
            exit => ended(exit, &last.words),
        })
    }
}

/// What is said of a guest that says something else.
const SILENT: &str = "it did not say that it was ready";

/// Gives the start up when `cancelled` is told or dropped. Whatever comes of it but a session: no process is left.
pub(super) async fn start(
    blueprint: Arc<Blueprint>,
    mut cancelled: oneshot::Receiver<()>,
) -> Result<Box<Session>, StartError> {
    // Many starts at once would make each other miss the deadline; the wait for one's turn is not part of it.
    let _turn = tokio::select! {
        permit = Arc::clone(&blueprint.starts).acquire_owned() => {
            Turn::take(permit.map_err(|_| failed("the runner is closed"))?)
        }
        _ = &mut cancelled => return Err(failed(super::state::UNLOADED)),
    };

    let v8_flags = blueprint.limits.v8_flags();
    let config = Config {
        modules: guest_modules(),
        plugin_code: &blueprint.code,
        binding: &blueprint.binding,
        token: &blueprint.token,
        v8_flags: &v8_flags,
    };
    let child = crate::workerd::spawn(&blueprint.programs, &config, blueprint.backing.address())
        .await
        .map_err(|e| failed(format!("its process can't be started: {e}")))?;
    let output = Output::drain(child.stdout, child.stderr, &blueprint.lines);
    let process = child.process;
    let bounded_cpu = match process.has_kernel_bounds() {
        true => process.bound_cpu(START_CPU),
        // Somebody looks.
        false => Ok(()),
    };
    let mut traces = Traces::new(output, blueprint.hold(process.pid()));
    let share = Share::new(blueprint.limits.connections);
    let bounded = OnceLock::new();

    let mut opening = Box::pin(async {
        bounded_cpu.map_err(|error| Complaint::Channel(unenforceable(&error)))?;
        blueprint.open(&process, child.opening, share, &bounded).await
    });
    let outcome = tokio::select! {
        // An end is the better explanation when both are there: its channel closes too.
        biased;
        exit = process.exited() => {
            // What the launcher said of the jail before may not have been read.
            let _ = tokio::time::timeout(LAST_BREATH, &mut opening).await;
            Err(blueprint.failed_start(exit, &mut traces).await)
        }
        opened = &mut opening => match opened {
            // Whatever the channel's complaint is, a process that is ending says more.
            Err(Complaint::Channel(text)) => {
                Err(blueprint.complain(text, LAST_BREATH, &process, &mut traces).await)
            }
            Err(Complaint::NeverListened) => {
                let text = "it never listened".to_owned();
                Err(blueprint.complain(text, LONG_BREATH, &process, &mut traces).await)
            }
            Err(Complaint::Plugin(text)) => Err(StartError(text)),
            Ok(opened) => Ok(opened),
        },
        excess = excess_at_start(&process, &blueprint.limits, START_CPU, &bounded) => Err(failed(excess)),
        () = tokio::time::sleep(blueprint.deadline) => {
            Err(failed(format!("it was not ready after {} ms", blueprint.deadline.as_millis())))
        }
        _ = &mut cancelled => Err(failed(super::state::UNLOADED)),
    };
    drop(opening);
    let watched = outcome.and_then(|(channel, names)| {
        // One that serves has been bounded.
        let bounded = *bounded.get().ok_or_else(|| failed(SILENT))?;
        let watch = Watch::new(&process, &blueprint.limits, bounded, Instant::now());
        let watch = watch.map_err(|error| failed(unenforceable(&error)))?;
        Ok((channel, names, watch))
    });
    let (channel, names, watch) = match watched {
        Ok(watched) => watched,
        Err(error) => {
            process.kill();
            process.exited().await;
            return Err(error);
        }
    };
    let admission = blueprint
        .backing
        .admit(blueprint.load, process.pid(), channel.delivery());
    Ok(Box::new(Session {
        channel,
        process,
        names: Arc::new(names),
        watch,
        traces,
        _admission: admission,
    }))
}

/// A start's place among those that may go on at the same time; given back with it, or after [`TURN`].
struct Turn(tokio::task::AbortHandle);

impl Turn {
    fn take(permit: OwnedSemaphorePermit) -> Self {
        let held = tokio::spawn(async move {
            tokio::time::sleep(TURN).await;
            drop(permit);
        });
        Self(held.abort_handle())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long a process that has been asked to end may take. workerd takes 5 ms, and one that spins for ever.
const GRACE: Duration = Duration::from_millis(500);

enum Complaint {
    Channel(String),
    /// It closed what it was to say it on.
    NeverListened,
    Plugin(String),
}

/// Hooks, and routes, that a plugin may have. The guest says so in a better way; EmDash knows 24 hooks.
const MAX_NAMES: usize = 1000;

/// How long a process whose channel failed is given to end by itself, and so to say why. A process that died closes its
/// sockets a moment before its end can be seen.
const LAST_BREATH: Duration = Duration::from_millis(100);

/// The same for one that has closed what only its end closes: on a busy machine the rest of its end may take a while.
const LONG_BREATH: Duration = Duration::from_secs(2);

/// Why a process that served is no use any more.
pub(super) enum End {
    OutOfMemory,
    /// The kernel ended it for its use of the processor.
    OutOfTime,
    /// A fragment whose subject is the plugin, or "it".
    Other(String),
}

/// Its ends are the io thread's, whatever led to them.
impl Session {
    /// Resolves when nothing can be asked of it any more, with the reason; ends the process if it has not ended.
    pub(super) async fn end(&mut self, channel: Option<String>) -> End {
        visit::may_go_on(false).await;
        if let Some(reason) = channel
            && tokio::time::timeout(LAST_BREATH, self.process.exited())
                .await
                .is_err()
        {
            self.kill().await;
            return End::Other(reason);
        }
        let exit = self.process.exited().await;
        let last = self.traces.last().await;
        if last.is_out_of_memory {
            return End::OutOfMemory;
        }
        match exit {
            exit if exit.is_out_of_time() => End::OutOfTime,
            exit => End::Other(ended(exit, &last.words)),
        }
    }

    /// Asks the process to end, ends it if it does not, and waits until it is gone.
    pub(super) async fn stop(self) {
        visit::may_go_on(false).await;
        let Self { channel, process, .. } = self;
        // workerd waits for its open connections.
        drop(channel);
        process.ask_to_end();
        if tokio::time::timeout(GRACE, process.exited()).await.is_err() {
            process.kill();
            process.exited().await;
        }
    }

    /// Ends the process at once, and waits until it is gone.
    pub(super) async fn kill(&self) {
        self.process.kill();
        self.process.exited().await;
    }
}

fn unenforceable(error: &std::io::Error) -> String {
    format!("its limits can't be enforced: {error}")
}

fn failed(reason: impl Into<String>) -> StartError {
    StartError(reason.into())
}
