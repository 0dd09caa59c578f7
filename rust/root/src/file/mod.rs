//! Files, by absolute paths without symbolic links, below declared roots and outside protected trees.

mod change;
mod list;
mod place;
mod search;
#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use osmoda_types::{Code, Problem};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

pub use list::{Entry, Kind};
pub use place::Places;
pub use search::Found;

use self::place::Use;

/// What can be done to a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FileVerb {
    /// Gives a descriptor to read a regular file from.
    Read {
        /// The file.
        path: String,
    },
    /// Names in a folder after `after`, in byte order.
    List {
        /// The folder.
        path: String,
        /// The last name of the page before, as hex of its bytes.
        after: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// Files below a folder.
    Search {
        /// The folder.
        path: String,
        /// A shell pattern of the file's name.
        name: Option<String>,
        /// Text the file holds.
        text: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// Puts what is in the given descriptor in the place of a file.
    Write {
        /// The file.
        path: String,
        /// What stands there now; anything else is refused.
        seen: Seen,
        /// Owner, mode and times to give; without them those of the file that is replaced.
        as_it_was: Option<Looks>,
    },
    /// Removes a regular file.
    Delete {
        /// The file.
        path: String,
        /// What stands there now.
        seen: Seen,
    },
    /// Gives a regular file another name.
    Move {
        /// From where.
        from: String,
        /// To where; nothing may stand there.
        to: String,
        /// What stands at `from` now.
        seen: Seen,
    },
}

/// A file as it was found, precise enough to see that it changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Seen {
    /// Nothing stands there.
    Absent {},
    /// This file.
    File {
        /// Device.
        dev: u64,
        /// Inode.
        ino: u64,
        /// Bytes.
        size: u64,
        /// Last change of anything, in nanoseconds since 1970.
        ctime_ns: i64,
    },
}

/// Owner, mode and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Looks {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits, without setuid, setgid and sticky.
    pub mode: u32,
    /// Last access, in nanoseconds since 1970.
    pub atime_ns: i64,
    /// Last change of the content, in nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// What came of a file verb.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FileAnswer {
    /// The file as it is now, for `read` with a descriptor.
    File {
        /// Its identity.
        seen: Seen,
        /// Owner, mode and times.
        looks: Looks,
    },
    /// A page of a folder.
    Entries {
        /// The entries.
        entries: Vec<Entry>,
        /// There are more.
        more: bool,
    },
    /// Files that were looked for.
    Found {
        /// The files.
        files: Vec<Found>,
        /// Why the search ended before it saw everything.
        cut: Option<String>,
    },
    /// It is gone from there.
    Gone {},
}

/// Does one verb. Blocks.
///
/// # Errors
/// `policy.denied` outside the declared places, `file.*`, `state.full`.
pub(crate) fn perform(
    places: &Places,
    verb: FileVerb,
    given: Vec<OwnedFd>,
) -> Result<(FileAnswer, Vec<OwnedFd>), Problem> {
    let alone = |answer| (answer, Vec::new());
    match verb {
        FileVerb::Read { path } => {
            let place = places.admit(&path, Use::Read)?;
            let (file, seen, looks) = place.open_file()?;
            Ok((FileAnswer::File { seen, looks }, vec![file]))
        }
        FileVerb::List { path, after, limit } => {
            let place = places.admit(&path, Use::Read)?;
            list::list(&place, after.as_deref(), limit).map(alone)
        }
        FileVerb::Search { path, name, text, limit } => {
            let place = places.admit(&path, Use::Read)?;
            search::search(places, &place, name.as_deref(), text.as_deref(), limit).map(alone)
        }
        FileVerb::Write { path, seen, as_it_was } => {
            let place = places.admit(&path, Use::Write)?;
            let content = given
                .into_iter()
                .next()
                .ok_or_else(|| Problem::new(Code::InternalBug).detail("a write came without its content"))?;
            change::write(&place, content, seen, as_it_was).map(alone)
        }
        FileVerb::Delete { path, seen } => change::delete(&places.admit(&path, Use::Write)?, seen).map(alone),
        FileVerb::Move { from, to, seen } => {
            let (from, to) = (places.admit(&from, Use::Write)?, places.admit(&to, Use::Write)?);
            change::rename(&from, &to, seen).map(alone)
        }
    }
}

/// The kernel's refusal in the caller's words.
fn failed(path: &std::path::Path, error: Errno) -> Problem {
    let code = match error {
        Errno::NOENT | Errno::NOTDIR => Code::FileNotFound,
        Errno::LOOP | Errno::XDEV => Code::FileLink,
        Errno::ACCESS | Errno::PERM => Code::FileDenied,
        Errno::ROFS => Code::FileReadOnly,
        Errno::NOSPC | Errno::DQUOT => Code::StateFull,
        Errno::EXIST => Code::FileExists,
        Errno::ISDIR => Code::FileKind,
        Errno::NAMETOOLONG => Code::RequestField,
        _ => Code::FileFailed,
    };
    Problem::new(code).detail(format!("{}: {}", PathBuf::from(path).display(), std::io::Error::from(error)))
}
