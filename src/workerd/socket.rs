//! The listening socket of one plugin's process: bound here, handed to workerd, with no name left on disk.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use tokio::net::UnixStream;

/// Where a read-only container still lets one make a socket: memory that every Linux has for what is shared.
const SHARED_MEMORY: &str = "/dev/shm";

/// A Unix socket that only this process, and whom it hands the listener to, can reach.
///
/// It is bound in a fresh 0700 folder, and both are removed before anything listens on it. An `O_PATH` descriptor of the
/// socket's inode stays, and Linux lets one connect to that through `/proc/self/fd`. What is left on disk after a crash
/// is nothing, and the limit of 108 bytes on a socket's path does not matter.
#[derive(Debug)]
pub(crate) struct PrivateSocket {
    inode: OwnedFd,
}

impl PrivateSocket {
    /// The socket, and the listener to hand over. The error is the temporary folder's, also where its substitute failed.
    pub(crate) fn bind() -> io::Result<(Self, UnixListener)> {
        let temporary = std::env::temp_dir();
        Self::bind_in(&temporary).or_else(|error| Self::bind_in(Path::new(SHARED_MEMORY)).map_err(|_| error))
    }

    fn bind_in(parent: &Path) -> io::Result<(Self, UnixListener)> {
        let folder = tempfile::Builder::new()
            .prefix("emdash-sandbox-")
            .tempdir_in(parent)?;
        let path_only = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = open(folder.path(), path_only | OFlags::DIRECTORY, Mode::empty())?;
        // Through the descriptor, because the folder's own path may be longer than a socket's path can be.
        let path = format!("/proc/self/fd/{}/s", opened.as_raw_fd());
        let listener = UnixListener::bind(&path)?;
        let inode = open(&path, path_only, Mode::empty())?;
        folder.close()?;
        Ok((Self { inode }, listener))
    }

    pub(crate) async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(PathBuf::from(format!("/proc/self/fd/{}", self.inode.as_raw_fd()))).await
    }
}

impl AsFd for PrivateSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inode.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_without_a_name_can_be_connected_to() {
        let (socket, listener) = PrivateSocket::bind().unwrap();
        let _client = socket.connect().await.unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn a_folder_that_takes_no_socket_is_an_error_and_shared_memory_takes_one() {
        let error = PrivateSocket::bind_in(Path::new("/proc")).unwrap_err();
        assert!(error.to_string().contains("/proc"), "{error}");
        let (_socket, listener) = PrivateSocket::bind_in(Path::new(SHARED_MEMORY)).unwrap();
        drop(listener);
    }

    #[test]
    fn nothing_is_left_on_disk_while_it_lives() {
        let (socket, _listener) = PrivateSocket::bind().unwrap();
        let path = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd())).unwrap();
        let path = path.to_str().unwrap();
        let folder = path.strip_suffix("/s (deleted)").expect(path);
        assert!(!std::path::Path::new(folder).exists());
    }
}
