//! Opening a backup into a folder of its own and checking all of it: hashes, databases, ledger.

use std::fs::{File, FileTimes};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use osmoda_store::{Error, private_folder};
use sha2::{Digest, Sha256};

use super::BackupError;
use super::age::Age;
use super::archive::{Entry, Reader};
use super::create::LEDGER;
use super::manifest::{self, Header, Manifest};
use super::sources::{FOLDERS, is_database};
use super::stop::{Stop, Watched};
use crate::ledger::{Copy, verify_copy};

/// What is in a backup that passed every check.
pub(super) struct Opened {
    pub(super) header: Header,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) databases: Vec<String>,
    /// None where the backup has no ledger.
    pub(super) ledger: Option<Copy>,
}

/// Decrypts `file` into the new folder `into` and checks it. Blocks. What it leaves in `into` is the caller's.
///
/// # Errors
/// [`BackupError::Locked`], [`BackupError::Damaged`], [`BackupError::AgeAbsent`], [`BackupError::State`].
pub(super) fn open(
    file: &Path,
    identities: &[PathBuf],
    into: &Path,
    stop: &Stop,
) -> Result<Opened, BackupError> {
    let input = File::open(file).map_err(|error| Error::io(file, error))?;
    let mut age = Age::decrypt(input, identities)?;
    let extracted = extract(stop.watch(age.stdout()), into);
    if stop.is_due() {
        return Err(BackupError::Stopped);
    }
    match (extracted, age.end()) {
        (Ok((header, manifest)), Ok(())) => check(header, &manifest, into),
        // What age says is the cause of what was found in the archive.
        (_, Err(said)) if said.contains("no identity matched") => Err(BackupError::Locked),
        (Err(BackupError::State(error)), _) => Err(error.into()),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(said)) if said.contains("broken pipe") => Err(error),
        (_, Err(said)) => Err(BackupError::damaged(format!("age cannot decrypt it: {said}"))),
    }
}

/// The sums of a manifest that holds.
struct Sums {
    files: u64,
    bytes: u64,
    databases: Vec<String>,
}

fn extract(input: Watched<std::process::ChildStdout>, into: &Path) -> Result<(Header, Sums), BackupError> {
    let mut archive = Reader::new(std::io::BufReader::with_capacity(256 * 1024, input));
    let mut manifest = Manifest::new();
    let mut databases = Vec::new();
    let spool = |error| BackupError::from(Error::io(into, error));
    loop {
        let Some(entry) = archive.next()? else { return Err(BackupError::damaged("it has no manifest")) };
        if entry.name == manifest::NAME {
            let (files, bytes) = (manifest.files, manifest.bytes);
            let header = manifest.compare(archive.content(&entry))?;
            archive.end_of(&entry)?;
            if archive.next()?.is_some() {
                return Err(BackupError::damaged("a file stands behind the manifest"));
            }
            return Ok((header, Sums { files, bytes, databases }));
        }
        let known = entry.name.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
        if !known {
            return Err(BackupError::damaged("a file in it is not of agentd"));
        }
        let digest = keep(&mut archive.content(&entry), &entry, &into.join(&entry.name))?;
        archive.end_of(&entry)?;
        manifest.add(&entry, digest).map_err(spool)?;
        if is_database(&entry.name) {
            databases.push(entry.name);
        }
    }
}

/// Writes one file, which must not be there yet, and answers its hash.
fn keep(content: &mut impl Read, entry: &Entry, path: &Path) -> Result<[u8; 32], BackupError> {
    let failed = |error| BackupError::from(Error::io(path, error));
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let mut options = File::options();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => BackupError::damaged("a file stands in it twice"),
            _ => failed(error),
        })?;
    let (mut hash, mut left) = (Sha256::new(), entry.bytes);
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        // A pipe that ends is the backup's fault, a file that cannot be written the disk's.
        match content.read(&mut buffer) {
            Ok(0) => return Err(BackupError::damaged("it ends early")),
            Ok(read) => {
                hash.update(&buffer[..read]);
                file.write_all(&buffer[..read]).map_err(failed)?;
                left -= read as u64;
            }
            Err(error) => return Err(BackupError::damaged(format!("it cannot be read: {error}"))),
        }
    }
    let at = UNIX_EPOCH + Duration::from_secs(entry.modified);
    file.set_times(FileTimes::new().set_modified(at)).map_err(failed)?;
    Ok(hash.finalize().into())
}

fn check(header: Header, sums: &Sums, into: &Path) -> Result<Opened, BackupError> {
    for name in &sums.databases {
        if let Err(finding) = sound(&into.join(name)) {
            return Err(BackupError::damaged(format!("{name} is damaged: {finding}")));
        }
    }
    let path = into.join(LEDGER);
    let ledger = if path.exists() {
        let copy = verify_copy(&path, &into.join("ledger/checkpoints.jsonl"));
        let copy =
            copy.map_err(|finding| BackupError::damaged(format!("its ledger does not verify: {finding}")))?;
        if copy.machine_id != header.machine_id.to_string() {
            return Err(BackupError::damaged("its ledger is of another machine than its manifest"));
        }
        Some(copy)
    } else {
        None
    };
    let Sums { files, bytes, .. } = *sums;
    Ok(Opened { header, files, bytes, databases: sums.databases.clone(), ledger })
}

/// SQLite's own check of every page and index.
fn sound(path: &Path) -> Result<(), String> {
    let connection = osmoda_store::open_read_only(path).map_err(|error| osmoda_types::chain(&error))?;
    let said: Result<String, _> = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match said {
        Ok(said) if said == "ok" => Ok(()),
        Ok(said) => Err(said),
        Err(error) => Err(error.to_string()),
    }
}
