//! What the kernel that we run on can do, asked without changing anything in Node's own process.

#[cfg(target_os = "linux")]
use std::io;

use super::Layer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    pub(super) landlock: Landlock,
    /// Why there is no seccomp, if there is none.
    pub(super) no_seccomp: Option<Obstacle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landlock {
    /// The version of its interface.
    Abi(u32),
    Without(Obstacle),
}

/// Why something of the kernel's can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// It has no such call, or somebody hides it.
    Missing,
    /// It has been left out when the machine was started.
    Disabled,
    /// Somebody forbids the call: a container's profile.
    Forbidden,
    /// It is no Linux.
    OtherSystem,
}

impl Kernel {
    /// The one below this process.
    #[must_use]
    pub fn probe() -> Self {
        #[cfg(target_os = "linux")]
        return Self {
            landlock: match crate::sys::landlock_abi() {
                Ok(abi) => Landlock::Abi(abi),
                Err(error) => Landlock::Without(Obstacle::of(&error)),
            },
            no_seccomp: crate::sys::seccomp_can_kill().err().as_ref().map(Obstacle::of),
        };
        #[cfg(not(target_os = "linux"))]
        Self {
            landlock: Landlock::Without(Obstacle::OtherSystem),
            no_seccomp: Some(Obstacle::OtherSystem),
        }
    }

    /// Whether the layer can be put up, if only in part.
    pub(super) fn has(&self, layer: Layer) -> bool {
        let landlock = |from| matches!(self.landlock, Landlock::Abi(abi) if abi >= from);
        match layer {
            Layer::Limits | Layer::Capabilities => cfg!(target_os = "linux"),
            Layer::Files => landlock(1),
            Layer::Network => landlock(4),
            Layer::Scope => landlock(6),
            Layer::Calls => self.no_seccomp.is_none(),
        }
    }

    #[cfg(test)]
    pub(super) fn of_tests(landlock: Landlock, no_seccomp: Option<Obstacle>) -> Self {
        Self { landlock, no_seccomp }
    }
}

#[cfg(target_os = "linux")]
impl Obstacle {
    fn of(error: &io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(error) {
            Some(Errno::OPNOTSUPP) => Self::Disabled,
            Some(Errno::PERM | Errno::ACCESS) => Self::Forbidden,
            _ => Self::Missing,
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn asking_twice_gives_the_same_because_asking_changes_nothing() {
        assert_eq!(Kernel::probe(), Kernel::probe());
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let is = |line: &str| {
            status
                .lines()
                .any(|each| each.split_whitespace().eq(line.split_whitespace()))
        };
        // Whoever runs the tests in a container has a filter already; another one would be a second.
        assert!(is("Seccomp_filters: 0") || is("Seccomp: 2"), "{status}");
    }
}
