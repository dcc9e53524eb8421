//! What can't have all layers, of the kernel's fault or the program's: it is started without, or not at all.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::support::{LAUNCHER, PROBE, launcher, skipped, text};
use super::{is_prevented, layers, outcome, probe, started};

#[test]
fn a_kernel_that_lacks_a_layer_starts_the_program_without_it_or_not_at_all_as_it_was_told() {
    let there = layers();
    let jailed = |lack: &str, policy: &str, attempt: &[&str]| {
        let jail = format!("{policy}:{}", there.join(","));
        let this = std::process::id().to_string();
        let mut command = std::process::Command::new(PROBE);
        command
            .args(["without", lack, LAUNCHER, &this, &jail, PROBE])
            .args(attempt);
        started(&mut command)
    };
    for (lack, missing) in [
        ("landlock", &["scope", "network", "files"][..]),
        ("forbidden:landlock", &["scope", "network", "files"]),
        ("landlock-rules", &["files"]),
        ("seccomp", &["calls"]),
        ("landlock,seccomp", &["scope", "network", "files", "calls"]),
    ] {
        let missing: Vec<_> = missing.iter().filter(|layer| there.contains(layer)).collect();
        let output = jailed(lack, "try", &["thread"]);
        assert_eq!(outcome(&output), "done", "{lack}: {}", text(&output.stderr));
        for layer in &missing {
            let word = format!("the jail lacks its layer {layer}: ");
            assert!(
                text(&output.stderr).contains(&word),
                "{lack}: {}",
                text(&output.stderr)
            );
        }
        assert_eq!(text(&output.stderr).lines().count(), missing.len(), "{lack}");
        let refused = jailed(lack, "must", &["thread"]);
        assert_eq!(
            (refused.status.code(), text(&refused.stdout).as_str()),
            (Some(127), ""),
            "{lack}"
        );
        assert!(text(&refused.stderr).contains("can't jail workerd: the jail lacks its layer"));
    }
    // What is left holds.
    assert!(is_prevented(&outcome(&jailed("landlock", "try", &["netlink"]))));
    assert!(is_prevented(&outcome(&jailed(
        "seccomp",
        "try",
        &["read", "/etc/passwd"]
    ))));
}

#[test]
fn a_script_is_refused_with_the_reason_because_its_interpreter_would_be_another_program() {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), "#!/bin/sh\necho done\n").unwrap();
    let output = probe("files", &[script.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(127));
    assert!(
        text(&output.stderr).contains("a script can't be jailed"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_script_costs_the_layer_that_it_can_not_have_and_no_other() {
    let there = layers();
    let asked: Vec<_> = ["files", "network", "scope"]
        .into_iter()
        .filter(|layer| there.contains(layer))
        .collect();
    if asked.len() == 1 {
        skipped("this kernel's Landlock has no layer but files");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), format!("#!/bin/sh\nexec {PROBE} tcp {address}\n")).unwrap();
    std::fs::set_permissions(script.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let script = script.into_temp_path();
    let output = started(&mut launcher(
        &format!("try:{}", asked.join(",")),
        &[script.as_os_str()],
    ));
    let told = text(&output.stderr);
    assert_eq!(told.matches("the jail lacks its layer").count(), 1, "{told}");
    assert!(told.contains("the jail lacks its layer files: "), "{told}");
    assert!(outcome(&output).starts_with("refused: "), "{}", outcome(&output));
}
