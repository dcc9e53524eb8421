//! Where JavaScript's thread listens to plugins: their sockets, as one descriptor for its event loop.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

/// Plugins that are told of at a time; the others are next.
const MAX_HEARD: usize = 32;

#[derive(Debug)]
pub struct Ear(OwnedFd);

impl Ear {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// The plugins that have said something since they were told of last.
    pub(crate) fn heard(&self) -> Vec<u32> {
        let mut events = Vec::with_capacity(MAX_HEARD);
        // What a signal interrupts is asked again, because the descriptor stays readable.
        let _ = epoll::wait(&self.0, spare_capacity(&mut events), Some(&Timespec::default()));
        let plugins = events.iter().map(|event| event.data.u64());
        plugins.filter_map(|plugin| u32::try_from(plugin).ok()).collect()
    }

    /// From now on `socket` is heard here, whatever it holds already at once.
    pub(super) fn add(&self, socket: BorrowedFd<'_>, plugin: u32) -> io::Result<()> {
        // Told of once, until there is more: whoever hears it may leave it to somebody else to read.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        let plugin = epoll::EventData::new_u64(plugin.into());
        Ok(epoll::add(&self.0, socket, plugin, flags)?)
    }

    pub(super) fn remove(&self, socket: BorrowedFd<'_>) {
        // One that is not there need not be removed.
        let _ = epoll::delete(&self.0, socket);
    }
}

/// Readable while somebody has been heard and not been told of.
impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
