//! One plugin: an actor that owns all of its state and is talked to by messages. It lives on the io thread; for what is
//! brief, JavaScript's thread runs it too.

mod breach;
mod guest;
mod invoke;
mod life;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use self::guest::Work;
use super::alarm::Alarm;
use super::authority::LoadAuthority;
use super::fetches::Fetches;
use super::home::Commands;
use super::host_calls::HostCalls;
use super::invocations::Invocations;
use super::journal::Journal;
use super::message::{Call, Command};
use super::noise::Noise;
use super::outbox::{Names, Outbox};
use super::restart::Failures;
use super::start::{Blueprint, Session, StartError};
use super::state::{Effect, Input, State};
use super::status::Board;
use crate::bridge::Grants;
use crate::channel::{FetchAsk, Received, Text};
use crate::limits::{Limits, Timing};
use crate::manifest::Manifest;
use crate::visit;
use crate::workerd::Process;

/// How long after its end a process's last frames are waited for, should the channel not close behind them.
const LAST_FRAMES: Duration = Duration::from_millis(50);

/// With more than this under way, of either kind, the io thread reads and writes for many at once.
pub(super) const MAX_BY_VISITS: usize = 4;

pub(super) type OnReady = Box<dyn Fn(&Arc<Names>) + Send>;

type Starting = Pin<Box<dyn Future<Output = Result<Box<Session>, StartError>> + Send>>;

/// What an actor knows of the plugin it runs.
pub(super) struct Subject {
    /// The JavaScript half's number for this load.
    pub(super) number: u32,
    pub(super) manifest: Manifest,
    pub(super) journal: Journal,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) limits: Limits,
    pub(super) timing: Timing,
    pub(super) board: Arc<Board>,
    /// Called at each start that succeeded.
    pub(super) on_ready: OnReady,
}

pub(super) struct Plugin {
    subject: Subject,
    grants: Grants,
    outbox: Arc<Outbox>,
    commands: Commands,
    state: State<Box<Session>, Call>,
    starting: Option<Starting>,
    alarm: Alarm,
    /// Dropped, it cancels the start.
    cancel_start: Option<oneshot::Sender<()>>,
    /// Whether JavaScript can still ask for anything.
    is_held: bool,
    names: Option<Arc<Names>>,
    invocations: Invocations,
    authority: LoadAuthority,
    calls: HostCalls<Work>,
    fetches: Fetches,
    failures: Failures,
    noise: Noise,
    drain: Option<Drain>,
    last_used: Instant,
    /// Invocations of this process that were not answered in time: their work may still go on.
    leftovers: usize,
    /// Whether it has been told that a plugin makes more calls than EmDash documents.
    has_warned_of_subrequests: bool,
}

/// What the end of an unloaded plugin waits for.
struct Drain {
    until: Instant,
    /// The invocations that wait for this very end: the unloading was asked for by a host operation of theirs.
    within: Vec<u64>,
}

impl Plugin {
    pub(super) fn new(
        subject: Subject,
        names: Option<Arc<Names>>,
        outbox: Arc<Outbox>,
        commands: Commands,
    ) -> Self {
        Self {
            grants: Grants::new(&subject.manifest, &subject.limits),
            invocations: Invocations::new(subject.limits.wall_time, subject.limits.subrequests),
            subject,
            outbox,
            commands,
            state: State::Idle,
            starting: None,
            alarm: Alarm::default(),
            cancel_start: None,
            is_held: true,
            names,
            authority: LoadAuthority::default(),
            calls: HostCalls::default(),
            fetches: Fetches::default(),
            failures: Failures::default(),
            noise: Noise::default(),
            drain: None,
            last_used: Instant::now(),
            leftovers: 0,
            has_warned_of_subrequests: false,
        }
    }

    /// Runs until the plugin is unloaded and its process is gone.
    pub(super) async fn run(mut self) {
        while !matches!(self.state, State::Ended) {
            // A start has much to do; whatever else is not brief shows when it comes.
            visit::may_go_on(self.starting.is_none()).await;
            let next = self.next().await;
            let is_brief = next.is_brief();
            let has_waited = visit::may_go_on(is_brief).await;
            if has_waited && matches!(next, Next::Frame(_)) {
                self.noise.is_too_much(is_brief, Instant::now());
            }
            self.resume_fetchers();
            match next {
                Next::Command(Command::Call(call)) => self.on_call(call).await,
                Next::Command(Command::Answer { call, result }) => self.on_answer(call, result),
                Next::Command(Command::Terminate { within }) => self.on_terminate(within).await,
                Next::Started(outcome) => self.on_started(outcome).await,
                Next::Frame(text) => self.on_frame(text.as_str()).await,
                Next::Fetch(ask) => self.on_fetch(ask),
                Next::Gone(complaint) => self.on_gone(complaint).await,
                Next::Timer => self.on_timer().await,
                Next::Room | Next::FetchEnded => {}
            }
            self.settle().await;
            let in_flight = self.invocations.len() + self.waiting();
            self.subject.board.in_flight(in_flight, self.calls.len());
        }
    }

    /// Calls that wait for a process, and that somebody waits for.
    fn waiting(&self) -> usize {
        let calls = self.state.waiting_calls();
        calls.filter(|call| call.is_answered()).count()
    }

    /// What follows when nothing is in flight any more.
    async fn settle(&mut self) {
        match self.state {
            State::HalfOpen { .. } if self.invocations.is_empty() => self.step(Input::Answered).await,
            State::Draining(_) if self.is_drained() => self.end_drain().await,
            State::Serving(_) if self.is_littered() => self.recycle().await,
            _ => {}
        }
    }

    async fn next(&mut self) -> Next {
        let due = self.next_timer();
        let reads = self.calls.has_room();
        if self.invocations.len() > MAX_BY_VISITS || self.calls.len() > MAX_BY_VISITS {
            self.noise.is_crowd(Instant::now());
        }
        let is_noisy = self.noise.is_on();
        let session = self.state.session_mut().map(Box::as_mut);
        tokio::select! {
            command = self.commands.next(), if self.is_held => {
                // Nobody is left who could ask: the runner was dropped.
                self.is_held = command.is_some();
                Next::Command(command.unwrap_or(Command::Terminate { within: None }))
            }
            Some(outcome) = maybe(self.starting.as_mut().map(visit::never)) => Next::Started(outcome),
            Some(next) = hear(session, reads, is_noisy) => next,
            () = self.fetches.one_ended() => Next::FetchEnded,
            () = self.alarm.ring(due) => Next::Timer,
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        [
            self.invocations.next_deadline(),
            self.drain.as_ref().map(|drain| drain.until),
            self.state.next_tick(),
            self.unused_at(),
            self.calls.next_overdue(),
            self.littered_until(),
            self.state.session().and_then(|session| session.watch.next_look()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn notice(&self, message: String) {
        self.subject.journal.notice(message);
    }
}

/// Whoever still waits when the actor ends, by whatever way, hears of it.
impl Drop for Plugin {
    fn drop(&mut self) {
        self.authority.end();
        const REASON: &str = "its supervisor ended";
        self.fail_in_flight(REASON);
        let mut effects = Vec::new();
        self.state.step(Input::Terminate, Instant::now(), &mut effects);
        for effect in effects {
            if let Effect::Refuse(call, _) = effect {
                self.refuse(call, REASON.to_owned());
            }
        }
        let left: Vec<_> = self.commands.close().collect();
        for command in left {
            if let Command::Call(call) = command {
                self.refuse(call, REASON.to_owned());
            }
        }
    }
}

enum Next {
    Command(Command),
    Started(Result<Box<Session>, StartError>),
    Frame(Text),
    Fetch(FetchAsk),
    FetchEnded,
    Gone(Option<String>),
    Timer,
    /// The guest has read: more may be taken from it.
    Room,
}

impl Next {
    /// Whether JavaScript's thread may do what follows. Processes start and end on the io thread.
    fn is_brief(&self) -> bool {
        match self {
            Self::Command(command) => command.is_brief(),
            Self::Frame(text) => text.as_str().len() <= visit::MAX_BYTES,
            Self::Fetch(_) | Self::FetchEnded | Self::Room => true,
            Self::Started(_) | Self::Gone(_) | Self::Timer => false,
        }
    }
}

/// What a running process has to say, or `None` where there is none. `is_noisy`: it says so much that the io thread is to
/// read.
async fn hear(session: Option<&mut Session>, reads: bool, is_noisy: bool) -> Option<Next> {
    let Session { channel, process, .. } = session?;
    let budget = channel.budget();
    let reads = reads && budget.has_room();
    // What is said while nobody reads must be heard again when somebody does: changing the listener tells of it.
    channel.is_read_by_visits(reads && !is_noisy);
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
    let (_, at) = process.ended().await;
    // Reckoned from its end: this is asked anew after whatever else the actor does, and that may be often.
    tokio::time::sleep_until(at + LAST_FRAMES).await;
}

async fn maybe<F: Future>(future: Option<F>) -> Option<F::Output> {
    Some(future?.await)
}
