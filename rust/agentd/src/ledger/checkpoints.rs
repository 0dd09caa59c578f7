//! Signed statements about the whole ledger: asked for, stored, and copied to a file of their own.
//!
//! The file is a second memory beside the database. It is only appended to (an installed system sets `chattr +a`), can
//! be copied away with a plain tool, and nothing is signed that contradicts its last line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use data_encoding::BASE64;
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::export::Line;
use osmoda_tlog::note::Note;
use osmoda_types::api::agentd::ledger::LedgerCheckpointOut;
use rusqlite::{Connection, OptionalExtension};

use super::rows::damaged;
use super::{Engine, LedgerError, keeper, key, rows, tree};

impl Engine {
    /// `GET /ledger/checkpoint`: a signed note over every event there is now.
    ///
    /// # Errors
    /// [`LedgerError::NoSigner`], [`LedgerError::State`].
    pub async fn checkpoint(&self) -> Result<LedgerCheckpointOut, LedgerError> {
        let (size, note) = self.shared.sign().await?;
        keeper::copy(&self.shared).await;
        self.read(move |connection| {
            let checkpoint = parse(&note).ok_or_else(damaged)?;
            let signer = key::in_force(connection, size)?.to_string();
            Ok(LedgerCheckpointOut { size, root: BASE64.encode(&checkpoint.root), note, signer })
        })
        .await
    }
}

/// Size and note of the newest stored checkpoint, if one was made.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Option<(u64, String)>> {
    connection
        .prepare_cached("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Whether the events still are what was signed last, as the table and the file at `path` remember it.
pub(super) fn hold(connection: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let size = rows::size(connection)?;
    let copied = File::open(path).and_then(|mut file| last(&mut file)).map_or(None, |(copied, _)| copied);
    let stored = newest(connection)?.map(|(_, note)| parse(&note));
    for checkpoint in stored.into_iter().chain(copied.map(Some)) {
        let Some(Checkpoint { size: signed, root, .. }) = checkpoint else { return Ok(false) };
        if signed > size || tree::frontier(connection, signed)?.root() != root {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Appends to the file at `path` the stored checkpoints beyond its last one.
pub(super) fn copy(connection: &Connection, path: &Path) -> rusqlite::Result<io::Result<()>> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    let (mut file, last, whole) =
        match file.and_then(|mut file| last(&mut file).map(|(last, whole)| (file, last, whole))) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
    // A line that a crash cut off is written again on a line of its own.
    let mut lines = if whole { String::new() } else { "\n".to_owned() };
    let before = lines.len();
    connection
        .prepare_cached("SELECT note FROM checkpoints WHERE size > ?1 ORDER BY size")?
        .query_map([last.map_or(0, |last| last.size)], |row| row.get(0))?
        .try_for_each(|note| {
            lines += &Line::Checkpoint(note?).format();
            lines.push('\n');
            Ok::<_, rusqlite::Error>(())
        })?;
    if lines.len() == before {
        return Ok(Ok(()));
    }
    Ok(file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()))
}

/// The last whole checkpoint in the file, and whether the file ends with a whole line.
fn last(file: &mut File) -> io::Result<(Option<Checkpoint>, bool)> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.is_empty() || tail.ends_with(b"\n");
    let mut lines = tail.split(|byte| *byte == b'\n').rev();
    let last = lines.find_map(|line| match Line::parse(line) {
        Ok(Line::Checkpoint(note)) => parse(&note),
        _ => None,
    });
    Ok((last, whole))
}

fn parse(note: &str) -> Option<Checkpoint> {
    note.parse::<Note>().ok()?.text().parse().ok()
}

/// More than two of the longest notes.
const TAIL_BYTES: u64 = 256 * 1024;
