//! What waits for JavaScript: events in order, and one wake-up for all that has gathered.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bridge::Operation;
use crate::error::Error;
use crate::supervisor::authority::Authority;
use crate::supervisor::message::Kind;
use crate::workerd::Stream;

/// A message for the JavaScript half.
#[derive(Debug)]
pub enum Event {
    /// A plugin's process is ready; these are the plugin's own names.
    Ready {
        plugin: u32,
        names: Arc<Names>,
    },
    /// A plugin's process did not come to serve.
    StartFailed {
        plugin: u32,
    },
    /// A request is answered, with JSON text or, without, `undefined`.
    Done {
        request: u64,
        value: Option<String>,
    },
    /// A request failed.
    Failed {
        request: u64,
        error: Error,
    },
    /// An operation for the host to carry out.
    Call {
        plugin: u32,
        call: u64,
        operation: Operation,
        /// The bytes of a file that it brings.
        upload: Option<Vec<u8>>,
        authority: Authority,
    },
    Log(Log),
}

impl Event {
    /// An operation with the bytes that it brings; other events bring none.
    pub(super) fn with_upload(mut self, bytes: Option<Vec<u8>>) -> Self {
        if let Self::Call { upload, .. } = &mut self {
            *upload = bytes;
        }
        self
    }
}

/// A line for the operator.
#[derive(Debug)]
pub enum Log {
    /// What a plugin passed to `ctx.log`; `data` is JSON text.
    Plugin {
        plugin_id: Arc<str>,
        level: String,
        message: String,
        data: Option<String>,
    },
    /// A line that a plugin's process wrote.
    Output {
        plugin_id: Arc<str>,
        stream: Stream,
        line: String,
    },
    /// Something that the supervisor has to say.
    Notice {
        plugin_id: Option<Arc<str>>,
        message: String,
    },
}

/// The names of a plugin's own hooks and routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pub hooks: Vec<String>,
    pub routes: Vec<String>,
}

impl Names {
    pub(super) fn has(&self, kind: Kind, name: &str) -> bool {
        let names = match kind {
            Kind::Hook => &self.hooks,
            Kind::Route => &self.routes,
        };
        names.iter().any(|own| own == name)
    }
}

/// Events that JavaScript takes in one go. In between its event loop turns, whatever plugins do.
const MAX_DRAIN: usize = 64;

/// Log lines that may wait. A plugin can log faster than Node prints; calls and answers must not wait behind it.
const MAX_WAITING_LOGS: usize = 1000;

/// Events of an actor for which JavaScript is woken while the actor still has something to do. With fewer it is woken when
/// the actor has come to rest, so that the two threads do not wake each other for each of many answers.
const ENOUGH: usize = 8;

thread_local! {
    /// Whether more is to come, and [`Outbox::flush`] after it.
    static GATHERS: Cell<bool> = const { Cell::new(false) };
    /// On JavaScript's own thread: whether it is to be woken when what it does is over, which [`Outbox::hold`] tells.
    static HELD: Cell<Option<bool>> = const { Cell::new(None) };
}

pub struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Event>,
    logs: usize,
    dropped_logs: usize,
    told: bool,
}

impl Outbox {
    /// `wake` makes JavaScript call [`Outbox::drain`] soon; it is called once for all that gathers until then.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Box::new(wake),
        }
    }

    pub fn push(&self, event: Event) {
        let mut waiting = self.lock();
        if matches!(event, Event::Log(_)) {
            if waiting.logs == MAX_WAITING_LOGS {
                waiting.dropped_logs += 1;
                return;
            }
            waiting.logs += 1;
        }
        waiting.events.push_back(event);
        if !GATHERS.get() || waiting.events.len() >= ENOUGH {
            self.tell(waiting);
        }
    }

    /// What is pushed during `run` wakes JavaScript when there is enough of it, or when it is over.
    pub(super) fn gather<T>(&self, run: impl FnOnce() -> T) -> T {
        struct Over<'a>(&'a Outbox, bool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                GATHERS.set(self.1);
                self.0.flush();
            }
        }
        let _over = Over(self, GATHERS.replace(true));
        run()
    }

    /// During `run` nobody is woken from this thread. Whether somebody was to be, which is left to the caller.
    pub(super) fn hold(&self, run: impl FnOnce()) -> bool {
        struct Over<'a>(&'a Outbox);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                // After a panic nobody else would.
                if HELD.take() == Some(true) {
                    self.0.wake();
                }
            }
        }
        let _over = Over(self);
        HELD.set(Some(false));
        run();
        HELD.replace(Some(false)) == Some(true)
    }

    /// Wakes JavaScript, whoever has or has not.
    pub(super) fn wake(&self) {
        (self.wake)();
    }

    fn flush(&self) {
        let waiting = self.lock();
        if !waiting.events.is_empty() {
            self.tell(waiting);
        }
    }

    fn tell(&self, mut waiting: MutexGuard<'_, Waiting>) {
        let told = std::mem::replace(&mut waiting.told, true);
        drop(waiting);
        match HELD.get() {
            _ if told => {}
            Some(_) => HELD.set(Some(true)),
            None => self.wake(),
        }
    }

    /// The next events, at most [`MAX_DRAIN`], and whether more wait: then there will be no wake-up for them.
    pub fn drain(&self) -> (Vec<Event>, bool) {
        let mut waiting = self.lock();
        let count = waiting.events.len().min(MAX_DRAIN);
        let mut events: Vec<_> = waiting.events.drain(..count).collect();
        waiting.logs -= events
            .iter()
            .filter(|event| matches!(event, Event::Log(_)))
            .count();
        let more = !waiting.events.is_empty();
        waiting.told = more;
        let dropped_logs = std::mem::take(&mut waiting.dropped_logs);
        drop(waiting);
        if dropped_logs > 0 {
            let message =
                format!("{dropped_logs} log lines dropped: plugins log faster than they can be printed");
            events.push(Event::Log(Log::Notice {
                plugin_id: None,
                message,
            }));
        }
        (events, more)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
