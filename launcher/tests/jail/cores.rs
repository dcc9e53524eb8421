//! Cores, which would hold the plugin's data.

use std::os::unix::process::ExitStatusExt;

use super::support::{LAUNCHER, PROBE, skipped, text};
use super::{outcome, probe, started};

#[test]
fn no_core_is_dumped_because_it_would_hold_the_plugins_data() {
    let dump = |layer| {
        let folder = tempfile::tempdir().unwrap();
        let output = probe(layer, &[PROBE, "core", folder.path().to_str().unwrap()]);
        assert_eq!(output.status.signal(), Some(6), "it aborts: {}", outcome(&output));
        let is_in_folder = std::fs::read_dir(folder.path()).unwrap().count() > 0;
        output.status.core_dumped() || is_in_folder
    };
    assert!(!dump("limits"));
    // The same without the layer, where this machine writes cores into folders at all.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Core).maximum;
    if pattern.contains(['|', '@', '/']) || allowed.is_some_and(|bytes| bytes < 1 << 20) {
        skipped("that it is dumped without the layer, since this machine keeps no cores");
        return;
    }
    assert!(dump(""), "without the layer there is one");
}

#[test]
fn a_core_that_a_program_is_told_has_no_memory_also_where_the_limit_can_only_be_zero() {
    let this = std::process::id().to_string();
    let jailed = |without: &[&str]| {
        let mut command = std::process::Command::new("/bin/sh");
        command
            .args(["-c", "ulimit -c 0; exec \"$@\"", "sh"])
            .args(without);
        command.args([LAUNCHER, &this, "must:limits", "/bin/cat"]);
        command.args(["/proc/self/coredump_filter", "/proc/self/limits"]);
        let output = started(&mut command);
        let said = text(&output.stdout);
        assert!(said.starts_with("00000000\n"), "{said}{}", text(&output.stderr));
        let core = said.lines().find(|line| line.starts_with("Max core file size"));
        core.unwrap().split_whitespace().nth(4).unwrap().to_owned()
    };
    if !rustix::process::geteuid().is_root() {
        assert_eq!(jailed(&[]), "0");
        return;
    }
    assert_eq!(jailed(&["setpriv", "--bounding-set=-sys_resource", "--"]), "0");
    if rustix::thread::capability_is_in_bounding_set(rustix::thread::CapabilitySet::SYS_RESOURCE).unwrap() {
        assert_eq!(jailed(&[]), "1", "root raises it");
    }
}
