//! seccomp: the system calls that workerd makes, and what becomes of the others.
//!
//! Two filters, of which the kernel takes the stricter answer: one ends the process at a call that only an attacker
//! makes, the other says "no such call" to whatever is not on the list of allowed calls.

mod allowed;
mod fatal;

use std::collections::BTreeMap;
use std::ffi::c_long;
use std::io;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::program::Program;

#[cfg(target_arch = "x86_64")]
const MACHINE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: TargetArch = TargetArch::aarch64;

/// Calls that are on neither list and yet expected: `clone3`, whose flags no filter can see. glibc asks for it for each
/// thread, and takes `clone` where there is none.
const ASKED_FOR_IN_VAIN: [c_long; 1] = [libc::SYS_clone3];

/// What is known only when the filter is made.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// This process's own number, which executing a program does not change.
    pid: u64,
    /// Where the path of the one program that may be executed lies.
    path_address: u64,
}

/// A test of one argument.
#[derive(Debug, Clone, Copy)]
struct Test(u8, Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Is(u64),
    AtMost(u64),
    /// The bits of the first, as in the second.
    Bits(u64, u64),
    /// All 64 bits of a pointer. The others look at 32, as the kernel does with an `int`.
    Pointer(u64),
    OtherPointer(u64),
}

/// A call, and what its arguments must be: all tests of one of the lists. No list: whatever they are.
type Calls = BTreeMap<c_long, Vec<Vec<Test>>>;

/// All of these, whatever their arguments are.
fn unconditional(lists: &[&[c_long]]) -> Calls {
    let calls = lists.iter().copied().flatten();
    calls.map(|call| (*call, Vec::new())).collect()
}

/// `is_strict` ends the process at a call that is not on the list, rather than to tell it that there is none.
pub(super) fn install(program: &Program, is_strict: bool) -> io::Result<()> {
    let facts = Facts {
        pid: u64::from(std::process::id()),
        path_address: program.path_address(),
    };
    let fatal = filter(
        fatal::calls(&facts),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
    );
    apply_filter(&fatal.map_err(told)?).map_err(told)?;

    let no_such_call = || SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let mut allowed = allowed::calls(&facts);
    let mut unexpected = no_such_call();
    if is_strict {
        unexpected = SeccompAction::KillProcess;
        let asked = unconditional(&[&ASKED_FOR_IN_VAIN]);
        allowed.extend(asked.clone());
        let refused = filter(asked, SeccompAction::Allow, no_such_call());
        apply_filter(&refused.map_err(told)?).map_err(told)?;
    }
    // Last, since it refuses the call that installs one.
    let allowed = filter(allowed, unexpected, SeccompAction::Allow);
    apply_filter(&allowed.map_err(told)?).map_err(told)
}

fn filter(calls: Calls, otherwise: SeccompAction, then: SeccompAction) -> Result<BpfProgram, BackendError> {
    let rules = calls.into_iter().map(|(call, alternatives)| {
        let rules = alternatives.into_iter().map(rule);
        Ok((call, rules.collect::<Result<_, BackendError>>()?))
    });
    SeccompFilter::new(
        rules.collect::<Result<_, BackendError>>()?,
        otherwise,
        then,
        MACHINE,
    )?
    .try_into()
}

fn rule(tests: Vec<Test>) -> Result<SeccompRule, BackendError> {
    let conditions = tests.into_iter().map(|Test(argument, kind)| {
        use SeccompCmpArgLen::{Dword, Qword};
        let (length, operator, value) = match kind {
            Kind::Is(value) => (Dword, SeccompCmpOp::Eq, value),
            Kind::AtMost(value) => (Dword, SeccompCmpOp::Le, value),
            Kind::Bits(mask, value) => (Dword, SeccompCmpOp::MaskedEq(mask), value),
            Kind::Pointer(value) => (Qword, SeccompCmpOp::Eq, value),
            Kind::OtherPointer(value) => (Qword, SeccompCmpOp::Ne, value),
        };
        SeccompCondition::new(argument, length, operator, value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

fn told(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("seccomp: {error}"))
}

/// A flag or constant of the kernel's as what a filter compares: the bits of an `int`.
fn bits(value: impl Into<i64>) -> u64 {
    u64::from(value.into() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts = Facts {
        pid: 7,
        path_address: 0x7000_1234_5678,
    };

    #[test]
    fn no_call_is_both_allowed_and_fatal_but_those_that_arguments_tell_apart() {
        let fatal = fatal::calls(&FACTS);
        for (call, tests) in allowed::calls(&FACTS) {
            if let Some(fatal) = fatal.get(&call) {
                assert!(!tests.is_empty() || !fatal.is_empty(), "call {call}");
            }
        }
    }

    #[test]
    fn what_the_jail_is_for_is_on_no_list_of_allowed_calls() {
        let allowed = allowed::calls(&FACTS);
        for call in [
            libc::SYS_ptrace,
            libc::SYS_bpf,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_execveat,
            libc::SYS_openat2,
            libc::SYS_memfd_create,
            libc::SYS_getdents64,
            libc::SYS_chdir,
            libc::SYS_fchdir,
            libc::SYS_bind,
            libc::SYS_pidfd_open,
            libc::SYS_pidfd_send_signal,
            libc::SYS_rt_sigqueueinfo,
        ] {
            assert!(!allowed.contains_key(&call), "call {call}");
        }
    }

    #[test]
    fn the_lists_compile_for_this_machine() {
        for (calls, then) in [
            (allowed::calls(&FACTS), SeccompAction::Allow),
            (fatal::calls(&FACTS), SeccompAction::KillProcess),
        ] {
            filter(calls, SeccompAction::Log, then).unwrap();
        }
    }
}
