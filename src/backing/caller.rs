//! Who is at the other end of a connection, as far as the system tells.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The process of this number.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only a Unix socket tells it")
    )]
    Process(u32),
    /// Somebody on this machine.
    Loopback,
}

impl Caller {
    /// From a connection's start, or the last answer, until a request's headers are there. Our guest's come at once; a
    /// stranger is not to hold a place for long. workerd gives up idle connections after five seconds, and has to be first:
    /// it would send on one that is being closed.
    pub(super) fn header_timeout(self) -> Duration {
        match self {
            Self::Process(_) => Duration::from_secs(30),
            Self::Loopback => Duration::from_secs(10),
        }
    }

    /// Whether this is, or may be, the process of that number.
    pub(super) fn may_be(self, pid: u32) -> bool {
        match self {
            Self::Process(own) => own == pid,
            Self::Loopback => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_somebody_may_be_anybody() {
        assert!(Caller::Process(7).may_be(7));
        assert!(!Caller::Process(7).may_be(8));
        assert!(Caller::Loopback.may_be(8));
    }
}
