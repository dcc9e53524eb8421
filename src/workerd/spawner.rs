//! The thread that starts every child, and lives as long as the process does.
//!
//! Linux sends the parent-death signal when the thread that spawned the child ends, not when its process does: a child
//! spawned from a Node worker thread would die with that worker.

use std::io;
use std::sync::{OnceLock, mpsc};

use tokio::sync::oneshot;

use super::launch::{Launch, Launched, launch};

struct Request {
    launch: Launch,
    reply: oneshot::Sender<io::Result<Launched>>,
}

/// Starts a child on the spawner thread.
pub(super) async fn spawn(launch: Launch) -> io::Result<Launched> {
    let (reply, outcome) = oneshot::channel();
    spawner()?.send(Request { launch, reply }).map_err(|_| gone())?;
    outcome.await.unwrap_or_else(|_| Err(gone()))
}

fn spawner() -> io::Result<&'static mpsc::Sender<Request>> {
    static SPAWNER: OnceLock<Result<mpsc::Sender<Request>, io::ErrorKind>> = OnceLock::new();
    SPAWNER
        .get_or_init(|| {
            let (sender, requests) = mpsc::channel::<Request>();
            std::thread::Builder::new()
                .name("emdash-spawner".into())
                .spawn(move || serve(&requests))
                .map(|_| sender)
                .map_err(|error| error.kind())
        })
        .as_ref()
        .map_err(|kind| io::Error::from(*kind))
}

fn serve(requests: &mpsc::Receiver<Request>) {
    // The sender is static, so this ends only with the process.
    while let Ok(Request {
        launch: request,
        reply,
    }) = requests.recv()
    {
        let outcome = launch(&request);
        // Close our copies of what the child has now, before the answer: a control pipe that we still held would never
        // report its end.
        drop(request);
        // Where nobody waits any more, dropping the outcome ends the child.
        drop(reply.send(outcome));
    }
}

fn gone() -> io::Error {
    io::Error::other("the spawner thread is gone")
}
