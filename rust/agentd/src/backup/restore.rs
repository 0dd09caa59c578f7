//! Merging an opened, verified backup into the state. Every step can be repeated: the second time it finds nothing to do.

use std::fs::{self, File, FileTimes};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use osmoda_store::{Error, private_folder};
use osmoda_types::BackupId;

use super::BackupError;
use super::journal::{Journal, LedgerStep};
use super::place::Place;
use super::sources::{BEFORE, is_database};

/// When a file of the backup is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Where it is missing, or older than the backup's.
    Newer,
    /// Where it is missing: a key in use stays.
    Missing,
    /// Not as a file: databases are merged, the ledger and the machine's id are never replaced.
    Never,
}

fn rule(name: &str) -> Rule {
    match name.split_once('/') {
        Some(("memory" | "config", _)) if !is_database(name) => Rule::Newer,
        Some(("secrets", _)) => Rule::Missing,
        Some(("agentd", "card.json" | "card.key" | "backup.key")) => Rule::Missing,
        _ => Rule::Never,
    }
}

/// Puts back what is missing or older, and answers how many files that were. Blocks.
pub(super) fn files(place: &Place, id: BackupId) -> Result<u64, BackupError> {
    let staged = place.staged(id);
    let mut put_back = 0;
    let mut folders = vec![staged.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| Error::io(&folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| Error::io(&folder, error))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&staged).ok().and_then(Path::to_str);
            let name = name.expect("the archive's names are UTF-8 below the staged folder");
            put_back += u64::from(one(place, name, &path)?);
        }
    }
    Ok(put_back)
}

/// One file; whether it was put back.
fn one(place: &Place, name: &str, from: &Path) -> Result<bool, BackupError> {
    let rule = rule(name);
    if rule == Rule::Never {
        return Ok(false);
    }
    let to = place.root.join(name);
    let wanted = match fs::symlink_metadata(&to) {
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(Error::io(&to, error).into()),
        // A link or a folder in its place is somebody's intention.
        Ok(there) if !there.is_file() => false,
        Ok(there) => rule == Rule::Newer && modified(from)? > seconds(there.modified().ok()),
    };
    if wanted {
        put(&place.root, from, &to)?;
    }
    Ok(wanted)
}

/// Copies a file to its place: whole or not at all, durable when this returns.
fn put(root: &Path, from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |error| BackupError::from(Error::io(to, error));
    let folder = to.parent().unwrap_or(root);
    make_below(root, folder)?;
    let mut source = File::open(from).map_err(failed)?;
    let at = source.metadata().and_then(|meta| meta.modified()).map_err(failed)?;
    // tempfile makes it 0600.
    let mut next = tempfile::Builder::new().prefix(".back-").tempfile_in(folder).map_err(failed)?;
    std::io::copy(&mut source, &mut next).map_err(failed)?;
    next.as_file().set_times(FileTimes::new().set_modified(at)).map_err(failed)?;
    next.as_file().sync_all().map_err(failed)?;
    next.persist(to).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Makes the folders from `root` down to `folder`, none of which may be a link that leads elsewhere.
fn make_below(root: &Path, folder: &Path) -> Result<(), BackupError> {
    let below = folder.strip_prefix(root).unwrap_or(Path::new(""));
    let mut at = root.to_owned();
    for part in below.components() {
        at.push(part);
        match fs::symlink_metadata(&at) {
            Ok(there) if there.is_dir() => {}
            Ok(_) => return Err(Error::io(&at, ErrorKind::NotADirectory.into()).into()),
            Err(_) => private_folder(&at)?,
        }
    }
    Ok(())
}

/// Lets the backup's ledger take the place of one in which nothing stands, as far as the journal says it is not done.
/// Only while no ledger is open. Blocks.
pub(super) fn ledger(place: &Place, journal: &mut Journal) -> Result<(), BackupError> {
    let (now, staged) = (place.root.join("ledger"), place.staged(journal.backup).join("ledger"));
    if journal.ledger == LedgerStep::Out {
        let before = now.join(format!("{BEFORE}{}", journal.backup));
        private_folder(&before)?;
        for name in LEDGER_FILES {
            rename(&now.join(name), &before.join(name))?;
        }
        sync(&[&before, &now])?;
        journal.ledger = LedgerStep::In;
        journal.write(place)?;
    }
    if journal.ledger == LedgerStep::In {
        let entries = fs::read_dir(&staged).map_err(|error| Error::io(&staged, error))?;
        for entry in entries {
            let from = entry.map_err(|error| Error::io(&staged, error))?.path();
            let name = from.file_name().expect("an entry has a name").to_owned();
            put(&place.root, &from, &now.join(name))?;
        }
        journal.ledger = LedgerStep::Installed;
        journal.write(place)?;
    }
    Ok(())
}

/// Removes what a process before this one left unfinished; what the journal needs stays. Blocks.
pub(super) fn tidy(place: &Place, journal: Option<&Journal>) {
    let staged = journal.map(|journal| place.staged(journal.backup));
    let stale = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ours = [super::place::SNAPSHOT, super::place::STAGED].iter().any(|start| name.starts_with(start));
        ours && path.is_dir() && staged.as_ref() != Some(path)
    };
    for path in paths(&place.own).filter(stale) {
        tracing::info!(path = %path.display(), "an unfinished backup or restore is removed");
        let _ = fs::remove_dir_all(path);
    }
    let unfinished = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(".next-") || (name.starts_with(".bak_") && name.ends_with(".part"))
    };
    for path in paths(&place.backups).filter(unfinished) {
        let _ = fs::remove_file(path);
    }
}

fn paths(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(from, error).into()),
        _ => Ok(()),
    }
}

fn sync(folders: &[&Path]) -> Result<(), BackupError> {
    for folder in folders {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|error| Error::io(folder, error))?;
    }
    Ok(())
}

fn modified(path: &Path) -> Result<u64, BackupError> {
    let meta = fs::metadata(path).map_err(|error| Error::io(path, error))?;
    Ok(seconds(meta.modified().ok()))
}

/// An archive knows times to the second.
fn seconds(at: Option<SystemTime>) -> u64 {
    at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
}

/// Everything the ledger keeps; the logs of its database belong to it.
const LEDGER_FILES: [&str; 6] =
    ["ledger.db", "ledger.db-wal", "ledger.db-shm", "signer.key", "salt.key", "checkpoints.jsonl"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_rule() {
        for (name, expected) in [
            ("memory/2026/11/mem_1.md", Rule::Newer),
            ("memory/index.db", Rule::Never),
            ("config/x.json", Rule::Newer),
            ("secrets/token", Rule::Missing),
            ("agentd/card.key", Rule::Missing),
            ("agentd/machine-id", Rule::Never),
            ("agentd/state.db", Rule::Never),
            ("agentd/deep/card.key", Rule::Never),
            ("ledger/signer.key", Rule::Never),
        ] {
            assert_eq!(rule(name), expected, "{name}");
        }
    }

    #[test]
    fn a_folder_that_is_a_link_is_not_followed() {
        let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("memory")).unwrap();
        let from = root.path().join("from");
        fs::write(&from, "x").unwrap();
        assert!(put(root.path(), &from, &root.path().join("memory/a.md")).is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        put(root.path(), &from, &root.path().join("config/deep/a")).unwrap();
        assert_eq!(fs::read(root.path().join("config/deep/a")).unwrap(), b"x");
    }
}
