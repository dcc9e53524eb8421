//! Which files a program is made of besides itself: its loader, and the libraries that the loader will find.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::elf::{Elf, Linked};
use crate::program::Program;

#[derive(Debug, Default)]
pub(super) struct MadeOf {
    pub(super) loader: Option<PathBuf>,
    pub(super) libraries: BTreeSet<PathBuf>,
}

/// Where loaders look without being told, on the distributions that glibc is on.
#[cfg(target_arch = "x86_64")]
const FOLDERS: [&str; 6] = [
    "/lib64",
    "/usr/lib64",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib",
    "/usr/lib",
];
#[cfg(not(target_arch = "x86_64"))]
const FOLDERS: [&str; 6] = [
    "/lib64",
    "/usr/lib64",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib",
    "/usr/lib",
];

/// glibc loads it by name when a thread is cancelled or a stack is traced.
const LOADED_LATER: &str = "libgcc_s.so.1";

pub(super) fn of(program: &Program) -> io::Result<MadeOf> {
    let linked = Elf::open(program.path())
        .and_then(|elf| elf.linked())
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{} can't be jailed: {error}", program.path().display()),
            )
        })?;
    let mut search = Search {
        folders: folders(program, &linked),
        seen: BTreeSet::new(),
        found: MadeOf::default(),
    };
    search.found.loader.clone_from(&linked.interpreter);
    search.follow(program.path(), linked);
    search.add(LOADED_LATER.as_ref(), &[]);
    Ok(search.found)
}

fn folders(program: &Program, linked: &Linked) -> Vec<PathBuf> {
    let told = program.variable("LD_LIBRARY_PATH").unwrap_or_default();
    let told = told.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
    // A loader knows its own folder: that of its C library.
    let loader = linked
        .interpreter
        .as_deref()
        .and_then(|path| path.canonicalize().ok());
    let loaders = loader.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let mut folders: Vec<PathBuf> = told
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .collect();
    folders.extend(loaders);
    folders.extend(FOLDERS.map(PathBuf::from));
    // Most of them are links to one another.
    let mut folders: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| folder.canonicalize().ok())
        .collect();
    let mut seen = BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

struct Search {
    folders: Vec<PathBuf>,
    seen: BTreeSet<Box<OsStr>>,
    found: MadeOf,
}

impl Search {
    fn follow(&mut self, object: &Path, linked: Linked) {
        let origin = object.parent().unwrap_or(Path::new("/"));
        let own: Vec<PathBuf> = linked
            .run_path
            .iter()
            .map(|folder| expand(folder, origin))
            .collect();
        for name in &linked.needed {
            self.add(name, &own);
        }
    }

    /// Every file of that name, since which of them the loader takes is for its cache to say.
    fn add(&mut self, name: &OsStr, own: &[PathBuf]) {
        if !self.seen.insert(name.into()) {
            return;
        }
        let places = own.iter().chain(&self.folders).map(|folder| folder.join(name));
        let there: Vec<PathBuf> = places.filter(|path| path.is_file()).collect();
        if let Some((first, linked)) = there
            .first()
            .and_then(|path| Some((path, Elf::open(path).ok()?.linked().ok()?)))
        {
            self.follow(&first.clone(), linked);
        }
        self.found.libraries.extend(there);
    }
}

fn expand(folder: &OsStr, origin: &Path) -> PathBuf {
    let text = folder.to_string_lossy();
    PathBuf::from(
        text.replace("${ORIGIN}", "$ORIGIN")
            .replace("$ORIGIN", &origin.to_string_lossy()),
    )
}
