//! The filter of system calls: which end the process, and which are not there.

use std::os::unix::net::UnixListener;

use super::support::{LAUNCHER, PROBE, launcher, leaking, skipped};
use super::{outcome, probe, started};

#[test]
fn the_dangerous_calls_end_the_process_and_the_others_are_not_there() {
    const SIGSYS: &str = "ended by signal 31";
    for fatal in [
        "ptrace",
        "users",
        "clone-users",
        "io_uring",
        "mount",
        "bpf",
        "performance",
        "userfaultfd",
        "key",
    ] {
        let this = std::process::id().to_string();
        assert_eq!(
            outcome(&probe("calls", &[PROBE, fatal, &this])),
            SIGSYS,
            "{fatal}"
        );
    }
    assert_eq!(
        outcome(&probe("calls", &[PROBE, "execute", PROBE, "random"])),
        SIGSYS
    );
    for absent in [
        "fork",
        "clone3",
        "memory-file",
        "netlink",
        "orphan",
        "leave-folder",
    ] {
        let came_of_it = outcome(&probe("calls", &[PROBE, absent]));
        assert_eq!(
            came_of_it, "refused: Function not implemented (os error 38)",
            "{absent}"
        );
    }
}

#[test]
fn strictly_an_unexpected_call_ends_the_process_because_a_test_must_see_it() {
    let strictly = |program: &[&str]| outcome(&started(&mut launcher("strict:calls", program)));
    assert_eq!(strictly(&[PROBE, "memory-file"]), "ended by signal 31");
    // glibc tries it for every thread, and copes.
    assert_eq!(strictly(&[PROBE, "thread"]), "done");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_filter_holds_for_the_kernels_other_doors_too() {
    const SIGSYS: &str = "ended by signal 31";
    let free = outcome(&probe("", &[PROBE, "call-of-32-bits"]));
    // A kernel without that door ends who tries it by SIGSEGV.
    match free.as_str() {
        "done" => assert_eq!(outcome(&probe("calls", &[PROBE, "call-of-32-bits"])), SIGSYS),
        "ended by signal 11" => skipped("this kernel takes no calls of 32 bits"),
        other => panic!("{other}"),
    }
    // A kernel that knows no x32 shows the filter its calls all the same.
    let mut strictly = launcher("strict:calls", &[PROBE, "call-of-x32"]);
    assert_eq!(outcome(&started(&mut strictly)), SIGSYS);
    let mut refused = launcher("must:calls", &[PROBE, "call-of-x32"]);
    let came_of_it = outcome(&started(&mut refused));
    assert_eq!(came_of_it, "refused: Function not implemented (os error 38)");
}

#[test]
fn descriptors_that_the_parent_leaks_make_no_room_for_longer_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(folder.path().join("s")).unwrap();
    let this = std::process::id().to_string();
    let mut command = leaking(&[LAUNCHER, &this, "must:calls", PROBE, "named-below-descriptor"]);
    command.arg(folder.path());
    assert_eq!(
        outcome(&started(&mut command)),
        "refused: Function not implemented (os error 38)"
    );
}
