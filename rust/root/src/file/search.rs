//! Files below a folder, by name and content, bounded in everything.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glob::{MatchOptions, Pattern};
use osmoda_types::{Code, Problem};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::list::{Kind, is_name, kind};
use super::place::{Place, Places, Use, regular};
use super::{FileAnswer, failed};

/// A file that was looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Where it is; names that are no text are left out of a search.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Line of the first place where the text stands.
    pub line: Option<u64>,
}

/// Longest search.
const LONGEST: Duration = Duration::from_secs(20);
/// Most names that are looked at.
const MOST_NAMES: u64 = 1_000_000;
/// Deepest folder below the first.
const DEEPEST: usize = 64;
/// What is read of one file.
const MOST_BYTES: u64 = 16 << 20;

pub(super) fn search(
    places: &Places,
    place: &Place,
    name: Option<&str>,
    text: Option<&str>,
    limit: usize,
) -> Result<FileAnswer, Problem> {
    let pattern = name.map(Pattern::new).transpose().map_err(|error| {
        Problem::new(Code::RequestField).at("/name", format!("is no shell pattern: {}", error.msg))
    })?;
    let mut search = Search {
        places,
        pattern,
        text: text.map(str::as_bytes),
        limit,
        until: Instant::now() + LONGEST,
        names: 0,
        files: Vec::new(),
        cut: None,
    };
    search.folder(place.open_folder()?, place.path(), 0)?;
    Ok(FileAnswer::Found { files: search.files, cut: search.cut })
}

struct Search<'a> {
    places: &'a Places,
    pattern: Option<Pattern>,
    text: Option<&'a [u8]>,
    limit: usize,
    until: Instant,
    names: u64,
    files: Vec<Found>,
    cut: Option<String>,
}

impl Search<'_> {
    fn folder(&mut self, folder: OwnedFd, path: &Path, depth: usize) -> Result<(), Problem> {
        let read = Dir::read_from(&folder).map_err(|error| failed(path, error))?;
        let mut inner: Vec<PathBuf> = Vec::new();
        for entry in read {
            let Ok(entry) = entry else { break };
            if self.cut.is_some() {
                return Ok(());
            }
            if !is_name(entry.file_name()) {
                continue;
            }
            self.names += 1;
            if self.names > MOST_NAMES || Instant::now() > self.until {
                self.cut = Some(format!("stopped after {} names", self.names));
                return Ok(());
            }
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let path = path.join(name);
            if self.places.is_protected(&path, Use::Read) {
                continue;
            }
            let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let kind = kind(FileType::from_raw_mode(stat.st_mode));
            if kind == Kind::Folder {
                inner.push(path.clone());
            }
            if let Some(line) = self.matches(&folder, name, kind)
                && let Some(path) = path.to_str()
            {
                if self.files.len() == self.limit {
                    self.cut = Some(format!("more than {} files match", self.limit));
                    return Ok(());
                }
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                self.files.push(Found { path: path.to_owned(), kind, size, line });
            }
        }
        inner.sort();
        for path in inner {
            if depth >= DEEPEST {
                self.cut = Some(format!("stopped {DEEPEST} folders deep"));
                return Ok(());
            }
            let name = path.file_name().unwrap_or_default();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // One that cannot be entered has nothing for this caller.
            if let Ok(opened) = openat(&folder, name, flags, Mode::empty()) {
                self.folder(opened, &path, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Whether the entry is looked for; with a text, in which line it stands.
    fn matches(&self, folder: impl AsFd, name: &OsStr, kind: Kind) -> Option<Option<u64>> {
        if let Some(pattern) = &self.pattern
            && !pattern.matches_with(name.to_str()?, NAMES)
        {
            return None;
        }
        let Some(text) = self.text else { return Some(None) };
        if kind != Kind::File {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(folder, name, flags, Mode::empty()).ok()?;
        regular(Path::new(name), &fstat(&file).ok()?).ok()?;
        let mut content = Vec::new();
        File::from(file).take(MOST_BYTES).read_to_end(&mut content).ok()?;
        let at = memchr::memmem::find(&content, text)?;
        Some(Some(memchr::memchr_iter(b'\n', &content[..at]).count() as u64 + 1))
    }
}

const NAMES: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};
