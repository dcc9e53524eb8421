//! The thread that starts every child, and lives as long as the process does.
//!
//! Linux sends the parent-death signal when the thread that spawned the child ends, not when its process does: a child
//! spawned from a Node worker thread would die with that worker.

use std::io;
use std::sync::{OnceLock, mpsc};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Does this on the spawner thread. Whatever it holds is gone before its outcome is told: a copy of a control pipe that
/// was still there would keep the pipe from ever reporting its end.
pub(super) async fn on_spawner<T: Send + 'static>(
    start: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (reply, outcome) = oneshot::channel();
    let job: Job = Box::new(move || {
        let started = start();
        // Where nobody waits any more, dropping the outcome ends the child.
        drop(reply.send(started));
    });
    spawner()?.send(job).map_err(|_| gone())?;
    outcome.await.unwrap_or_else(|_| Err(gone()))
}

fn spawner() -> io::Result<&'static mpsc::Sender<Job>> {
    static SPAWNER: OnceLock<Result<mpsc::Sender<Job>, io::ErrorKind>> = OnceLock::new();
    SPAWNER
        .get_or_init(|| {
            let (sender, jobs) = mpsc::channel::<Job>();
            std::thread::Builder::new()
                .name("emdash-spawner".into())
                .spawn(move || serve(&jobs))
                .map(|_| sender)
                .map_err(|error| error.kind())
        })
        .as_ref()
        .map_err(|kind| io::Error::from(*kind))
}

fn serve(jobs: &mpsc::Receiver<Job>) {
    // The sender is static, so this ends only with the process.
    while let Ok(job) = jobs.recv() {
        job();
    }
}

fn gone() -> io::Error {
    io::Error::other("the spawner thread is gone")
}
