//! What one fetch, and all of one plugin's, may take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// Of one fetch. Besides, it ends with its invocation.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// A name's look-up; the system's resolver asks each of its servers for 5 s.
    pub(super) look_up: Duration,
    /// Connection and TLS together.
    pub(super) connect: Duration,
    /// From the request's last piece to the answer's head. As long as an invocation lasts by default.
    pub(super) head: Duration,
    /// Between two pieces of the answer.
    pub(super) idle: Duration,
    /// In bytes.
    pub(crate) request_body: usize,
    /// In bytes, decoded.
    pub(crate) response_body: usize,
}

impl Bounds {
    /// `body` is what a body may take in bytes, each way.
    pub(crate) fn new(body: usize) -> Self {
        Self {
            look_up: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            head: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            request_body: body,
            response_body: body,
        }
    }
}

/// Look-ups of one plugin at once. Each holds a thread until the system's resolver gives up, also when nobody waits.
const MAX_LOOK_UPS: usize = 4;

/// What one plugin's request bodies may take together while they are sent, in KiB. The largest one that an operator may
/// allow must fit.
const MAX_BUFFERED_KIB: usize = 32 * 1024;

/// One plugin's share of the host, for as long as its process runs.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(super) connections: Arc<Semaphore>,
    pub(super) look_ups: Arc<Semaphore>,
    /// In KiB.
    pub(crate) buffers: Arc<Semaphore>,
}

impl Share {
    /// As many connections at once.
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(connections)),
            look_ups: Arc::new(Semaphore::new(MAX_LOOK_UPS)),
            buffers: Arc::new(Semaphore::new(MAX_BUFFERED_KIB)),
        }
    }
}
