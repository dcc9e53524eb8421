//! The io thread: one current-thread tokio runtime for the whole process, started on first use.
//!
//! One thread, so that a call costs no hand-over between workers and next to nothing in the supervisor is locked. It ends with
//! the process and never keeps Node alive: Node does not know of it.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

pub(crate) fn handle() -> io::Result<&'static Handle> {
    static RUNTIME: OnceLock<Result<Handle, io::ErrorKind>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| start().map_err(|error| error.kind()))
        .as_ref()
        .map_err(|kind| io::Error::from(*kind))
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("emdash-io".into())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}
