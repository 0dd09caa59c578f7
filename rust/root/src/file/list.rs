//! A page of a folder, in byte order of names, in bounded memory however many there are.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;

use osmoda_types::{Code, Problem};
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};
use serde::{Deserialize, Serialize};

use super::place::{Place, looks};
use super::{FileAnswer, Looks, failed};

/// One name in a folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name's bytes as hex: names need not be text.
    pub name_hex: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a regular file.
    pub size: u64,
    /// Owner, mode and times.
    pub looks: Looks,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device.
    Special,
}

pub(super) fn list(place: &Place, after: Option<&str>, limit: usize) -> Result<FileAnswer, Problem> {
    let after = match after {
        None => Vec::new(),
        Some(hex) => data_encoding::HEXLOWER
            .decode(hex.as_bytes())
            .map_err(|_| Problem::new(Code::RequestField).at("/after", "is not from a page of this list"))?,
    };
    let folder = place.open_folder()?;
    let mut names: BTreeMap<Vec<u8>, ()> = BTreeMap::new();
    let mut more = false;
    let read = Dir::read_from(&folder).map_err(|error| failed(place.path(), error))?;
    for entry in read {
        let entry = entry.map_err(|error| failed(place.path(), error))?;
        let name = entry.file_name().to_bytes();
        if !is_name(entry.file_name()) || name <= after.as_slice() {
            continue;
        }
        names.insert(name.to_vec(), ());
        if names.len() > limit {
            names.pop_last();
            more = true;
        }
    }
    let mut entries = Vec::with_capacity(names.len());
    for name in names.into_keys() {
        // One that went away meanwhile is not there any more.
        if let Ok(stat) = statat(&folder, OsStr::from_bytes(&name), AtFlags::SYMLINK_NOFOLLOW) {
            entries.push(entry(&name, &stat));
        }
    }
    Ok(FileAnswer::Entries { entries, more })
}

fn entry(name: &[u8], stat: &Stat) -> Entry {
    let kind = kind(FileType::from_raw_mode(stat.st_mode));
    let size = if kind == Kind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
    Entry { name_hex: data_encoding::HEXLOWER.encode(name), kind, size, looks: looks(stat) }
}

pub(super) fn kind(of: FileType) -> Kind {
    match of {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    }
}

/// Neither `.` nor `..`.
pub(super) fn is_name(name: &CStr) -> bool {
    !matches!(name.to_bytes(), b"." | b"..")
}
