//! The key that signs checkpoints, and what the ledger says of it.
//!
//! agentd holds it until keyd does; the hand-over is an event signed by this key.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use osmoda_store::{Error, atomic_write};
use osmoda_tlog::note::{Signer, VerifierKey};
use osmoda_tlog::signer::{CHANGED, CREATED, Changed, Created};
use osmoda_types::Entropy;
use rusqlite::{Connection, OptionalExtension};

use super::rows::damaged;

/// The key in `path` under the name `origin`, made there (0600, base64 of the seed) when it is missing.
///
/// # Errors
/// [`Error::Unwritable`] or [`Error::Full`]; [`Error::Corrupt`] for a file that is no key, which stays as it is.
pub(super) fn read_or_make(path: &Path, origin: &str, entropy: &dyn Entropy) -> Result<Signer, Error> {
    if let Some(signer) = read(path, origin)? {
        return Ok(signer);
    }
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    atomic_write(path, format!("{}\n", BASE64.encode(&seed)).as_bytes(), 0o600)?;
    read(path, origin)?.ok_or_else(|| no_key(path))
}

/// The key in `path`, `None` when there is no file.
pub(super) fn read(path: &Path, origin: &str) -> Result<Option<Signer>, Error> {
    close_to_others(path);
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(no_key(path)),
        Err(error) => return Err(Error::io(path, error)),
    };
    let seed = BASE64.decode(text.trim_end().as_bytes()).ok().and_then(|seed| seed.try_into().ok());
    let signer = seed.and_then(|seed| Signer::from_seed(origin, &seed).ok());
    signer.map(Some).ok_or_else(|| no_key(path))
}

/// Who restores a backup may restore its modes too generously; the key is for its user alone.
fn close_to_others(path: &Path) {
    if fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0) {
        match fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
            Ok(()) => tracing::warn!(path = %path.display(), "the signer's key was open to others"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(path = %path.display(), error, "the signer's key is open to others");
            }
        }
    }
}

fn no_key(path: &Path) -> Error {
    Error::Corrupt { path: path.to_owned(), source: Arc::new(std::io::Error::from(ErrorKind::InvalidData)) }
}

/// Event 1: the ledger's name and first key.
///
/// # Errors
/// `SQLITE_CORRUPT` when event 1 is not that, or not there.
pub(super) fn created(connection: &Connection) -> rusqlite::Result<Created> {
    let mut statement = connection.prepare_cached("SELECT type, payload FROM events WHERE id = 1")?;
    let first = statement.query_row([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let (kind, payload) = first.optional()?.ok_or_else(damaged)?;
    if kind != CREATED {
        return Err(damaged());
    }
    serde_json::from_str(&payload).map_err(|_| damaged())
}

/// The key in force after the first `size` events.
pub(super) fn in_force(connection: &Connection, size: u64) -> rusqlite::Result<VerifierKey> {
    let changed: Option<String> = connection
        .prepare_cached("SELECT payload FROM events WHERE type = ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1")?
        .query_row((CHANGED, size), |row| row.get(0))
        .optional()?;
    match changed {
        Some(payload) => {
            let changed: Changed = serde_json::from_str(&payload).map_err(|_| damaged())?;
            Ok(changed.to)
        }
        None => Ok(created(connection)?.signer),
    }
}
