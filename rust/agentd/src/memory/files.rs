//! The folder of Markdown files: `<memory>/<yyyy>/<mm>/<name>.md`. Blocking; nothing follows symbolic links.

use std::collections::BinaryHeap;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use osmoda_store::{Error, atomic_write};
use osmoda_types::Timestamp;
use rustix::fs::OFlags;

use super::entry::Entry;
use super::markdown::{Hint, Malformed, parse};

/// Largest file that is read.
pub(super) const MAX_FILE: u64 = 256 * 1024;

/// How a file looked when it was read; another look means other content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) mtime_ns: i64,
    pub(super) size: i64,
}

impl Look {
    fn of(meta: &Metadata) -> Self {
        let mtime_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
        Self { mtime_ns, size: i64::try_from(meta.len()).unwrap_or(i64::MAX) }
    }
}

/// What a file is.
pub(super) enum Found {
    Entry(Box<Entry>, Look),
    Malformed(Malformed, Look),
    Nothing,
}

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Makes the folder itself.
    pub(super) fn make(&self) -> Result<(), Error> {
        make_folder(&self.root).map_err(|error| Error::io(&self.root, error))
    }

    /// Whether the folder can be written, by writing in it.
    pub(super) fn probe(&self) -> Result<(), Error> {
        self.make()?;
        let probe = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".next-").tempfile_in(&self.root)?;
            io::Write::write_all(&mut file, &[0; 64 * 1024])
        };
        probe().map_err(|error| Error::io(&self.root, error))
    }

    /// The file of a new entry, from the folder.
    pub(super) fn place(entry: &Entry) -> String {
        let at = entry.created_at.to_string();
        format!("{}/{}/{}.md", &at[..4], &at[5..7], entry.id)
    }

    /// How the file looks now; `None` where there is none, or something else than a file.
    pub(super) fn look(&self, path: &str) -> Result<Option<Look>, Error> {
        let file = self.path(path);
        match fs::symlink_metadata(&file) {
            Ok(meta) => Ok(meta.is_file().then(|| Look::of(&meta))),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(Error::io(&file, error)),
        }
    }

    /// The bytes of a file and how it looked.
    pub(super) fn bytes(&self, path: &str) -> Result<Option<(Vec<u8>, Look)>, Error> {
        let file = self.path(path);
        let read = || -> io::Result<Option<(Vec<u8>, Look)>> {
            // A pipe in its place must not hold us.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
            let opened = OpenOptions::new().read(true).custom_flags(flags).open(&file)?;
            let meta = opened.metadata()?;
            if !meta.is_file() {
                return Ok(None);
            }
            let mut bytes = Vec::new();
            opened.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
            Ok(Some((bytes, Look::of(&meta))))
        };
        match read() {
            Ok(found) => Ok(found),
            Err(error) if is_gone(&error) || error.raw_os_error() == Some(ELOOP) => Ok(None),
            Err(error) => Err(Error::io(&file, error)),
        }
    }

    /// Reads a file as a memory. One that may not be read is malformed, not an end of the work.
    pub(super) fn read(&self, path: &str) -> Result<Found, Error> {
        let (bytes, look) = match self.bytes(path) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Found::Nothing),
            Err(error) => match self.look(path)? {
                Some(look) => return Ok(Found::Malformed(Malformed(error.to_string()), look)),
                None => return Ok(Found::Nothing),
            },
        };
        let modified = Timestamp::from_millis(look.mtime_ns / 1_000_000).unwrap_or(Timestamp::EPOCH);
        let parsed = if bytes.len() as u64 > MAX_FILE {
            Err(Malformed(format!("it is larger than {} KiB", MAX_FILE / 1024)))
        } else {
            match std::str::from_utf8(&bytes) {
                Ok(text) => parse(text, Hint { path, modified }),
                Err(_) => Err(Malformed("it is not UTF-8".into())),
            }
        };
        Ok(match parsed {
            Ok(entry) => Found::Entry(Box::new(entry), look),
            Err(malformed) => Found::Malformed(malformed, look),
        })
    }

    /// Writes a file whole, and answers how it looks; when it returns, the content survives a power cut.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<Look, Error> {
        let file = self.path(path);
        let folder = file.parent().unwrap_or(&self.root);
        if !folder.is_dir() {
            make_folder(folder).map_err(|error| Error::io(folder, error))?;
        }
        atomic_write(&file, bytes, 0o600)?;
        let look = self.look(path)?;
        look.ok_or_else(|| Error::io(&file, ErrorKind::NotFound.into()))
    }

    /// Removes a file for good; one that is gone already is fine.
    pub(super) fn remove(&self, path: &str) -> Result<(), Error> {
        let file = self.path(path);
        let removed = match fs::remove_file(&file) {
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()),
        };
        removed.map_err(|error| Error::io(&file, error))
    }

    /// The months there are, such as `2026/11`, in order.
    pub(super) fn months(&self) -> Result<Vec<String>, Error> {
        let mut months = Vec::new();
        for year in self.folders("", 4)? {
            months.extend(self.folders(&year, 2)?.into_iter().map(|month| format!("{year}/{month}")));
        }
        Ok(months)
    }

    /// The folders in `folder` whose name has `digits` digits, in order.
    pub(super) fn folders(&self, folder: &str, digits: usize) -> Result<Vec<String>, Error> {
        let path = self.path(folder);
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for item in fs::read_dir(&path)? {
                let item = item?;
                let name = item.file_name().to_string_lossy().into_owned();
                if is_number(&name, digits) && item.file_type()?.is_dir() {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        match list() {
            Err(error) if is_gone(&error) && !folder.is_empty() => Ok(Vec::new()),
            listed => listed.map_err(|error| Error::io(&path, error)),
        }
    }

    /// The first `most` names after `after` in a month, in order. Reads the whole folder, keeps only these.
    pub(super) fn names(&self, month: &str, after: Option<&str>, most: usize) -> Result<Vec<String>, Error> {
        let path = self.path(month);
        let list = || -> io::Result<Vec<String>> {
            let mut first = BinaryHeap::new();
            for item in fs::read_dir(&path)? {
                let Ok(name) = item?.file_name().into_string() else { continue };
                if is_entry_name(&name) && after.is_none_or(|after| name.as_str() > after) {
                    first.push(name);
                    if first.len() > most {
                        first.pop();
                    }
                }
            }
            Ok(first.into_sorted_vec())
        };
        match list() {
            Err(error) if is_gone(&error) => Ok(Vec::new()),
            listed => listed.map_err(|error| Error::io(&path, error)),
        }
    }

    /// Takes away what a write that was cut off left in a month.
    pub(super) fn sweep(&self, month: &str) {
        let Ok(items) = fs::read_dir(self.path(month)) else { return };
        for item in items.flatten() {
            if item.file_name().to_string_lossy().starts_with(".next-") {
                let _ = fs::remove_file(item.path());
            }
        }
    }
}

/// Whether `path` is where an entry may be.
pub(super) fn is_entry_path(path: &str) -> bool {
    let mut parts = path.split('/');
    let (year, month, name, end) = (parts.next(), parts.next(), parts.next(), parts.next());
    year.is_some_and(|year| is_number(year, 4))
        && month.is_some_and(|month| is_number(month, 2))
        && name.is_some_and(is_entry_name)
        && end.is_none()
}

pub(super) fn is_entry_name(name: &str) -> bool {
    name.ends_with(".md") && !name.starts_with('.') && !name.contains('/')
}

pub(super) fn is_number(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|b| b.is_ascii_digit())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Makes a folder and those above it, for us alone, so that it survives a power cut.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())
}

/// What opening a symbolic link with `O_NOFOLLOW` answers (open(2)).
const ELOOP: i32 = rustix::io::Errno::LOOP.raw_os_error();
