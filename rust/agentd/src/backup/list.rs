//! The backups folder as it stands.

use std::fs;
use std::io::ErrorKind;

use osmoda_store::Error;
use osmoda_types::api::agentd::backup::{Backup, BackupListIn, BackupListOut, BackupNote};
use osmoda_types::{BackupId, Limit, Timestamp};

use super::place::Place;
use super::{BackupError, Backups};

impl Backups {
    /// A page of the backups in the folder, newest first. Nothing is opened: that is [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`BackupError::Cursor`], [`BackupError::State`].
    pub async fn list(&self, input: BackupListIn) -> Result<BackupListOut, BackupError> {
        let before = match input.after.as_deref().map(str::parse::<BackupId>) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Err(BackupError::Cursor),
        };
        let limit = Limit::or(input.limit, DEFAULT_LIMIT);
        let place = self.place.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let mut ids = ids(&place)?;
            ids.retain(|id| before.is_none_or(|before| *id < before));
            ids.sort_unstable_by(|a, b| b.cmp(a));
            let more = ids.len() > limit;
            ids.truncate(limit);
            let next = ids.last().filter(|_| more).map(ToString::to_string);
            let backups = ids.into_iter().filter_map(|id| backup(&place, id)).collect();
            Ok(BackupListOut { backups, next })
        });
        listed.await.map_err(|_| BackupError::Stopped)?
    }
}

fn ids(place: &Place) -> Result<Vec<BackupId>, BackupError> {
    let entries = match fs::read_dir(&place.backups) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(&place.backups, error).into()),
    };
    let id = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".age")?.parse().ok();
    Ok(entries.flatten().filter_map(id).collect())
}

fn backup(place: &Place, id: BackupId) -> Option<Backup> {
    let path = place.file(id);
    let meta = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    Some(Backup {
        id,
        path: path.display().to_string(),
        size_bytes: meta.len(),
        created_at: id.made_at().unwrap_or(Timestamp::EPOCH),
        note: note(place, id),
    })
}

/// What stands beside it; a note that is too long or damaged is none.
fn note(place: &Place, id: BackupId) -> Option<BackupNote> {
    let path = place.note(id);
    let small = fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= MOST_NOTE_BYTES);
    serde_json::from_slice(&small.then(|| fs::read(&path).ok())??).ok()
}

const DEFAULT_LIMIT: usize = 100;
/// The most recipients of the longest keys fit.
const MOST_NOTE_BYTES: u64 = 128 * 1024;
