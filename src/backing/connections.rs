//! How many connections each process has. One that opens many takes nothing from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections of one process at once. Each fetch has one until its answer has been read, those that wait for their turn
/// among them; Node raises its limit of descriptors to the system's, seldom below 4096.
pub(super) const MAX_CONNECTIONS: usize = 256;

/// By whoever has them.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<Owner, usize>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A process that was handed the socket's descriptor: nobody else can connect.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only a Unix socket tells it")
    )]
    Process(u32),
    /// Somebody on this machine who has shown no token yet. All of them together.
    Stranger,
    /// The process of this load.
    Load(u64),
}

/// One connection's place. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    owner: Mutex<Owner>,
}

impl Connections {
    /// `None` when that one has as many as it may.
    pub(super) fn place(this: &Arc<Self>, owner: Owner) -> Option<Place> {
        take(&mut this.lock(), owner).then(|| Place {
            connections: Arc::clone(this),
            owner: Mutex::new(owner),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Makes it one of this load's, whose token was shown on it; false when the load has as many as it may.
    pub(super) fn is_taken_by(&self, load: u64) -> bool {
        let (mut owner, to) = (self.owner(), Owner::Load(load));
        if *owner == to {
            return true;
        }
        let mut counts = self.connections.lock();
        if !take(&mut counts, to) {
            return false;
        }
        give_back(&mut counts, *owner);
        *owner = to;
        true
    }

    fn owner(&self) -> MutexGuard<'_, Owner> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let owner = *self.owner();
        give_back(&mut self.connections.lock(), owner);
    }
}

fn take(counts: &mut HashMap<Owner, usize>, owner: Owner) -> bool {
    let count = counts.entry(owner).or_default();
    let has_room = *count < MAX_CONNECTIONS;
    *count += usize::from(has_room);
    has_room
}

fn give_back(counts: &mut HashMap<Owner, usize>, owner: Owner) {
    if let Some(count) = counts.get_mut(&owner) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_own_places_and_gets_them_back() {
        let all = Arc::new(Connections::default());
        let (one, other) = (Owner::Process(7), Owner::Process(8));
        let mut held: Vec<_> = (0..MAX_CONNECTIONS)
            .map(|_| Connections::place(&all, one).unwrap())
            .collect();
        assert!(Connections::place(&all, one).is_none());
        assert!(Connections::place(&all, other).is_some(), "another one's places");
        held.pop();
        assert!(Connections::place(&all, one).is_some());
        held.clear();
        assert!(all.lock().is_empty(), "nothing is kept of a process that is gone");
    }

    #[test]
    fn who_has_shown_a_token_takes_no_strangers_place_because_strangers_may_take_them_all() {
        let all = Arc::new(Connections::default());
        let known = Connections::place(&all, Owner::Stranger).unwrap();
        assert!(known.is_taken_by(1));
        assert!(known.is_taken_by(1), "the same one again");
        let strangers: Vec<_> = (0..MAX_CONNECTIONS)
            .map(|_| Connections::place(&all, Owner::Stranger).unwrap())
            .collect();
        assert!(Connections::place(&all, Owner::Stranger).is_none());
        // The known one has one place already.
        let (last, rest) = strangers.split_last().unwrap();
        assert!(rest.iter().all(|place| place.is_taken_by(1)));
        assert!(!last.is_taken_by(1), "no load may have more than a process");
        assert!(last.is_taken_by(2));
        drop((known, strangers));
        assert!(all.lock().is_empty());
    }
}
