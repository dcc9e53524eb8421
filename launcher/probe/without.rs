//! A kernel that seems to lack some calls, as under an old container's profile.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

/// `calls` are `landlock`, `landlock-rules`, `seccomp`, `close_range` or some with a comma; before them `forbidden:`, for EPERM in place of ENOSYS.
pub(crate) fn run(calls: &str, program: &str, arguments: &[&str]) -> io::Result<()> {
    let (errno, calls) = match calls.strip_prefix("forbidden:") {
        Some(calls) => (libc::EPERM, calls),
        None => (libc::ENOSYS, calls),
    };
    let mut rules = BTreeMap::new();
    for call in calls.split(',') {
        let numbers = match call {
            "landlock" => vec![
                libc::SYS_landlock_create_ruleset,
                libc::SYS_landlock_restrict_self,
            ],
            "landlock-rules" => vec![libc::SYS_landlock_add_rule],
            "close_range" => vec![libc::SYS_close_range],
            "seccomp" => vec![libc::SYS_seccomp],
            _ => return Err(io::Error::other(format!("no such calls: {call}"))),
        };
        rules.extend(numbers.into_iter().map(|number| (number, Vec::new())));
    }
    let arch: TargetArch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(io::Error::other)?;
    let filter: BpfProgram = filter.try_into().map_err(io::Error::other)?;
    apply_filter(&filter).map_err(io::Error::other)?;
    #[allow(clippy::disallowed_methods, reason = "it becomes what it is told to run")]
    Err(Command::new(program).args(arguments).exec())
}
