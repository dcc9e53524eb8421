//! Who is jailed: nobody as well as root, and root without its capabilities.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::support::{LAUNCHER, PROBE, skipped, text};
use super::{layers, outcome, started};

#[test]
fn nobody_is_jailed_as_well_as_root() {
    if !rustix::process::geteuid().is_root() {
        skipped("as nobody, since the other tests run as somebody already");
        return;
    }
    // Where nobody may execute them.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let [launcher, probe] = [LAUNCHER, PROBE].map(|program| {
        let copy = folder.path().join(Path::new(program).file_name().unwrap());
        std::fs::copy(program, &copy).unwrap();
        copy
    });
    for (attempt, expected) in [
        ("thread", "done"),
        ("netlink", "refused: "),
        ("bpf", "ended by signal 31"),
    ] {
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&launcher)
            .arg(std::process::id().to_string())
            .arg(format!("must:{}", layers().join(",")))
            .args([probe.as_os_str(), attempt.as_ref()]);
        let output = started(&mut command);
        let came_of_it = outcome(&output);
        assert!(came_of_it.starts_with(expected), "{attempt}: {came_of_it}");
    }
}

#[test]
fn a_program_that_only_a_capability_reaches_keeps_that_one_or_is_not_started_as_the_launcher_was_told() {
    if !rustix::process::geteuid().is_root() {
        skipped("a capability that is kept, since only root has one");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("probe");
    std::fs::copy(PROBE, &copy).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
    // Of the two that reach it the lesser is kept, if there is one: containers give their root only the greater.
    let has_lesser =
        rustix::thread::capability_is_in_bounding_set(rustix::thread::CapabilitySet::DAC_READ_SEARCH);
    let mut cases = vec![("-dac_read_search", "CAP_DAC_OVERRIDE")];
    if has_lesser.unwrap() {
        cases.push(("-mknod", "CAP_DAC_READ_SEARCH"));
    }
    for (lacking, kept) in cases {
        let jailed = |jail| {
            let mut command = std::process::Command::new("setpriv");
            command.args([&format!("--bounding-set={lacking}"), "--", LAUNCHER]);
            command.arg(std::process::id().to_string()).arg(jail);
            command.arg(&copy).arg("thread");
            started(&mut command)
        };
        let refused = jailed("must:capabilities");
        assert_eq!(refused.status.code(), Some(127));
        let told = text(&refused.stderr);
        assert!(told.contains(&format!("{kept} is left")), "{lacking}: {told}");

        let output = jailed("try:capabilities");
        assert_eq!(outcome(&output), "done");
        let told = text(&output.stderr);
        assert!(told.contains("let others read its folder"), "{lacking}: {told}");
    }
}
