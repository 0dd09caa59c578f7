//! `GET /ledger/export`: the ledger as JSON lines, in bounded memory however long it is.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use osmoda_tlog::export::{After, Header, Line, VERSION};
use osmoda_types::api::agentd::ledger::LedgerExportIn;
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use super::engine::Shared;
use super::log::count_before;
use super::rows::{self, damaged};
use super::{Engine, LedgerError, key, tree};

impl Engine {
    /// Every event there is now, or those from `since` on, each checkpoint behind the last event it covers. The
    /// stream breaks off, without its proper end, when the file cannot be read any more or `stop` fires.
    ///
    /// # Errors
    /// [`LedgerError::State`], [`LedgerError::NotFound`] before the first event.
    pub async fn export(
        &self,
        input: LedgerExportIn,
        stop: CancellationToken,
    ) -> Result<Response, LedgerError> {
        let now = self.now();
        let start = self.read(move |connection| {
            // One view of the file: a checkpoint beyond its last row is one that outlived its events.
            let connection = &connection.unchecked_transaction()?;
            let size = rows::size(connection)?;
            let beyond = connection
                .prepare_cached("SELECT note FROM checkpoints WHERE size > ?1 ORDER BY size")?
                .query_map([size], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()?;
            if size == 0 && beyond.is_empty() {
                return Ok(None);
            }
            let after = match input.since {
                Some(since) => {
                    let since = since.resolve(now);
                    count_before(connection, size, |ts| ts < since)?
                }
                None => 0,
            };
            Ok(Some((header(connection, after)?, after, size, beyond)))
        });
        let (header, after, size, beyond) = start.await?.ok_or(LedgerError::NotFound { size: 0 })?;
        let shared = Arc::clone(&self.shared);
        let lines = async_stream::try_stream! {
            yield Bytes::from(line(&Line::Export(header)));
            let mut done = after;
            while done < size {
                let (last, lines) = stop
                    .run_until_cancelled(run(&shared, done, size))
                    .await
                    .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::Interrupted))?
                    .map_err(std::io::Error::other)?;
                yield lines;
                done = last;
            }
            for note in beyond {
                yield Bytes::from(line(&Line::Checkpoint(note)));
            }
        };
        Ok(([(CONTENT_TYPE, "application/x-ndjson")], body(lines)).into_response())
    }
}

fn body(lines: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> Body {
    Body::from_stream(lines)
}

fn header(connection: &Connection, after: u64) -> rusqlite::Result<Header> {
    let (origin, signer) = (key::created(connection)?.origin, key::in_force(connection, after.max(1))?);
    let after = match after {
        0 => None,
        _ => {
            let last = rows::one(connection, after)?.ok_or_else(damaged)?;
            Some(After::new(&tree::frontier(connection, after)?, last.hash))
        }
    };
    Ok(Header { v: VERSION, origin, signer, after })
}

/// Some events after `after` up to `to` with their checkpoints, and the id of the last of them. Rows that somebody
/// removed are left out, for the verifier to find.
async fn run(shared: &Shared, after: u64, to: u64) -> Result<(u64, Bytes), LedgerError> {
    shared
        .read(move |connection| {
            let rows = rows::run(connection, after, to)?;
            let last = rows.last().map_or(to, |row| row.id);
            let mut checkpoints: Vec<(u64, String)> = connection
                .prepare_cached(
                    "SELECT size, note FROM checkpoints WHERE size > ?1 AND size <= ?2 ORDER BY size DESC",
                )?
                .query_map([after, last], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let mut lines = Vec::new();
            for row in rows {
                while let Some((_, note)) = checkpoints.pop_if(|(size, _)| *size < row.id) {
                    lines.extend(line(&Line::Checkpoint(note)));
                }
                lines.extend(line(&Line::Event(row)));
            }
            for (_, note) in checkpoints.into_iter().rev() {
                lines.extend(line(&Line::Checkpoint(note)));
            }
            Ok((last, Bytes::from(lines)))
        })
        .await
}

fn line(line: &Line) -> Vec<u8> {
    let mut text = line.format().into_bytes();
    text.push(b'\n');
    text
}
