//! All that is to be prevented, within no layer, within each layer alone, and within all of them.

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use super::outside::{Attempt, Outside};
use super::support::{PROBE, launcher, skipped, start, text};
use super::{is_prevented, layers, outcome, probe};

#[test]
fn all_layers_together_prevent_everything() {
    let outside = Outside::new();
    let there = layers();
    let all = there.join(",");
    for attempt in &outside.attempts {
        if !attempt.held_by.iter().any(|layer| there.contains(layer)) {
            skipped(&format!(
                "only {:?} would prevent {}",
                attempt.held_by, attempt.name
            ));
            continue;
        }
        let came_of_it = outside.try_it(attempt, &all);
        assert!(
            is_prevented(&came_of_it),
            "{} {:?}: {came_of_it}",
            attempt.name,
            attempt.arguments
        );
    }
    let kept = ["overwrite", "truncate", "truncate-by-name", "remove", "rename"];
    for name in kept {
        let left = std::fs::read_to_string(outside.folder.path().join(name)).unwrap();
        assert_eq!(left, "kept", "{name} did nothing");
    }
}

#[test]
fn each_layer_alone_prevents_its_part_because_another_may_be_missing() {
    let (outside, there) = (Outside::new(), layers());
    for attempt in &outside.attempts {
        for layer in attempt.held_by.iter().filter(|layer| there.contains(layer)) {
            let came_of_it = outside.try_it(attempt, layer);
            assert!(
                is_prevented(&came_of_it),
                "{} {:?} within {layer}: {came_of_it}",
                attempt.name,
                attempt.arguments
            );
        }
    }
}

#[test]
fn without_a_jail_the_attempts_succeed_because_otherwise_they_would_show_nothing() {
    let outside = Outside::new();
    let may_all = may_try_everything();
    for attempt in &outside.attempts {
        let Attempt { name, arguments, .. } = attempt;
        if !attempt.is_everyones && !may_all {
            skipped(&format!("{name} {arguments:?} may be root's alone"));
            continue;
        }
        let came_of_it = outside.try_it(attempt, "");
        if MAY_BE_LEFT_OUT.contains(name) && LEFT_OUT.iter().any(|error| came_of_it.ends_with(error)) {
            skipped(&format!("this kernel has no {name}"));
            continue;
        }
        assert_eq!(came_of_it, "done", "{name} {arguments:?}");
    }
}

#[test]
fn an_attempt_that_there_is_not_is_no_refusal() {
    for misused in [&["no-such-attempt"][..], &["read"], &["signal", "x"]] {
        let came_of_it = outcome(&probe("", &[&[PROBE], misused].concat()));
        assert!(!is_prevented(&came_of_it), "{misused:?}: {came_of_it}");
        assert!(came_of_it.contains("the probe was misused"), "{came_of_it}");
    }
}

#[test]
fn what_workerd_needs_works_within_all_of_them() {
    let all = layers().join(",");
    for name in ["thread", "random"] {
        assert_eq!(outcome(&probe(&all, &[PROBE, name])), "done", "{name}");
    }
    // The backing server, by the number of its descriptor.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let name = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
    let program = [PROBE, "connect-descriptor", "{fd:0}"];
    let output = start(&mut launcher(&format!("must:{all}"), &program), &[name.as_fd()]);
    assert_eq!(outcome(&output), "done", "{}", text(&output.stderr));
}

/// What some kernels, file systems and containers lack. Whether they do is their word: no such call, operation, family
/// of addresses.
const MAY_BE_LEFT_OUT: [&str; 9] = [
    "vsock",
    "io_uring",
    "bpf",
    "performance",
    "userfaultfd",
    "key",
    "packet",
    "attribute",
    "clone3",
];

const LEFT_OUT: [&str; 3] = ["(os error 38)", "(os error 95)", "(os error 97)"];

/// Whether this process may try all that root may: no container's filter, none of these capabilities taken away.
fn may_try_everything() -> bool {
    use rustix::thread::CapabilitySet;
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SYS_PTRACE
        | CapabilitySet::NET_RAW
        | CapabilitySet::KILL
        | CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = rustix::thread::capabilities(None).unwrap().effective;
    held.contains(needed) && status.lines().any(|line| line == "Seccomp:\t0")
}
