//! How many connections each process has. One that opens many takes nothing from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of one process at once. Each fetch has one until its answer has been read, those that wait for their turn
/// among them; Node raises its limit of descriptors to the system's, seldom below 4096.
pub(super) const MAX_CONNECTIONS: usize = 256;

/// By process id. Only the processes that were handed the socket's descriptor can connect.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<u32, usize>>);

/// One connection's place. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    pid: u32,
}

impl Connections {
    /// `None` when the process has as many as it may.
    pub(super) fn place(this: &Arc<Self>, pid: u32) -> Option<Place> {
        let mut counts = this.lock();
        let count = counts.entry(pid).or_default();
        if *count == MAX_CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Place {
            connections: Arc::clone(this),
            pid,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.lock();
        if let Some(count) = counts.get_mut(&self.pid) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.pid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_own_places_and_gets_them_back() {
        let all = Arc::new(Connections::default());
        let mut held: Vec<_> = (0..MAX_CONNECTIONS)
            .map(|_| Connections::place(&all, 7).unwrap())
            .collect();
        assert!(Connections::place(&all, 7).is_none());
        assert!(Connections::place(&all, 8).is_some(), "another one's places");
        held.pop();
        assert!(Connections::place(&all, 7).is_some());
        held.clear();
        assert!(all.lock().is_empty(), "nothing is kept of a process that is gone");
    }
}
