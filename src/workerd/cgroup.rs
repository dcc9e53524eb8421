//! A cgroup (version 2) of its own for each process, where the host has been delegated a part of the tree: then the kernel
//! also counts memory that no process limit knows, such as page tables and socket buffers.
//!
//! A cgroup that has processes in it may not hand controllers on to children (cgroups(7), "no internal processes"), so
//! Node's own has to be a leaf: under systemd, `Delegate=memory pids` with `DelegateSubgroup=main`. Then ours are made
//! beside it. Nothing of this needs root; where it is not so, nothing is done.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// workerd's file pages that are charged to whoever touched them first, and the kernel's own for a process: 40 MB and
/// some. The other limits are exact; this one has to catch what they can't see.
const OTHER_MEMORY: u64 = 128 * 1024 * 1024;

/// Threads of a plugin's process. workerd has two, and some more while it starts and ends.
const MAX_TASKS: u32 = 64;

const PREFIX: &str = "emdash-sandbox-";

/// A folder of the tree in which cgroups for processes can be made.
#[derive(Debug)]
pub(crate) struct Delegation {
    folder: PathBuf,
    is_failing: AtomicBool,
}

/// The cgroup of one process; removed on drop, which has to be after the process's end.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Delegation {
    /// That of this process, where it has one.
    pub(crate) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::within(&mount_of(&mounts)?, &own, is_delegated)
    }

    fn within(mount: &Path, own: &str, is_delegated: impl Fn(&Path) -> bool) -> Option<Self> {
        let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        // The cgroup beside which ours are made; the tree's own root belongs to the system.
        let parent = mount.join(path).parent()?.to_owned();
        if path.is_empty() || parent == mount || !parent.starts_with(mount) {
            return None;
        }
        if !is_delegated(&parent) {
            return None;
        }
        let enabled = fs::OpenOptions::new()
            .write(true)
            .open(parent.join("cgroup.subtree_control"))
            .and_then(|mut file| io::Write::write_all(&mut file, b"+memory +pids"));
        enabled.ok()?;
        // What a host that was killed has left.
        for left in fs::read_dir(&parent).ok()?.flatten() {
            if left.file_name().to_str().is_some_and(is_left_behind) {
                // Only an empty one can be removed.
                let _ = fs::remove_dir(left.path());
            }
        }
        Some(Self {
            folder: parent,
            is_failing: AtomicBool::new(false),
        })
    }

    /// Whether no cgroup could be made the last time.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Puts a process that has not begun to serve into a cgroup of its own.
    pub(crate) fn hold(&self, process_id: u32, memory_limit: u64) -> io::Result<Cgroup> {
        let held = self.try_to_hold(process_id, memory_limit);
        self.is_failing.store(held.is_err(), Ordering::Relaxed);
        held
    }

    fn try_to_hold(&self, process_id: u32, memory_limit: u64) -> io::Result<Cgroup> {
        let cgroup = Cgroup(self.new_folder()?);
        cgroup.write("memory.max", memory_limit + OTHER_MEMORY)?;
        // What is swapped out is not counted: it would be a way around the limit. Absent on systems without swap.
        let _ = cgroup.write("memory.swap.max", 0);
        cgroup.write("pids.max", MAX_TASKS)?;
        cgroup.write("cgroup.procs", process_id)?;
        Ok(cgroup)
    }
}

impl Delegation {
    /// In a container Node has the same number each time, so what a host that was killed has left there may have a name
    /// of ours: then the next one is taken.
    fn new_folder(&self) -> io::Result<PathBuf> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = LAST.fetch_add(1, Ordering::Relaxed);
            let folder = self
                .folder
                .join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| folder),
            }
        }
    }
}

impl Cgroup {
    /// Whether the kernel ended the process because it had used all.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0")
    }

    fn write(&self, file: &str, value: impl std::fmt::Display) -> io::Result<()> {
        fs::write(self.0.join(file), value.to_string())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // In the kernel's tree a folder goes with its files. Should its process not have been reaped yet, it stays, and
        // the next host removes it.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Whether somebody has given this part of the tree away, as systemd notes with `Delegate=` (systemd.resource-control(5)).
/// Root could write anywhere, and would take a part from whoever manages it; for others being allowed to write tells.
fn is_delegated(folder: &Path) -> bool {
    let noted = ["user.delegate", "trusted.delegate"].into_iter().any(|note| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, note, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    });
    noted || !rustix::process::geteuid().is_root()
}

/// Whether a folder is of a host that is no more. Its name has the host's process id.
fn is_left_behind(name: &str) -> bool {
    let host = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
    host.is_some_and(|host| !Path::new("/proc").join(host.to_string()).exists())
}

/// Where the tree of version 2 is mounted (proc(5), mountinfo: the fifth field, and the type after the dash).
fn mount_of(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        kind.starts_with("cgroup2 ")
            .then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
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
        let delegation =
            Delegation::within(tree.path(), "0::/system.slice/site.service/main\n", |_| true).unwrap();
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
        let delegation = Delegation::within(tree.path(), own, |_| true).unwrap();
        let (one, two) = (delegation.hold(1, 1).unwrap(), delegation.hold(2, 1).unwrap());
        assert_ne!(one.0, two.0);
        assert!(!delegation.is_failing());
    }

    #[test]
    fn a_part_of_the_tree_that_can_not_be_used_says_so_until_it_can() {
        let tree = tree(true);
        let service = tree.path().join("system.slice/site.service");
        let own = "0::/system.slice/site.service/main\n";
        let delegation = Delegation::within(tree.path(), own, |_| true).unwrap();
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
            let found = Delegation::within(tree_without.path(), own, |_| true);
            assert!(found.is_none(), "{own:?}");
        }
        assert_eq!(fs::read_dir(tree_without.path()).unwrap().count(), 1);
        let delegated = tree(true);
        let found = Delegation::within(delegated.path(), "0::/../../etc/x\n", |_| true);
        assert!(found.is_none());
    }

    #[test]
    fn a_part_that_root_could_write_to_and_nobody_gave_away_is_left_alone() {
        let tree = tree(true);
        let own = "0::/system.slice/site.service/main\n";
        assert!(Delegation::within(tree.path(), own, |_| false).is_none());
        let service = tree.path().join("system.slice/site.service");
        assert_eq!(
            fs::read_to_string(service.join("cgroup.subtree_control")).unwrap(),
            ""
        );
        assert_eq!(is_delegated(&service), !rustix::process::geteuid().is_root());
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
        Delegation::within(tree.path(), "0::/system.slice/site.service/main\n", |_| true).unwrap();
        let is_left = |name: &str| service.join(name).exists();
        assert!(is_left(&own) && is_left(other) && is_left("emdash-sandbox-x-1"));
        assert!(!is_left(&dead), "no process has a number past the highest");
    }
}
