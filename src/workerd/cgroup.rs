//! A cgroup (version 2) of its own for each process, where the host has been delegated a part of the tree: then the kernel
//! also counts memory that no process limit knows, such as page tables and socket buffers.
//!
//! A cgroup that has processes in it may not hand controllers on to children (cgroups(7), "no internal processes"), so
//! Node's own has to be a leaf, and ours are made beside it. With `DelegateSubgroup=main` systemd starts it in one. Before
//! version 254 (Debian 12, Ubuntu 22.04) it can't, and leaves that to whoever has been given the part of the tree: then we do
//! it. Nothing of this needs root; where it is not so, nothing is done.

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

/// Where the host's own processes go when they stand in the way; the name that our unit gives the subgroup.
const LEAF: &str = "main";

/// A process may start others while we move it.
const MOVES: usize = 10;

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
        let is_root = rustix::process::geteuid().is_root();
        Self::within(&mount_of(&mounts)?, &own, is_noted, is_root)
    }

    /// What is noted as given away is used as it was meant. Without a note, as before systemd 251, being allowed to write tells;
    /// but root may write anywhere, and would take a part from whoever manages it, and a slice is always systemd's, also
    /// that of a user's own (systemd.resource-control(5), `Delegate=`).
    fn within(mount: &Path, own: &str, is_noted: impl Fn(&Path) -> bool, is_root: bool) -> Option<Self> {
        let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        if path.is_empty() || path.split('/').any(|part| part == "..") {
            return None;
        }
        let own = mount.join(path);
        if is_noted(&own) {
            return make_way(&own).and_then(|()| Self::of(own)).ok();
        }
        // The tree's own root belongs to the system.
        let parent = own.parent().filter(|parent| *parent != mount)?;
        let is_slice = parent.extension().is_some_and(|kind| kind == "slice");
        if is_noted(parent) || !(is_slice || is_root) {
            return Self::of(parent.to_owned()).ok();
        }
        None
    }

    fn of(folder: PathBuf) -> io::Result<Self> {
        enable(&folder)?;
        // What a host that was killed has left.
        for left in fs::read_dir(&folder)?.flatten() {
            if left.file_name().to_str().is_some_and(is_left_behind) {
                // Only an empty one can be removed.
                let _ = fs::remove_dir(left.path());
            }
        }
        Ok(Self {
            folder,
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

/// Has the cgroups in `folder` bounded, each by its own files.
fn enable(folder: &Path) -> io::Result<()> {
    // Not `fs::write`: a folder that is no cgroup has no such file, and is to get none.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(folder.join("cgroup.subtree_control"))?;
    io::Write::write_all(&mut file, b"+memory +pids")
}

/// Moves all processes of a cgroup, which are the host and what it was started by, into a leaf of it.
fn make_way(own: &Path) -> io::Result<()> {
    let given = fs::read_to_string(own.join("cgroup.controllers"))?;
    let has = |name| given.split_whitespace().any(|controller| controller == name);
    if !(has("memory") && has("pids")) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let leaf = own.join(LEAF);
    match fs::create_dir(&leaf) {
        // Another process of the host is doing the same.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    for _ in 0..MOVES {
        let processes = fs::read_to_string(own.join("cgroup.procs"))?;
        if processes.is_empty() {
            return Ok(());
        }
        for process in processes.lines() {
            match fs::write(leaf.join("cgroup.procs"), process) {
                // It has ended meanwhile.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
                moved => moved?,
            }
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Whether somebody has given this part of the tree away, as systemd notes with `Delegate=` (systemd.resource-control(5)).
fn is_noted(folder: &Path) -> bool {
    // Before version 251 systemd left only the second, which only root can read.
    ["user.delegate", "trusted.delegate"].into_iter().any(|note| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, note, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
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
#[path = "cgroup_tests.rs"]
mod tests;
