//! What belongs into a backup: agentd's folders below the state root, without what is made anew by itself.

use std::fs::{self, DirEntry, ReadDir};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use osmoda_store::Error;

use super::BackupError;
use super::archive;
use super::place::{Place, SNAPSHOT, STAGED};

/// agentd's folders; the ledger is the last, so that the one in a backup knows of everything else in it.
pub(super) const FOLDERS: [&str; 5] = ["config", "secrets", "memory", "agentd", "ledger"];

/// A file of the state.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its name in the archive: relative to the state root.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Goes through the folders. Plain files are given to `file` as they come; the databases are the answer, in the order
/// in which they are to be copied.
pub(super) fn walk(
    place: &Place,
    mut file: impl FnMut(Source) -> Result<(), BackupError>,
) -> Result<Vec<Source>, BackupError> {
    let mut databases = Vec::new();
    for folder in FOLDERS {
        let mut open: Vec<ReadDir> = Vec::new();
        open.extend(entries(&place.root.join(folder))?);
        while let Some(folder) = open.last_mut() {
            let Some(entry) = folder.next() else {
                open.pop();
                continue;
            };
            let entry = entry.map_err(|error| Error::io(&place.root, error))?;
            let kind = entry.file_type().map_err(|error| Error::io(&entry.path(), error))?;
            if is_passing(&entry) {
                continue;
            }
            if kind.is_dir() {
                if open.len() >= DEEPEST {
                    return Err(BackupError::Name { path: entry.path().display().to_string() });
                }
                open.extend(entries(&entry.path())?);
            } else if kind.is_file() {
                let source = named(&place.root, entry.path())?;
                if is_database(&source.name) { databases.push(source) } else { file(source)? }
            } else {
                tracing::warn!(path = %entry.path().display(), "no plain file, so it is not backed up");
            }
        }
    }
    Ok(databases)
}

/// Whether SQLite keeps it: copied through SQLite, checked by it.
pub(super) fn is_database(name: &str) -> bool {
    name.ends_with(".db")
}

/// Files of one process, of one moment, or of a backup.
fn is_passing(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let begins = [".next-", ".back-", SNAPSHOT, STAGED, BEFORE].iter().any(|start| name.starts_with(start));
    let ends = ["-wal", "-shm", "-journal"].iter().any(|end| name.ends_with(end));
    begins || ends || name == "lock" || name == "restore.json"
}

fn entries(folder: &Path) -> Result<Option<ReadDir>, BackupError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(folder, error).into()),
    }
}

fn named(root: &Path, path: PathBuf) -> Result<Source, BackupError> {
    let name = path.strip_prefix(root).ok().and_then(Path::to_str).filter(|name| archive::is_name(name));
    match name {
        Some(name) => Ok(Source { name: name.to_owned(), path }),
        None => Err(BackupError::Name { path: path.display().to_string() }),
    }
}

/// How the folder begins that keeps a ledger whose place another one took.
pub(super) const BEFORE: &str = "before-";
const DEEPEST: usize = 16;
