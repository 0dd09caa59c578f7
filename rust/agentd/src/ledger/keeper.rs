//! The task behind the ledger: signs in time, copies checkpoints out of the database, watches for healing.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::export::Line;
use osmoda_tlog::note::Note;
use osmoda_types::api::agentd::ledger::LedgerCheckpointOut;
use rusqlite::Connection;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::appender::Job;
use super::condition::Part;
use super::engine::{RETRY, Shared};
use super::rows::{self, damaged};
use super::{Engine, LedgerError, key};

impl Engine {
    /// `GET /ledger/checkpoint`: a signed note over every event there is now.
    ///
    /// # Errors
    /// [`LedgerError::NoSigner`], [`LedgerError::State`].
    pub async fn checkpoint(&self) -> Result<LedgerCheckpointOut, LedgerError> {
        let (size, note) = self.shared.sign().await?;
        copy(&self.shared).await;
        self.read(move |connection| {
            let checkpoint = parse(&note)?;
            let signer = key::in_force(connection, size)?.to_string();
            Ok(LedgerCheckpointOut { size, root: BASE64.encode(&checkpoint.root), note, signer })
        })
        .await
    }
}

/// Runs until `stop`; then signs the rest and closes the database.
pub(super) async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut position = shared.position.subscribe();
    let mut parts = shared.condition.watch();
    copy(&shared).await;
    let mut due = None;
    loop {
        let parts_now = *parts.borrow_and_update();
        let ailing = parts_now.fails(Part::Write) || parts_now.fails(Part::Read);
        let signing = !parts_now.fails(Part::Sign);
        let now = *position.borrow_and_update();
        let unsigned = now.size.saturating_sub(now.signed);
        if unsigned == 0 {
            due = None;
        } else if unsigned >= SIGN_EVENTS && signing {
            due = Some(Instant::now());
        } else {
            due.get_or_insert_with(|| Instant::now() + SIGN_EVERY);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = sleep(RETRY), if ailing => drop((shared.submit(Job::Probe).await, shared.read(rows::size).await)),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if !ailing && due.is_some() => {
                due = None;
                if shared.sign().await.is_ok() {
                    copy(&shared).await;
                }
            }
            Ok(()) = position.changed() => {}
            Ok(()) = parts.changed() => {}
        }
    }
    if shared.sign().await.is_ok() {
        copy(&shared).await;
    }
    shared.close().await;
}

/// Brings the append-only file of checkpoints up to the table. It is a second place to look, kept for copying away;
/// the ledger does not depend on it.
async fn copy(shared: &Shared) {
    let path = shared.checkpoints_file();
    let copied = shared.read(move |connection| copy_new(connection, &path)).await;
    if let Ok(Err(error)) = copied {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "checkpoints cannot be copied to their file");
    }
}

fn copy_new(connection: &Connection, path: &Path) -> rusqlite::Result<std::io::Result<()>> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) => return Ok(Err(error)),
    };
    let (last, whole) = match last_size(&mut file) {
        Ok(last) => last,
        Err(error) => return Ok(Err(error)),
    };
    let mut lines = String::new();
    connection
        .prepare_cached("SELECT note FROM checkpoints WHERE size > ?1 ORDER BY size")?
        .query_map([last], |row| row.get(0))?
        .try_for_each(|note| {
            lines += &Line::Checkpoint(note?).format();
            lines.push('\n');
            Ok::<_, rusqlite::Error>(())
        })?;
    if lines.is_empty() {
        return Ok(Ok(()));
    }
    if !whole {
        // A crash cut the last line off; it is written again on a line of its own.
        lines.insert(0, '\n');
    }
    Ok(file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()))
}

/// Size of the last whole checkpoint in the file, 0 if there is none, and whether the file ends with its line.
fn last_size(file: &mut std::fs::File) -> std::io::Result<(u64, bool)> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.is_empty() || tail.ends_with(b"\n");
    let mut lines = tail.split(|byte| *byte == b'\n').rev();
    let size = lines.find_map(|line| match Line::parse(line) {
        Ok(Line::Checkpoint(note)) => parse(&note).ok().map(|checkpoint| checkpoint.size),
        _ => None,
    });
    Ok((size.unwrap_or(0), whole))
}

fn parse(note: &str) -> rusqlite::Result<Checkpoint> {
    let checkpoint = note.parse::<Note>().and_then(|note| note.text().parse::<Checkpoint>());
    checkpoint.map_err(|_| damaged())
}

/// A checkpoint follows so many unsigned events, or the first of them after so long.
const SIGN_EVENTS: u64 = 1024;
const SIGN_EVERY: Duration = Duration::from_secs(60);

/// More than two of the longest notes.
const TAIL_BYTES: u64 = 256 * 1024;
