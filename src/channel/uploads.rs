//! Bytes that a plugin has sent ahead of the call that names them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one process's uploads may take together, in KiB: those that are being read, that wait for their call, and that the
/// host's storage is taking. Further ones wait for room before they are read. One that is larger takes all of it.
const ROOM_KIB: u32 = 64 * 1024;

/// What an empty file takes, so that their number is bounded, too.
const LEAST_KIB: u32 = 256;

/// The bodies of one process that no call has taken yet.
#[derive(Debug)]
pub(crate) struct Uploads {
    room: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    bodies: HashMap<u64, Upload>,
}

/// A file's bytes. What they take is given back when the room is dropped.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Room,
}

#[derive(Debug)]
pub(crate) struct Room(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Default for Uploads {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            waiting: Mutex::default(),
        }
    }
}

impl Uploads {
    /// Waits until there is room for a body of so many bytes, in the order in which it was asked. `None` when there is none
    /// any more.
    pub(crate) async fn room(&self, bytes: u64) -> Option<Room> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM_KIB);
        let kib = kib.clamp(LEAST_KIB, ROOM_KIB);
        let permit = Arc::clone(&self.room).acquire_many_owned(kib).await;
        permit.ok().map(Room)
    }

    /// Keeps a body and gives its number.
    pub(crate) fn keep(&self, upload: Upload) -> u64 {
        let mut waiting = self.lock();
        waiting.last += 1;
        let number = waiting.last;
        waiting.bodies.insert(number, upload);
        number
    }

    /// Hands a body out, once.
    pub(crate) fn take(&self, number: u64) -> Option<Upload> {
        self.lock().bodies.remove(&number)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    async fn upload(uploads: &Uploads, text: &'static str) -> Upload {
        let (bytes, room) = (text.into(), uploads.room(text.len() as u64).await.unwrap());
        Upload { bytes, room }
    }

    #[tokio::test]
    async fn a_body_is_handed_out_once_by_its_own_number() {
        let uploads = Uploads::default();
        let one = uploads.keep(upload(&uploads, "one").await);
        let two = uploads.keep(upload(&uploads, "two").await);
        let taken = |number| uploads.take(number).map(|upload| upload.bytes);
        assert_eq!(taken(two), Some(b"two".to_vec()));
        assert_eq!(taken(two), None);
        assert_eq!(taken(one), Some(b"one".to_vec()));
        assert_eq!(taken(99), None);
    }

    #[tokio::test]
    async fn a_body_waits_until_there_is_room_and_none_is_lost() {
        let uploads = Uploads::default();
        let first = uploads.room(16 * MIB).await.unwrap();
        let bytes = b"kept".to_vec();
        let kept = uploads.keep(Upload { bytes, room: first });
        let rest = uploads.room(48 * MIB).await.unwrap();
        assert!(
            uploads.room(0).now_or_never().is_none(),
            "an empty one takes some, too"
        );
        let waits = uploads.room(MIB);
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        drop(rest);
        let room = waits.await.unwrap();
        assert!(
            uploads.room(1024 * MIB).now_or_never().is_none(),
            "the largest takes all of it"
        );
        drop(uploads.take(kept).unwrap());
        drop(room);
        assert!(uploads.room(1024 * MIB).now_or_never().is_some());
    }
}
