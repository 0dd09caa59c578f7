//! `POST /ledger/verify`: the whole ledger, checked by the same verifier that checks exports.

use futures_util::{StreamExt, stream};
use osmoda_tlog::chain::RowRef;
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::chunk::Chunk;
use osmoda_tlog::note::Note;
use osmoda_tlog::verdict::{Failure, Report};
use osmoda_tlog::verify::{Trust, Verifier};
use osmoda_types::api::agentd::ledger::{LedgerVerifyIn, LedgerVerifyOut};
use osmoda_types::{Text, chain};
use rusqlite::Connection;

use super::condition::Part;
use super::rows::{self, COLUMNS};
use super::{Engine, LedgerError};

impl Engine {
    /// Verifies every hash, link, id, time and checkpoint, and the notes given. Runs on all cores but keeps a read
    /// connection free; events that come meanwhile are not looked at.
    ///
    /// # Errors
    /// [`LedgerError::State`] when the file cannot be read. A ledger that is not whole is an answer.
    pub async fn verify(&self, input: LedgerVerifyIn) -> Result<LedgerVerifyOut, LedgerError> {
        let (size, stored) = self
            .read(|connection| {
                let stored: u64 =
                    connection.query_row("SELECT count(*) FROM checkpoints", [], |row| row.get(0))?;
                Ok((rows::size(connection)?, stored))
            })
            .await?;
        let checkpoints = stored + input.against.len() as u64;
        let mut verifier = Verifier::new(Trust::default());
        for note in input.against.iter() {
            if let Err(failure) = verifier.against(note) {
                return Ok(failed(&failure, checkpoints));
            }
        }
        let alone = input.against.is_empty();
        let starts = (0..size.div_ceil(CHUNK_ROWS).max(1)).map(|number| number * CHUNK_ROWS);
        let chunks = starts.map(|after| {
            let last = after + CHUNK_ROWS >= size;
            self.read(move |connection| chunk(connection, after, after + CHUNK_ROWS, last))
        });
        let mut chunks = stream::iter(chunks).buffered(parallel());
        while let Some(chunk) = chunks.next().await {
            if let Err(failure) = verifier.merge(chunk?) {
                return Ok(self.found(&failure, alone, checkpoints));
            }
        }
        Ok(match verifier.finish() {
            Ok(report) => {
                self.shared.condition.works(Part::Content);
                whole(&report, &input.against, checkpoints)
            }
            Err(failure) => self.found(&failure, alone, checkpoints),
        })
    }

    /// A failure that is the ledger's own, not one of a note that was given, shows in `/health` until a verification
    /// finds the ledger whole.
    fn found(&self, failure: &Failure, alone: bool, checkpoints: u64) -> LedgerVerifyOut {
        if alone || matches!(failure, Failure::Broken { .. }) {
            self.shared.condition.broken();
        }
        failed(failure, checkpoints)
    }
}

/// The rows after `after` up to `to` with the checkpoints among them; the last chunk also has those beyond.
pub(super) fn chunk(connection: &Connection, after: u64, to: u64, last: bool) -> rusqlite::Result<Chunk> {
    let mut checkpoints: Vec<(u64, String)> = connection
        .prepare_cached(
            "SELECT size, note FROM checkpoints WHERE size > ?1 AND (size <= ?2 OR ?3) ORDER BY size DESC",
        )?
        .query_map((after, to, last), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut chunk = Chunk::new();
    let sql = format!("SELECT {COLUMNS} FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([after, to])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        while let Some((_, note)) = checkpoints.pop_if(|(size, _)| *size < id) {
            chunk.push_checkpoint(note);
        }
        // A column that is not text any more reads as empty, which no hash fits.
        let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str().unwrap_or(""));
        chunk.push(RowRef {
            id,
            ts: text(1)?,
            kind: text(2)?,
            actor: text(3)?,
            payload: text(4)?,
            prev_hash: text(5)?,
            hash: text(6)?,
        });
    }
    for (_, note) in checkpoints.into_iter().rev() {
        chunk.push_checkpoint(note);
    }
    Ok(chunk)
}

fn whole(report: &Report, against: &[Text<4096>], checkpoints: u64) -> LedgerVerifyOut {
    let kept = against.iter().filter_map(|note| size_of(note)).max();
    let cosigned = report.witnessed(1).map(|witnessed| witnessed.size);
    let finding = match kept {
        Some(kept) if kept == report.verified => {
            format!("verified to {kept}, which the given checkpoint covers")
        }
        Some(kept) => {
            format!(
                "verified to {}, given checkpoints cover it to {kept}, the rest unwitnessed",
                report.verified
            )
        }
        None => report.to_string(),
    };
    LedgerVerifyOut {
        ok: true,
        exit_code: 0,
        verified_to: report.verified,
        witnessed_to: kept.max(cosigned).unwrap_or(0),
        broken_at: None,
        finding,
        checkpoints,
    }
}

fn size_of(note: &str) -> Option<u64> {
    let note: Note = note.parse().ok()?;
    Some(note.text().parse::<Checkpoint>().ok()?.size)
}

fn failed(failure: &Failure, checkpoints: u64) -> LedgerVerifyOut {
    let (verified_to, broken_at) = match failure {
        Failure::Broken { id, .. } => (id.saturating_sub(1), Some(*id)),
        Failure::Checkpoint { .. } => (0, None),
        Failure::Truncated { verified, .. } => (*verified, None),
    };
    LedgerVerifyOut {
        ok: false,
        exit_code: failure.exit_code(),
        verified_to,
        witnessed_to: 0,
        broken_at,
        finding: chain(failure),
        checkpoints,
    }
}

fn parallel() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(3)
}

pub(super) const CHUNK_ROWS: u64 = 8192;
