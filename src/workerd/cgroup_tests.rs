//! On folders that stand for the tree. On the kernel's own: `__test__/limits/cgroups.spec.ts`.

use super::*;

const MOUNTS: &str = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n\
                      40 31 0:30 / /tmp rw - tmpfs tmpfs rw\n";

/// A folder that stands for the mount, with a service whose part of the tree is delegated or not.
fn tree(is_delegated: bool) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    let service = tree.path().join("system.slice/site.service");
    fs::create_dir_all(service.join("main")).unwrap();
    if is_delegated {
        fs::write(service.join("cgroup.subtree_control"), "").unwrap();
    }
    tree
}

#[test]
fn the_tree_is_found_where_it_is_mounted() {
    assert_eq!(mount_of(MOUNTS), Some("/sys/fs/cgroup".into()));
    assert_eq!(mount_of("40 31 0:30 / /tmp rw - tmpfs tmpfs rw\n"), None);
    assert_eq!(mount_of("nonsense - cgroup2 x"), None);
}

#[test]
fn a_process_is_held_beside_its_host_and_let_go_with_its_end() {
    let tree = tree(true);
    let delegation = Delegation::within(
        tree.path(),
        "0::/system.slice/site.service/main\n",
        |_| false,
        false,
    )
    .unwrap();
    let service = tree.path().join("system.slice/site.service");
    assert_eq!(
        fs::read_to_string(service.join("cgroup.subtree_control")).unwrap(),
        "+memory +pids"
    );
    let cgroup = delegation.hold(4711, 128 * 1024 * 1024).unwrap();
    let folder = cgroup.0.clone();
    assert_eq!(folder.parent(), Some(service.as_path()));
    let read = |file| fs::read_to_string(folder.join(file)).unwrap();
    assert_eq!(
        (read("memory.max").as_str(), read("cgroup.procs").as_str()),
        ("268435456", "4711")
    );
    assert!(!cgroup.is_out_of_memory());
    fs::write(folder.join("memory.events"), "low 0\noom 1\noom_kill 1\n").unwrap();
    assert!(cgroup.is_out_of_memory());
    for file in fs::read_dir(&folder).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    drop(cgroup);
    assert!(!folder.exists());
}

#[test]
fn names_that_a_killed_host_of_the_same_number_has_left_are_passed_over() {
    let tree = tree(true);
    let service = tree.path().join("system.slice/site.service");
    for number in 0..200 {
        fs::create_dir(service.join(format!("{PREFIX}{}-{number}", std::process::id()))).unwrap();
    }
    let own = "0::/system.slice/site.service/main\n";
    let delegation = Delegation::within(tree.path(), own, |_| false, false).unwrap();
    let (one, two) = (delegation.hold(1, 1).unwrap(), delegation.hold(2, 1).unwrap());
    assert_ne!(one.0, two.0);
    assert!(!delegation.is_failing());
}

#[test]
fn a_part_of_the_tree_that_can_not_be_used_says_so_until_it_can() {
    let tree = tree(true);
    let service = tree.path().join("system.slice/site.service");
    let own = "0::/system.slice/site.service/main\n";
    let delegation = Delegation::within(tree.path(), own, |_| false, false).unwrap();
    assert!(!delegation.is_failing());
    let aside = tree.path().join("aside");
    fs::rename(&service, &aside).unwrap();
    assert!(delegation.hold(4711, 1).is_err() && delegation.is_failing());
    fs::rename(&aside, &service).unwrap();
    assert!(delegation.hold(4711, 1).is_ok() && !delegation.is_failing());
}

#[test]
fn without_a_delegation_nothing_is_done() {
    let tree_without = tree(false);
    for own in [
        "0::/system.slice/site.service/main\n",
        "0::/\n",
        "0::/main\n",
        "4:memory:/x\n",
        "",
    ] {
        let found = Delegation::within(tree_without.path(), own, |_| false, false);
        assert!(found.is_none(), "{own:?}");
    }
    assert_eq!(fs::read_dir(tree_without.path()).unwrap().count(), 1);
    let delegated = tree(true);
    let found = Delegation::within(delegated.path(), "0::/../../etc/x\n", |_| false, false);
    assert!(found.is_none());
}

#[test]
fn a_part_that_root_could_write_to_and_nobody_gave_away_is_left_alone() {
    let tree = tree(true);
    let own = "0::/system.slice/site.service/main\n";
    assert!(Delegation::within(tree.path(), own, |_| false, true).is_none());
    let service = tree.path().join("system.slice/site.service");
    assert_eq!(
        fs::read_to_string(service.join("cgroup.subtree_control")).unwrap(),
        ""
    );
    assert!(!is_noted(&service));
}

#[test]
fn a_part_that_was_given_to_root_is_used() {
    let tree = tree(true);
    let service = tree.path().join("system.slice/site.service");
    let own = "0::/system.slice/site.service/main\n";
    let delegation = Delegation::within(tree.path(), own, |folder| folder == service, true).unwrap();
    assert_eq!(delegation.folder, service);
}

#[test]
fn a_slice_is_systemds_own_also_where_a_user_may_write() {
    let tree = tree(false);
    let slice = tree.path().join("system.slice");
    fs::write(slice.join("cgroup.subtree_control"), "").unwrap();
    let own = "0::/system.slice/site.service\n";
    assert!(Delegation::within(tree.path(), own, |_| false, false).is_none());
    assert_eq!(
        fs::read_to_string(slice.join("cgroup.subtree_control")).unwrap(),
        ""
    );
}

/// The kernel empties `cgroup.procs` as processes leave; here it is empty, or stays as it is.
#[test]
fn a_host_in_the_very_cgroup_that_was_given_away_makes_way_for_its_plugins() {
    let own = "0::/system.slice/site.service\n";
    for (controllers, processes, is_used) in [
        ("cpu memory pids", "", true),
        ("cpu memory pids", "4711\n4712\n", false),
        ("cpu", "", false),
    ] {
        let tree = tree(true);
        let service = tree.path().join("system.slice/site.service");
        fs::write(service.join("cgroup.controllers"), controllers).unwrap();
        fs::write(service.join("cgroup.procs"), processes).unwrap();
        let found = Delegation::within(tree.path(), own, |folder| folder == service, false);
        assert_eq!(found.map(|found| found.folder), is_used.then(|| service.clone()));
        let control = fs::read_to_string(service.join("cgroup.subtree_control")).unwrap();
        assert_eq!(control, if is_used { "+memory +pids" } else { "" });
        let moved = fs::read_to_string(service.join("main/cgroup.procs")).ok();
        assert_eq!(moved.is_some(), !processes.is_empty());
    }
}

#[test]
fn only_what_a_host_left_that_is_no_more_is_removed() {
    let tree = tree(true);
    let service = tree.path().join("system.slice/site.service");
    let own = format!("{PREFIX}{}-0", std::process::id());
    let (dead, other) = (format!("{PREFIX}4194304-0"), "emdash-other");
    for name in [own.as_str(), &dead, other, "emdash-sandbox-x-1"] {
        fs::create_dir(service.join(name)).unwrap();
    }
    Delegation::within(
        tree.path(),
        "0::/system.slice/site.service/main\n",
        |_| false,
        false,
    )
    .unwrap();
    let is_left = |name: &str| service.join(name).exists();
    assert!(is_left(&own) && is_left(other) && is_left("emdash-sandbox-x-1"));
    assert!(!is_left(&dead), "no process has a number past the highest");
}
