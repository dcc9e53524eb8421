//! The program that this process becomes: its path, its arguments, its environment.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::sys::Hidden;

pub(crate) struct Program {
    path: Hidden,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program {
    /// With this process's own environment.
    pub(crate) fn new(path: OsString, arguments: impl Iterator<Item = OsString>) -> io::Result<Self> {
        let environment = std::env::vars_os().map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend(value.into_vec());
            CString::new(entry)
        });
        let first = CString::new(path.into_vec())?;
        let rest = arguments.map(|argument| CString::new(argument.into_vec()));
        Ok(Self {
            path: Hidden::new(&first)?,
            environment: environment.collect::<Result<_, _>>()?,
            arguments: std::iter::once(Ok(first)).chain(rest).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.path.text().to_bytes()))
    }

    /// The address of the path that [`Self::execute`] hands to the kernel. Nothing else is there.
    pub(crate) fn path_address(&self) -> u64 {
        self.path.address()
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let entries = self.environment.iter().map(|entry| entry.as_bytes());
        entries
            .filter_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
            .map(OsStr::from_bytes)
            .next()
    }

    /// Returns only when it failed.
    pub(crate) fn execute(&self) -> io::Error {
        crate::sys::execute(&self.path, &self.arguments, &self.environment)
    }
}
