//! Landlock: which files may be read, and that there is no TCP, no signal and no abstract socket of anybody else.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

use super::Layer;
use super::libraries::MadeOf;
use crate::program::Program;

/// The newest that we have run with. What a later one can restrict (named sockets, UDP) is added with a test of it:
/// `docs/security.md`, "What is not defended".
const NEWEST: ABI = ABI::V7;

/// BoringSSL and V8 make their seeds of it; C's library asks whether it is a terminal.
const RANDOM: &str = "/dev/urandom";

/// Files of the system that workerd reads, seen with strace.
const READ: [&str; 4] = [
    // V8 would know the time zone, although workers are in UTC.
    "/etc/localtime",
    // Where the loader looks libraries up. Without it they are found too, by looking in each folder.
    "/etc/ld.so.cache",
    // Where a thread's stack lies (`pthread_getattr_np`), and what a stack trace names. Of this process alone.
    // (A rule is of an inode, and this one may be made anew once the kernel has dropped it for want of memory: what is
    // read at the start is read in time, and a trace can do without names.)
    "/proc/self/maps",
    // How many processors there are, and which share a cache: the allocator's.
    "/sys/devices/system/cpu",
];

/// What the kernel refused. `layer` is the one that it is known to be about; the newest is the likeliest otherwise.
pub(super) struct Fault {
    pub(super) layer: Option<Layer>,
    pub(super) error: io::Error,
}

impl From<RulesetError> for Fault {
    fn from(error: RulesetError) -> Self {
        Self {
            layer: None,
            error: told(error),
        }
    }
}

/// Puts up those of the layers `files`, `network` and `scope` that are in `layers`, all or none; `files` by what the
/// program is made of.
pub(super) fn restrict(program: &Program, made_of: Option<&MadeOf>, layers: &[Layer]) -> Result<(), Fault> {
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if made_of.is_some() {
        // Kernels know more kinds of access from version to version; the report says which of them are enough.
        ruleset = ruleset
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1))?;
    }
    if layers.contains(&Layer::Network) {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    if layers.contains(&Layer::Scope) {
        ruleset = ruleset.scope(Scope::from_all(NEWEST))?;
    }
    let mut created = ruleset.create()?.set_compatibility(CompatLevel::BestEffort);
    if let Some(made_of) = made_of {
        created = allow_what_workerd_is_made_of(created, program, made_of).map_err(|error| Fault {
            layer: Some(Layer::Files),
            error,
        })?;
    }
    created.restrict_self()?;
    Ok(())
}

fn allow_what_workerd_is_made_of(
    ruleset: RulesetCreated,
    program: &Program,
    made_of: &MadeOf,
) -> io::Result<RulesetCreated> {
    let run = AccessFs::Execute | AccessFs::ReadFile;
    // workerd opens the root to begin with, and what it reads by path from there. Listing is left to the layer `calls`:
    // a rule for the root is one for all folders.
    let mut ruleset = allow(ruleset, Path::new("/"), AccessFs::ReadDir.into())?;
    ruleset = allow(ruleset, program.path(), run)?;
    if let Some(loader) = &made_of.loader {
        ruleset = allow(ruleset, loader, run)?;
    }
    ruleset = allow(
        ruleset,
        Path::new(RANDOM),
        AccessFs::ReadFile | AccessFs::IoctlDev,
    )?;
    let read = READ.iter().map(Path::new);
    for path in made_of.libraries.iter().map(AsRef::as_ref).chain(read) {
        ruleset = allow(ruleset, path, AccessFs::ReadFile.into())?;
    }
    Ok(ruleset)
}

/// What is not there, or can't be opened here, needs no rule.
fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    match PathFd::new(path) {
        Ok(opened) => ruleset.add_rule(PathBeneath::new(opened, access)).map_err(told),
        Err(_) => Ok(ruleset),
    }
}

fn told(error: RulesetError) -> io::Error {
    io::Error::other(format!("Landlock: {error}"))
}
