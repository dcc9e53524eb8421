//! One plugin: an actor on the io thread that owns all of its state and is talked to by messages only.

mod guest;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::authority::LoadAuthority;
use super::host_calls::HostCalls;
use super::invocations::Invocations;
use super::message::{Call, Command, Kind};
use super::outbox::{Event, Log, Names, Outbox};
use super::start::{Blueprint, Session, StartError, start};
use super::state::{Effect, Input, State};
use crate::bridge::Grants;
use crate::channel::frame;
use crate::channel::{FetchAsk, Received, Text};
use crate::error::{Error, ErrorCode};
use crate::manifest::Manifest;
use crate::workerd::{Process, sanitise_line};

/// How long a plugin whose start failed keeps failing for the same reason before a call makes it try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the calls in flight of an unloaded plugin may take to end; the peer gives as much.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How long after its end a process's last frames are waited for, should the channel not close behind them.
const LAST_FRAMES: Duration = Duration::from_millis(50);

pub(super) type OnReady = Box<dyn Fn(&Arc<Names>) + Send>;

type Starting = Pin<Box<dyn Future<Output = Result<Session, StartError>> + Send>>;

/// What an actor knows of the plugin it runs.
pub(super) struct Subject {
    /// The JavaScript half's number for this load.
    pub(super) number: u32,
    pub(super) manifest: Manifest,
    /// For log lines: the id is data, and may hold anything.
    pub(super) label: Arc<str>,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) wall_time: Duration,
    /// Called at each start that succeeded.
    pub(super) on_ready: OnReady,
}

pub(super) struct Plugin {
    subject: Subject,
    label: Arc<str>,
    grants: Grants,
    outbox: Arc<Outbox>,
    commands: mpsc::UnboundedReceiver<Command>,
    state: State<Session, Call>,
    starting: Option<Starting>,
    /// Dropped, it cancels the start.
    cancel_start: Option<oneshot::Sender<()>>,
    /// Whether JavaScript can still ask for anything.
    is_held: bool,
    names: Option<Arc<Names>>,
    invocations: Invocations,
    authority: LoadAuthority,
    calls: HostCalls,
    drain_until: Option<Instant>,
}

impl Plugin {
    pub(super) fn new(
        subject: Subject,
        names: Option<Arc<Names>>,
        outbox: Arc<Outbox>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            label: Arc::clone(&subject.label),
            grants: Grants::from(&subject.manifest),
            invocations: Invocations::new(subject.wall_time),
            subject,
            outbox,
            commands,
            state: State::Idle,
            starting: None,
            cancel_start: None,
            is_held: true,
            names,
            authority: LoadAuthority::default(),
            calls: HostCalls::default(),
            drain_until: None,
        }
    }

    /// Runs until the plugin is unloaded and its process is gone.
    pub(super) async fn run(mut self) {
        while !matches!(self.state, State::Ended) {
            match self.next().await {
                Next::Command(Command::Call(call)) => self.on_call(call).await,
                Next::Command(Command::Answer { call, result }) => self.on_answer(call, result),
                Next::Command(Command::Terminate) => self.on_terminate().await,
                Next::Started(outcome) => self.on_started(outcome).await,
                Next::Frame(text) => self.on_frame(text.as_str()).await,
                Next::Fetch(ask) => self.on_fetch(ask),
                Next::Gone(complaint) => self.on_gone(complaint).await,
                Next::Timer => self.on_timer(),
                Next::Room => {}
            }
            if matches!(self.state, State::Draining(_)) && self.is_drained() {
                self.authority.end();
                self.fail_in_flight("it was unloaded, and this call did not end in time");
                self.step(Input::Drained).await;
            }
        }
    }

    async fn next(&mut self) -> Next {
        let timer = match (self.invocations.next_deadline(), self.drain_until) {
            (Some(deadline), Some(until)) => Some(deadline.min(until)),
            (deadline, until) => deadline.or(until),
        };
        let reads = self.calls.has_room();
        let session = self.state.session_mut();
        tokio::select! {
            command = self.commands.recv(), if self.is_held => {
                // Nobody is left who could ask: the runner was dropped.
                self.is_held = command.is_some();
                Next::Command(command.unwrap_or(Command::Terminate))
            }
            Some(outcome) = maybe(self.starting.as_mut()) => Next::Started(outcome),
            Some(next) = hear(session, reads) => next,
            Some(()) = maybe(timer.map(tokio::time::sleep_until)) => Next::Timer,
        }
    }

    async fn on_call(&mut self, call: Call) {
        // A name that the plugin does not have needs no process.
        if let (
            Call::Invoke {
                request, kind, name, ..
            },
            Some(names),
        ) = (&call, &self.names)
            && !names.has(*kind, name)
            && !matches!(self.state, State::Draining(_))
        {
            return self.answer_missing(*request, *kind, name);
        }
        self.step(Input::Call(call)).await;
    }

    async fn on_started(&mut self, outcome: Result<Session, StartError>) {
        self.starting = None;
        match outcome {
            Ok(session) => {
                let names = Arc::clone(&session.names);
                (self.subject.on_ready)(&names);
                self.outbox.push(Event::Ready {
                    plugin: self.subject.number,
                    names: Arc::clone(&names),
                });
                self.names = Some(names);
                self.step(Input::Started(session)).await;
            }
            Err(error) => {
                let reason = error.to_string();
                self.notice(format!("can't start: {reason}"));
                self.step(Input::StartFailed {
                    reason,
                    retry_at: Instant::now() + RETRY_AFTER,
                })
                .await;
            }
        }
    }

    async fn on_terminate(&mut self) {
        self.step(Input::Terminate).await;
        self.drain_until.get_or_insert(Instant::now() + DRAIN_TIME);
    }

    fn is_drained(&self) -> bool {
        self.invocations.is_empty() || self.drain_until.is_some_and(|until| until <= Instant::now())
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        while let Some(waiting) = self.invocations.expire(now) {
            self.fail(waiting.request, Error::new(ErrorCode::WallTime, "out of time"));
        }
    }

    /// The process ended, or with a `complaint` its channel did: it is no use any more.
    async fn on_gone(&mut self, complaint: Option<String>) {
        self.authority.end();
        self.authority = LoadAuthority::default();
        self.calls.clear();
        // The effect of this input is `Stop`, which finds the reason out and tells the calls in flight.
        let mut effects = Vec::new();
        self.state.step(Input::Gone, Instant::now(), &mut effects);
        for effect in effects {
            let Effect::Stop(session) = effect else { continue };
            let reason = session.end(complaint.clone()).await;
            self.notice(format!("stopped: {reason}"));
            self.fail_in_flight(&reason);
        }
    }

    async fn step(&mut self, input: Input<Session, Call>) {
        let mut effects = Vec::new();
        self.state.step(input, Instant::now(), &mut effects);
        for effect in effects {
            match effect {
                Effect::Start => {
                    let (cancel, cancelled) = oneshot::channel();
                    self.cancel_start = Some(cancel);
                    self.starting = Some(Box::pin(start(Arc::clone(&self.subject.blueprint), cancelled)));
                }
                Effect::CancelStart => self.end_start().await,
                Effect::Send(call) => self.send(call),
                Effect::Refuse(call, reason) => self.refuse(call, reason),
                Effect::Stop(session) => session.stop().await,
            }
        }
    }

    /// Cancels the start that is under way and waits until no process is left of it.
    async fn end_start(&mut self) {
        self.cancel_start = None;
        let Some(starting) = self.starting.take() else {
            return;
        };
        if let Ok(session) = starting.await {
            session.stop().await;
        }
    }

    fn send(&mut self, call: Call) {
        let (request, kind, name, payload) = match call {
            Call::Start { request } => {
                return request.into_iter().for_each(|request| self.done(request, None));
            }
            Call::Invoke {
                request,
                kind,
                name,
                payload,
            } => (request, kind, name, payload),
        };
        if self.names.as_ref().is_some_and(|names| !names.has(kind, &name)) {
            return self.answer_missing(request, kind, &name);
        }
        let Some(session) = self.state.session_mut() else {
            return;
        };
        let (number, _) = self.invocations.begin(request, Instant::now());
        session
            .channel
            .send(frame::invoke(number, kind.field(), &name, &payload));
    }

    fn answer_missing(&self, request: u64, kind: Kind, name: &str) {
        match kind {
            Kind::Hook => self.done(request, None),
            Kind::Route => {
                let message = sanitise_line(format!("Route not found: {name}").as_bytes());
                self.fail(request, Error::new(ErrorCode::Threw, message));
            }
        }
    }

    fn refuse(&self, call: Call, reason: String) {
        match call {
            Call::Invoke { request, .. }
            | Call::Start {
                request: Some(request),
            } => {
                self.fail(request, Error::unavailable(reason));
            }
            Call::Start { request: None } => {}
        }
    }

    fn fail_in_flight(&mut self, reason: &str) {
        for waiting in self.invocations.close() {
            self.outbox.push(Event::Failed {
                request: waiting.request,
                error: Error::unavailable(reason),
            });
        }
    }

    fn done(&self, request: u64, value: Option<String>) {
        self.outbox.push(Event::Done { request, value });
    }

    fn fail(&self, request: u64, error: Error) {
        self.outbox.push(Event::Failed { request, error });
    }

    fn notice(&self, message: String) {
        self.outbox.push(Event::Log(Log::Notice {
            plugin_id: Some(Arc::clone(&self.label)),
            message,
        }));
    }
}

/// Whoever still waits when the actor ends, by whatever way, hears of it.
impl Drop for Plugin {
    fn drop(&mut self) {
        self.authority.end();
        self.fail_in_flight("its supervisor ended");
    }
}

enum Next {
    Command(Command),
    Started(Result<Session, StartError>),
    Frame(Text),
    Fetch(FetchAsk),
    Gone(Option<String>),
    Timer,
    /// The guest has read: more may be taken from it.
    Room,
}

impl Names {
    fn has(&self, kind: Kind, name: &str) -> bool {
        let names = match kind {
            Kind::Hook => &self.hooks,
            Kind::Route => &self.routes,
        };
        names.iter().any(|own| own == name)
    }
}

/// What a running process has to say, or `None` where there is none.
async fn hear(session: Option<&mut Session>, reads: bool) -> Option<Next> {
    let Session { channel, process, .. } = session?;
    let budget = channel.budget();
    let reads = reads && budget.has_room();
    Some(tokio::select! {
        received = channel.receive(), if reads => match received {
            Received::Frame(text) => Next::Frame(text),
            Received::Fetch(ask) => Next::Fetch(ask),
            Received::Closed(error) => Next::Gone(Some(error.to_string())),
        },
        () = budget.room(), if !budget.has_room() => Next::Room,
        () = budget.overflow() => Next::Gone(Some("it does not read what it asked for".into())),
        // What it said before it ended comes first: the channel closes behind its last frame.
        () = ended_for_a_while(process) => Next::Gone(None),
    })
}

async fn ended_for_a_while(process: &Process) {
    process.exited().await;
    tokio::time::sleep(LAST_FRAMES).await;
}

async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    Some(future?.await)
}
