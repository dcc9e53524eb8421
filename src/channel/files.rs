//! Files on their way between a plugin and the host's storage, both ways: how much of them there is at once, and how the
//! guest's come here.

use std::sync::{Arc, OnceLock};

use hyper::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lane::{self, LaneError};
use crate::workerd::Door;

/// What the files of one process may take together, in KiB: those that it files, from when they are read until the host's
/// storage has them, and those that it reads, from before they are asked for until it has them. Further ones wait. One that
/// is larger takes all of it.
const ROOM_KIB: u32 = 64 * 1024;

/// The files of one process.
#[derive(Debug)]
pub(crate) struct Files {
    door: Arc<Door>,
    room: Arc<Semaphore>,
}

/// What a file takes of its plugin's share, once it has it; given back when it is dropped.
pub(crate) type Room = Arc<OnceLock<OwnedSemaphorePermit>>;

impl Files {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
        }
    }

    /// The bytes that the guest keeps under this number, `limit` of them at most. Waits until there is room for them.
    pub(crate) async fn fetch(&self, number: u64, limit: usize, room: &Room) -> Result<Vec<u8>, LaneError> {
        let kept = lane::get(&self.door, &format!("/uploads/{number}")).await?;
        if kept.length() > limit {
            return Err(LaneError::Status(StatusCode::PAYLOAD_TOO_LARGE));
        }
        self.make_room(kept.length() as u64, room).await;
        kept.read().await
    }

    /// Waits until there is room for so many bytes.
    pub(crate) async fn make_room(&self, bytes: u64, room: &Room) {
        if let Some(permit) = self.permit(bytes).await {
            // Nobody else sets it.
            let _ = room.set(permit);
        }
    }

    /// In the order in which it is asked. `None` never: the semaphore is not closed.
    async fn permit(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM_KIB);
        let room = Arc::clone(&self.room);
        room.acquire_many_owned(kib.min(ROOM_KIB)).await.ok()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;
    use crate::workerd::PrivateSocket;

    const MIB: u64 = 1024 * 1024;

    /// A guest that answers each request with the next text.
    fn guest(answers: Vec<String>) -> Files {
        let (socket, listener) = PrivateSocket::bind().unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = UnixListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; 1024];
                let read = stream.read(&mut asked).await.unwrap();
                let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                assert!(asked.starts_with("GET /uploads/7 HTTP/1.1\r\n"), "{asked}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Files::new(Arc::new(Door::Unix(socket)))
    }

    #[tokio::test]
    async fn what_the_guest_keeps_is_fetched_up_to_the_limit_and_nothing_else_is() {
        let endless = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(5000));
        let answers = [
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour, and more than it says",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfives",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfives\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ncut",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "none of HTTP's words",
            "HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\nfour",
            &endless,
        ];
        let files = guest(answers.map(str::to_owned).into());
        let room = Room::default();
        assert_eq!(files.fetch(7, 4, &room).await.unwrap(), b"four");
        assert!(room.get().is_some());
        assert_eq!(files.fetch(7, 4, &room).await.unwrap(), b"four");
        for what in [
            "too long",
            "too long in the end",
            "cut off",
            "not there",
            "nonsense",
        ] {
            assert!(files.fetch(7, 4, &Room::default()).await.is_err(), "{what}");
        }
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_for_it() {
        let files = guest(vec![]);
        let first = files.permit(16 * MIB).await.unwrap();
        let rest = files.permit(48 * MIB).await.unwrap();
        assert!(
            files.permit(0).now_or_never().is_some(),
            "an empty one needs none"
        );
        let waits = files.permit(MIB);
        tokio::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        drop(rest);
        let second = waits.await.unwrap();
        assert!(files.permit(1024 * MIB).now_or_never().is_none());
        drop((first, second));
        assert!(
            files.permit(1024 * MIB).now_or_never().is_some(),
            "the largest goes alone"
        );
    }
}
