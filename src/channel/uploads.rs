//! Bytes that a plugin has sent ahead of the call that names them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// What one process may have waiting here. A call follows its bytes at once, so more means that the plugin sends bytes
/// that it does not name.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// What bounds the list when every body is empty.
const MAX_WAITING: usize = 256;

/// The bodies of one process that no call has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    bodies: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

impl Uploads {
    /// Keeps a body and gives its number. When too much waits, the oldest ones go: their plugin has forgotten them.
    pub(crate) fn keep(&self, body: Bytes) -> u64 {
        let mut waiting = self.lock();
        waiting.last += 1;
        waiting.bytes += body.len();
        let number = waiting.last;
        waiting.bodies.push_back((number, body));
        while waiting.bodies.len() > 1
            && (waiting.bytes > MAX_WAITING_BYTES || waiting.bodies.len() > MAX_WAITING)
            && let Some((_, oldest)) = waiting.bodies.pop_front()
        {
            waiting.bytes -= oldest.len();
        }
        number
    }

    /// Hands a body out, once.
    pub(crate) fn take(&self, number: u64) -> Option<Bytes> {
        let mut waiting = self.lock();
        let index = waiting.bodies.iter().position(|(other, _)| *other == number)?;
        let (_, body) = waiting.bodies.remove(index)?;
        waiting.bytes -= body.len();
        Some(body)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_handed_out_once_by_its_own_number() {
        let uploads = Uploads::default();
        let (one, two) = (uploads.keep("one".into()), uploads.keep("two".into()));
        assert_eq!(uploads.take(two).as_deref(), Some(&b"two"[..]));
        assert_eq!(uploads.take(two), None);
        assert_eq!(uploads.take(one).as_deref(), Some(&b"one"[..]));
        assert_eq!(uploads.take(99), None);
    }

    #[test]
    fn what_nobody_takes_is_bounded_in_bytes_and_in_number() {
        let uploads = Uploads::default();
        let megabyte = Bytes::from(vec![0; 1024 * 1024]);
        let first = uploads.keep(megabyte.clone());
        let numbers: Vec<_> = (0..64).map(|_| uploads.keep(megabyte.clone())).collect();
        assert_eq!(uploads.take(first), None, "the oldest went");
        assert!(numbers.iter().all(|number| uploads.take(*number).is_some()));
        let empty: Vec<_> = (0..MAX_WAITING + 3).map(|_| uploads.keep(Bytes::new())).collect();
        assert_eq!(
            empty
                .iter()
                .filter(|number| uploads.take(**number).is_some())
                .count(),
            MAX_WAITING
        );
    }
}
