//! Making a backup: a consistent snapshot, streamed through age into a file that appears when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use osmoda_store::{Error, atomic_write, private_folder};
use osmoda_types::api::agentd::backup::{Backup, BackupNote};
use osmoda_types::json;
use rusqlite::Connection;
use rusqlite::backup;
use tempfile::TempDir;

use super::BackupError;
use super::age::{self, Age};
use super::archive::{Entry, Writer, pump};
use super::manifest::{self, Header, Manifest};
use super::place::{Place, SNAPSHOT};
use super::sources::{self, Source};
use super::stop::Stop;

/// Who can open it.
pub(super) struct Keys {
    pub(super) recipients: Vec<String>,
    pub(super) own: bool,
}

impl Keys {
    /// The declared recipients, or this machine's own key. Blocks.
    pub(super) fn of(declared: &[String], place: &Place) -> Result<Self, BackupError> {
        age::present()?;
        if declared.is_empty() {
            private_folder(&place.own)?;
            return Ok(Self { recipients: vec![age::own_recipient(&place.key())?], own: true });
        }
        Ok(Self { recipients: declared.to_vec(), own: false })
    }
}

/// Makes the backup `header` names. Blocks.
pub(super) fn create(place: &Place, header: &Header, keys: Keys, stop: &Stop) -> Result<Backup, BackupError> {
    private_folder(&place.backups)?;
    let unfinished = Unfinished(place.unfinished(header.id));
    let failed = |error| Error::io(&unfinished.0, error);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished.0);
    let file = file.map_err(failed)?;
    let mut age = Age::encrypt(&keys.recipients, file.try_clone().map_err(failed)?)?;
    let written = write(place, header, &mut age, stop);
    let said = age.end();
    let (files, ledger_size) = match (written, said) {
        (Ok(written), Ok(())) => written,
        // A pipe that broke is age's failure, which it tells better.
        (_, Err(_)) if full(&place.backups) => {
            return Err(failed(std::io::ErrorKind::StorageFull.into()).into());
        }
        (Ok(_) | Err(BackupError::State(_)), Err(said)) if !stop.is_due() => {
            return Err(BackupError::AgeRefused { said });
        }
        (Err(error), _) => return Err(error),
        (Ok(_), Err(_)) => return Err(BackupError::Stopped),
    };
    file.sync_all().map_err(failed)?;
    let (digest, size_bytes) = digest(&unfinished.0, stop)?;
    let note = BackupNote {
        machine_id: header.machine_id,
        digest,
        files,
        ledger_size,
        own_key: keys.own,
        recipients: keys.recipients,
    };
    let path = place.file(header.id);
    let text = serde_json::to_string_pretty(&note).expect("a note is plain data");
    atomic_write(&place.note(header.id), text.as_bytes(), 0o600)?;
    let named = fs::rename(&unfinished.0, &path).and_then(|()| File::open(&place.backups)?.sync_all());
    named.map_err(|error| Error::io(&path, error))?;
    let path = path.display().to_string();
    Ok(Backup { id: header.id, path, size_bytes, created_at: header.created_at, note: Some(note) })
}

/// `sha256:` and size of an encrypted file. Blocks.
pub(super) fn digest(path: &Path, stop: &Stop) -> Result<(String, u64), BackupError> {
    let failed = |error| Error::io(path, error);
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let hash = pump(&mut stop.watch(file), &mut std::io::sink(), bytes).map_err(failed)?;
    Ok((format!("sha256:{}", json::hex(&hash)), bytes))
}

/// Writes the archive; answers how many files and how many events of the ledger are in it.
fn write(place: &Place, header: &Header, age: &mut Age, stop: &Stop) -> Result<(u64, u64), BackupError> {
    let mut archive = Writer::new(BufWriter::with_capacity(256 * 1024, age.stdin()));
    let mut manifest = Manifest::new();
    let mut add = |name: &str, path: &Path| add(&mut archive, &mut manifest, name, path, stop);
    let databases = sources::walk(place, |source| {
        // What went away since the folder was listed is not part of the state any more.
        if source.path.exists() { add(&source.name, &source.path) } else { Ok(()) }
    })?;
    let folder = tempfile::Builder::new().prefix(SNAPSHOT).tempdir_in(&place.own);
    let folder = folder.map_err(|error| Error::io(&place.own, error))?;
    let mut ledger_size = 0;
    for database in &databases {
        let Some(copy) = snapshot(database, &folder)? else { continue };
        if database.name == LEDGER {
            ledger_size = events(&copy).map_err(|error| Error::sqlite(&copy, error))?;
        }
        add(&database.name, &copy)?;
        fs::remove_file(&copy).map_err(|error| Error::io(&copy, error))?;
    }
    let broken = |error| BackupError::from(Error::io(&place.backups, error));
    let files = manifest.files;
    let (mut text, bytes) = manifest.text(header).map_err(broken)?;
    let modified = u64::try_from(header.created_at.as_millis() / 1000).unwrap_or(0);
    let entry = Entry { name: manifest::NAME.to_owned(), bytes, modified };
    archive.add(&entry, &mut text).map_err(broken)?;
    archive.finish().map_err(broken)?;
    Ok((files, ledger_size))
}

fn add<W: std::io::Write>(
    archive: &mut Writer<W>,
    manifest: &mut Manifest,
    name: &str,
    path: &Path,
    stop: &Stop,
) -> Result<(), BackupError> {
    let failed = |error| BackupError::from(Error::io(path, error));
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let modified = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let modified = modified.map_or(0, |since| since.as_secs().min(u64::from(u32::MAX)));
    let entry = Entry { name: name.to_owned(), bytes: meta.len(), modified };
    if stop.is_due() {
        return Err(BackupError::Stopped);
    }
    let digest = archive.add(&entry, &mut stop.watch(file)).map_err(failed)?;
    manifest.add(&entry, digest).map_err(failed)
}

/// A copy of the database as of one moment, whoever writes meanwhile; `None` for one that has not begun.
fn snapshot(source: &Source, folder: &TempDir) -> Result<Option<PathBuf>, BackupError> {
    let wal = PathBuf::from(format!("{}-wal", source.path.display()));
    let is_empty = |path: &Path| fs::metadata(path).map_or(true, |meta| meta.len() == 0);
    if is_empty(&source.path) && is_empty(&wal) {
        return Ok(None);
    }
    let from = osmoda_store::open_read_only(&source.path)?;
    let path = folder.path().join(source.name.replace('/', "-"));
    let failed = |error| Error::sqlite(&path, error);
    let mut to = Connection::open(&path).map_err(failed)?;
    to.pragma_update(None, "synchronous", "OFF").map_err(failed)?;
    let copied = backup::Backup::new(&from, &mut to).and_then(|backup| backup.step(-1));
    match copied.map_err(|error| Error::sqlite(&source.path, error))? {
        backup::StepResult::Done => {}
        _ => return Err(BackupError::Busy { what: "a database is locked" }),
    }
    // One plain file: the copy has no log beside it.
    to.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    to.close().map_err(|(_, error)| failed(error))?;
    Ok(Some(path))
}

fn events(path: &Path) -> rusqlite::Result<u64> {
    Connection::open(path)?.query_row("SELECT coalesce(max(id), 0) FROM events", [], |row| row.get(0))
}

/// age only says that it could not write.
fn full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|stat| stat.f_bavail == 0)
}

/// Removes the file unless it got its name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The ledger in the archive.
pub(super) const LEDGER: &str = "ledger/ledger.db";
