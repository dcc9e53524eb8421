//! The connections of each process: how many, and which of them wait for nothing but their answer's being read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::channel::Reasons;

/// Connections of one process at once. Each fetch has one until its answer has been read, those that wait for their turn
/// among them; Node raises its limit of descriptors to the system's, seldom below 4096.
pub(super) const MAX_CONNECTIONS: usize = 256;

const TOO_MANY_UNREAD: &str =
    "fetch failed: too many answers were left unread before this one was; read their bodies or cancel them";

/// By whoever has them.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<Lines>);

type Lines = HashMap<Owner, Vec<Arc<Line>>>;

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
    line: Arc<Line>,
}

/// One connection, as those see it who may end it.
#[derive(Debug, Default)]
pub(super) struct Line {
    hang_up: Notify,
    unread: Mutex<Option<Unread>>,
}

/// The answer to a fetch that has begun to go out, and of which nobody knows whether the guest will read it.
#[derive(Debug)]
struct Unread {
    fetch: u64,
    since: Instant,
    reasons: Arc<Reasons>,
}

impl Connections {
    /// `None` when that one has as many as it may. Before that, the oldest answer goes that has not been read: a plugin
    /// may leave any number of them lying, which workerd keeps until it collects its garbage.
    pub(super) fn place(this: &Arc<Self>, owner: Owner) -> Option<Place> {
        let line = Arc::<Line>::default();
        take(&mut this.lock(), owner, &line).then(|| Place {
            connections: Arc::clone(this),
            owner: Mutex::new(owner),
            line,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there was room.
fn take(all: &mut Lines, owner: Owner, line: &Arc<Line>) -> bool {
    let lines = all.entry(owner).or_default();
    let has_room = lines.len() < MAX_CONNECTIONS || hang_up_the_oldest(lines);
    if has_room {
        lines.push(Arc::clone(line));
    }
    has_room
}

fn give_back(all: &mut Lines, owner: Owner, line: &Arc<Line>) {
    if let Some(lines) = all.get_mut(&owner) {
        lines.retain(|other| !Arc::ptr_eq(other, line));
        if lines.is_empty() {
            all.remove(&owner);
        }
    }
}

fn hang_up_the_oldest(lines: &mut Vec<Arc<Line>>) -> bool {
    let unread = lines.iter().enumerate();
    let oldest = unread
        .filter_map(|(at, line)| Some((line.lock().as_ref()?.since, at)))
        .min();
    oldest.is_some_and(|(_, at)| lines.remove(at).hang_up(None, TOO_MANY_UNREAD))
}

impl Place {
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Makes it one of this load's, whose token was shown on it; false when the load has as many as it may.
    pub(super) fn is_taken_by(&self, load: u64) -> bool {
        let (mut owner, to) = (self.owner(), Owner::Load(load));
        if *owner == to {
            return true;
        }
        let mut all = self.connections.lock();
        if !take(&mut all, to, &self.line) {
            return false;
        }
        give_back(&mut all, *owner, &self.line);
        *owner = to;
        true
    }

    fn owner(&self) -> MutexGuard<'_, Owner> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// To be told of each request: whatever was answered before has been read.
    pub(super) fn asked(&self) {
        self.lock().take();
    }

    /// To be told when the answer to a fetch begins to go out. The guest asks `reasons` why it ends early.
    pub(super) fn answers(&self, fetch: u64, reasons: &Arc<Reasons>) {
        *self.lock() = Some(Unread {
            fetch,
            since: Instant::now(),
            reasons: Arc::clone(reasons),
        });
    }

    /// Ends the connection if it carries an answer: that to `fetch`, or any. Whether it did.
    pub(super) fn hang_up(&self, fetch: Option<u64>, reason: &str) -> bool {
        let unread = self
            .lock()
            .take_if(|unread| fetch.is_none_or(|fetch| fetch == unread.fetch));
        let Some(Unread { fetch, reasons, .. }) = unread else {
            return false;
        };
        reasons.keep(fetch, reason.to_owned());
        self.hang_up.notify_one();
        true
    }

    /// Resolves when the connection is to end.
    pub(super) async fn given_up(&self) {
        self.hang_up.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Unread>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let owner = *self.owner();
        give_back(&mut self.connections.lock(), owner, &self.line);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const ONE: Owner = Owner::Process(7);

    fn full(all: &Arc<Connections>) -> Vec<Place> {
        (0..MAX_CONNECTIONS)
            .map(|_| Connections::place(all, ONE).unwrap())
            .collect()
    }

    #[test]
    fn a_process_has_its_own_places_and_gets_them_back() {
        let all = Arc::new(Connections::default());
        let mut held = full(&all);
        assert!(Connections::place(&all, ONE).is_none());
        assert!(
            Connections::place(&all, Owner::Process(8)).is_some(),
            "another one's places"
        );
        held.pop();
        assert!(Connections::place(&all, ONE).is_some());
        held.clear();
        assert!(all.lock().is_empty(), "nothing is kept of a process that is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_unread_answer_makes_way_and_nothing_that_is_still_asked_for() {
        let (all, reasons) = (Arc::new(Connections::default()), Arc::default());
        let held = full(&all);
        for (at, fetch) in [(9, 1), (3, 2), (5, 3)] {
            held[at].line().answers(fetch, &reasons);
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        // It has been read: the next request came over it.
        held[9].line().asked();
        let next = Connections::place(&all, ONE).unwrap();
        assert!(held[3].line().given_up().now_or_never().is_some());
        assert_eq!(reasons.take(2).as_deref(), Some(TOO_MANY_UNREAD));
        let other = Connections::place(&all, ONE).unwrap();
        assert!(held[5].line().given_up().now_or_never().is_some());
        assert!(Connections::place(&all, ONE).is_none());
        assert!(held[9].line().given_up().now_or_never().is_none());
        drop((held, next, other));
        assert!(all.lock().is_empty());
    }

    #[test]
    fn the_end_of_a_fetch_ends_no_other_ones_answer() {
        let (line, reasons) = (Line::default(), Arc::default());
        assert!(!line.hang_up(Some(1), "over"), "it has no answer");
        line.answers(2, &reasons);
        assert!(!line.hang_up(Some(1), "over"));
        assert!(line.hang_up(Some(2), "over"));
        assert_eq!(reasons.take(2).as_deref(), Some("over"));
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
