//! What the process itself may use: resource limits and capabilities.

use std::io;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::program::Program;

/// Less than the smallest core file, so none is written. Zero would do for files, but a core that goes to a program
/// (`core_pattern` with a pipe, as of systemd and Ubuntu) ignores the limit; one byte is the value at which the kernel
/// starts no such program either.
const CORE_BYTES: u64 = 1;

/// Which kinds of memory a core has (core(5)). It stays when another program is executed.
const CORE_FILTER: &str = "/proc/self/coredump_filter";
const NO_MEMORY: &str = "0";

/// Nothing is to be written to a file; pipes and sockets don't count.
const FILE_BYTES: u64 = 0;

/// Linux's own default for a process. workerd has about twenty open, and one more for each connection.
const DESCRIPTORS: u64 = 1024;

/// Not the address space: V8 reserves much more than it uses.
pub(super) fn limit() -> io::Result<()> {
    limit_core()?;
    lower(Resource::Fsize, FILE_BYTES)?;
    lower(Resource::Nofile, DESCRIPTORS)
}

/// Two locks. The second is for whom somebody has given a limit of zero that only root can raise: were it told to a
/// program all the same, a core would have none of the memory.
fn limit_core() -> io::Result<()> {
    let one = Rlimit {
        current: Some(CORE_BYTES),
        maximum: Some(CORE_BYTES),
    };
    // Fails where somebody has set a lower one.
    setrlimit(Resource::Core, one).or_else(|_| lower(Resource::Core, CORE_BYTES))?;
    match std::fs::write(CORE_FILTER, NO_MEMORY) {
        // A kernel that writes no cores.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // The first lock holds.
        Err(_) if getrlimit(Resource::Core).current == Some(CORE_BYTES) => Ok(()),
        outcome => outcome,
    }
}

/// Both the soft and the hard limit, so that only a privileged process could raise it again.
fn lower(resource: Resource, to: u64) -> io::Result<()> {
    let to = getrlimit(resource).maximum.map_or(to, |maximum| maximum.min(to));
    let limit = Rlimit {
        current: Some(to),
        maximum: Some(to),
    };
    Ok(setrlimit(resource, limit)?)
}

/// Root's process gets none back when it executes workerd, because of `no_new_privs`.
pub(super) fn drop_capabilities(program: &Program) -> io::Result<()> {
    let held = capabilities(None)?;
    // By opening it, as workerd itself does to begin with.
    let reachable = || open(program.path(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    set(CapabilitySet::empty(), held.permitted)?;
    if reachable().is_ok() {
        return set(CapabilitySet::empty(), CapabilitySet::empty());
    }
    // A site of root in the folder of somebody else: workerd could not be executed, nor read itself. Containers give
    // their root only the greater of the two.
    for (name, capability) in [
        ("CAP_DAC_READ_SEARCH", CapabilitySet::DAC_READ_SEARCH),
        ("CAP_DAC_OVERRIDE", CapabilitySet::DAC_OVERRIDE),
    ] {
        let kept = held.permitted & capability;
        set(kept, held.permitted)?;
        if reachable().is_ok() {
            set(kept, kept)?;
            return Err(io::Error::other(format!(
                "{name} is left, because workerd can't be reached without it: let others read its folder"
            )));
        }
    }
    // Not for want of a capability: executing it will say why.
    set(CapabilitySet::empty(), CapabilitySet::empty())
}

fn set(effective: CapabilitySet, permitted: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets {
        effective,
        permitted,
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, sets)?)
}
