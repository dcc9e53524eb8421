//! Where an actor lives: a task of the io thread, whose future JavaScript's thread may run while nobody else does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::message::Command;
use super::outbox::Outbox;
use crate::visit;

type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The actor's end of what is said to it.
pub(super) struct Commands {
    queue: mpsc::UnboundedReceiver<Command>,
    /// What a visitor has brought, and does not wake the io thread for.
    brought: Arc<Mutex<Option<Command>>>,
}

/// Everybody else's. An actor ends when nobody has one.
pub(super) struct Home {
    queue: mpsc::UnboundedSender<Command>,
    brought: Arc<Mutex<Option<Command>>>,
    room: Arc<Room>,
}

struct Room {
    outbox: Arc<Outbox>,
    /// `None` when it has ended.
    life: Mutex<Option<Life>>,
    /// Wakes the task.
    waker: Mutex<Waker>,
    /// The task wanted to run it, while a visitor did.
    is_wanted: AtomicBool,
}

impl Home {
    /// Moves an actor in.
    ///
    /// What it pushes into `outbox` wakes JavaScript once for each time that it runs.
    pub(super) fn new<A>(actor: impl FnOnce(Commands) -> A, outbox: Arc<Outbox>, runtime: &Handle) -> Self
    where
        A: Future<Output = ()> + Send + 'static,
    {
        let (queue, received) = mpsc::unbounded_channel();
        let brought = Arc::default();
        let commands = Commands {
            queue: received,
            brought: Arc::clone(&brought),
        };
        let life: Life = Box::pin(actor(commands));
        let room = Arc::new(Room {
            outbox,
            life: Mutex::new(Some(life)),
            waker: Mutex::new(Waker::noop().clone()),
            is_wanted: AtomicBool::new(false),
        });
        runtime.spawn(Task(Arc::clone(&room)));
        Self { queue, brought, room }
    }

    /// Whether it is there to hear it.
    pub(super) fn send(&self, command: Command) -> bool {
        self.queue.send(command).is_ok()
    }

    /// Resolves when it has ended, and its process before it.
    pub(super) fn end(&self) -> impl Future<Output = ()> + use<> {
        let queue = self.queue.clone();
        async move { queue.closed().await }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// Runs the actor here and now, with a command for it. Its `runtime` must be the one of its task.
    ///
    /// # Errors
    /// The command, when it did not come to it: it is being run, or busy with something that takes its time.
    pub(super) fn visit(&self, runtime: &Handle, command: Command) -> Result<(), Command> {
        let Some(life) = try_lock(&self.room.life) else {
            return Err(command);
        };
        *lock(&self.brought) = Some(command);
        self.room.run_here(runtime, life, false);
        match lock(&self.brought).take() {
            None => Ok(()),
            Some(command) => Err(command),
        }
    }

    /// Has what the plugin said read: here and now, or by the io thread where that runs the actor.
    pub(super) fn hear(&self, runtime: &Handle) {
        match try_lock(&self.room.life) {
            Some(life) => self.room.run_here(runtime, life, true),
            None => lock(&self.room.waker).wake_by_ref(),
        }
    }
}

impl Room {
    /// An actor that panics is dropped, and tells so whoever waits for it.
    fn run(
        &self,
        life: &mut Option<Life>,
        context: &mut Context<'_>,
    ) -> Result<Poll<()>, Box<dyn Any + Send>> {
        self.outbox.gather(|| {
            let Some(actor) = life else {
                return Ok(Poll::Ready(()));
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| actor.as_mut().poll(context)));
            if !matches!(outcome, Ok(Poll::Pending)) {
                *life = None;
            }
            outcome
        })
    }

    fn run_here(&self, runtime: &Handle, mut life: MutexGuard<'_, Option<Life>>, reads: bool) {
        let waker = lock(&self.waker).clone();
        let ran = {
            // Timers and tasks are the runtime's, whoever makes them.
            let _within = runtime.enter();
            visit::make(reads, || self.run(&mut life, &mut Context::from_waker(&waker)))
        };
        drop(life);
        // It tells the runtime, too, which ends the task. The task may have been run for the first time meanwhile: what woke
        // the actor before was nothing then.
        if self.is_wanted.swap(false, Ordering::SeqCst) || !matches!(ran, Ok(Poll::Pending)) {
            lock(&self.waker).wake_by_ref();
        }
    }
}

impl Commands {
    /// Cancel-safe; `None` when nobody is left who could say anything.
    pub(super) async fn next(&mut self) -> Option<Command> {
        std::future::poll_fn(|context| match self.queue.poll_recv(context) {
            // What was sent before comes first.
            Poll::Pending => match lock(&self.brought).take() {
                Some(command) => Poll::Ready(Some(command)),
                None => Poll::Pending,
            },
            command => command,
        })
        .await
    }

    /// From now on nothing comes to it any more. What has come, until `None`.
    pub(super) fn close(&mut self) -> impl Iterator<Item = Command> + '_ {
        self.queue.close();
        let brought = lock(&self.brought).take();
        std::iter::from_fn(|| self.queue.try_recv().ok()).chain(brought)
    }
}

struct Task(Arc<Room>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let room = &self.0;
        {
            let mut waker = lock(&room.waker);
            if !waker.will_wake(context.waker()) {
                waker.clone_from(context.waker());
            }
        }
        // A visitor who ends between the two sees the mark, or has left.
        let life = try_lock(&room.life).or_else(|| {
            room.is_wanted.swap(true, Ordering::SeqCst);
            try_lock(&room.life)
        });
        let Some(mut life) = life else {
            return Poll::Pending;
        };
        match room.run(&mut life, context) {
            Ok(outcome) => outcome,
            Err(panic) => {
                drop(life);
                resume_unwind(panic)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
#[path = "home_tests.rs"]
mod tests;
