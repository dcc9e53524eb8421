//! What an ELF file says of how it is linked. Only what the loader reads too, and only of 64-bit little-endian files.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub(super) struct Elf {
    file: File,
    segments: Vec<Segment>,
}

#[derive(Debug, Default)]
pub(super) struct Linked {
    /// The loader.
    pub(super) interpreter: Option<PathBuf>,
    /// Names of libraries.
    pub(super) needed: Vec<OsString>,
    /// Folders that the file itself names.
    pub(super) run_path: Vec<OsString>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

const HEADER_BYTES: usize = 64;
const SEGMENT_BYTES: usize = 56;
const ENTRY_BYTES: usize = 16;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

/// Past what any of these is: a file that says more is not one to be trusted.
const MAX_SEGMENTS: u16 = 256;
const MAX_DYNAMIC_BYTES: u64 = 64 * 1024;
const MAX_STRING_BYTES: usize = 4096;

impl Elf {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let header: [u8; HEADER_BYTES] = read(&file, 0)?;
        // Magic number, 64 bits, little-endian.
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return Err(invalid(
                "it is no program of this machine; a script can't be jailed",
            ));
        }
        let (offset, size, count) = (u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56));
        if usize::from(size) != SEGMENT_BYTES || count > MAX_SEGMENTS {
            return Err(invalid("its program headers make no sense"));
        }
        let segments = (0..u64::from(count)).map(|index| {
            let at = offset.saturating_add(index * SEGMENT_BYTES as u64);
            let bytes: [u8; SEGMENT_BYTES] = read(&file, at)?;
            Ok(Segment {
                kind: u32_at(&bytes, 0),
                offset: u64_at(&bytes, 8),
                address: u64_at(&bytes, 16),
                size: u64_at(&bytes, 32),
            })
        });
        Ok(Self {
            segments: segments.collect::<io::Result<_>>()?,
            file,
        })
    }

    pub(super) fn linked(&self) -> io::Result<Linked> {
        let mut linked = Linked::default();
        if let Some(segment) = self.segment(PT_INTERP) {
            linked.interpreter = Some(self.string(segment.offset)?.into());
        }
        let entries = self.dynamic()?;
        let Some(strings) = entries.iter().find(|(tag, _)| *tag == DT_STRTAB) else {
            return Ok(linked);
        };
        let strings = self.offset_of(strings.1)?;
        for (tag, value) in entries {
            let text = || self.string(strings.saturating_add(value));
            match tag {
                DT_NEEDED => linked.needed.push(text()?),
                DT_RPATH | DT_RUNPATH => {
                    let folders = text()?;
                    let folders = folders.as_bytes().split(|byte| *byte == b':');
                    linked
                        .run_path
                        .extend(folders.map(|folder| OsStr::from_bytes(folder).to_owned()));
                }
                _ => {}
            }
        }
        Ok(linked)
    }

    fn dynamic(&self) -> io::Result<Vec<(u64, u64)>> {
        let Some(segment) = self.segment(PT_DYNAMIC) else {
            return Ok(Vec::new());
        };
        let size = usize::try_from(segment.size.min(MAX_DYNAMIC_BYTES)).unwrap_or_default();
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, segment.offset)?;
        let entries = bytes
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| (u64_at(entry, 0), u64_at(entry, 8)));
        // The list ends with a tag of zero.
        Ok(entries.take_while(|(tag, _)| *tag != 0).collect())
    }

    fn segment(&self, kind: u32) -> Option<Segment> {
        self.segments.iter().copied().find(|segment| segment.kind == kind)
    }

    /// Where in the file an address of the loaded program lies.
    fn offset_of(&self, address: u64) -> io::Result<u64> {
        let loaded = self.segments.iter().filter(|segment| segment.kind == PT_LOAD);
        loaded
            .filter_map(|segment| Some((segment, address.checked_sub(segment.address)?)))
            .find(|(segment, distance)| *distance < segment.size)
            .and_then(|(segment, distance)| segment.offset.checked_add(distance))
            .ok_or_else(|| invalid("its list of libraries lies outside of it"))
    }

    fn string(&self, offset: u64) -> io::Result<OsString> {
        let mut bytes = vec![0; MAX_STRING_BYTES];
        let length = self.file.read_at(&mut bytes, offset)?;
        let end = bytes[..length].iter().position(|byte| *byte == 0);
        bytes.truncate(end.ok_or_else(|| invalid("one of its names has no end"))?);
        Ok(OsString::from_vec(bytes))
    }
}

fn read<const SIZE: usize>(file: &File, offset: u64) -> io::Result<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    match file.read_exact_at(&mut bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(invalid(
            "it is no program of this machine; a script can't be jailed",
        )),
        Err(error) => Err(error),
        Ok(()) => Ok(bytes),
    }
}

/// Callers know that the bytes are there.
fn bytes_at<const SIZE: usize>(bytes: &[u8], at: usize) -> [u8; SIZE] {
    std::array::from_fn(|index| bytes[at + index])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_program_is_linked_to_a_loader_and_the_c_library() {
        let linked = Elf::open(&std::env::current_exe().unwrap())
            .unwrap()
            .linked()
            .unwrap();
        assert!(
            linked.interpreter.as_deref().is_some_and(Path::exists),
            "{linked:?}"
        );
        assert!(linked.needed.iter().any(|name| name == "libc.so.6"), "{linked:?}");
    }

    #[test]
    fn a_script_and_an_empty_file_are_no_programs() {
        let script = tempfile::NamedTempFile::new().unwrap();
        for text in ["#!/bin/sh\nexit 0\n", "", "\x7fELF\x02\x01"] {
            std::fs::write(script.path(), text).unwrap();
            let error = Elf::open(script.path()).err().unwrap();
            assert!(error.to_string().contains("a script can't be jailed"), "{error}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic_because_the_file_is_the_owners_but_may_be_damaged() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let damaged = tempfile::NamedTempFile::new().unwrap();
        for length in [63, 64, 65, 100, 500, 4096] {
            for fill in [0, 0x7f, 0xff] {
                let mut bytes = whole[..length.min(whole.len())].to_vec();
                bytes.iter_mut().skip(32).step_by(3).for_each(|byte| *byte = fill);
                std::fs::write(damaged.path(), &bytes).unwrap();
                let _ = Elf::open(damaged.path()).and_then(|elf| elf.linked());
            }
        }
    }
}
