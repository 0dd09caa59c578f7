//! Rows of `events` as they are read.

use osmoda_tlog::chain::Row;
use osmoda_types::ledger::Event;
use rusqlite::{Connection, OptionalExtension, ffi};
use serde_json::Value;

/// The columns in the order [`read`] takes them.
pub(super) const COLUMNS: &str = "id, ts, type, actor, payload, prev_hash, hash";

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: row.get(0)?,
        ts: row.get(1)?,
        kind: row.get(2)?,
        actor: row.get(3)?,
        payload: row.get(4)?,
        prev_hash: row.get(5)?,
        hash: row.get(6)?,
    })
}

pub(super) fn one(connection: &Connection, id: u64) -> rusqlite::Result<Option<Row>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE id = ?1"))?
        .query_row([id], read)
        .optional()
}

/// The rows after `after` up to `to`, in order, until they hold 1 MiB of payload.
pub(super) fn run(connection: &Connection, after: u64, to: u64) -> rusqlite::Result<Vec<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 4096");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    for row in statement.query_map([after, to], as_it_stands)? {
        let row = row?;
        bytes += row.payload.len();
        rows.push(row);
        if bytes >= RUN_BYTES {
            break;
        }
    }
    Ok(rows)
}

/// A row for a verifier: a column that is not text any more reads as empty, which no hash fits.
fn as_it_stands(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let text =
        |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str().unwrap_or_default().to_owned());
    Ok(Row {
        id: row.get(0)?,
        ts: text(1)?,
        kind: text(2)?,
        actor: text(3)?,
        payload: text(4)?,
        prev_hash: text(5)?,
        hash: text(6)?,
    })
}

/// Number of events, which is the id of the last.
pub(super) fn size(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT coalesce(max(id), 0) FROM events")?.query_row([], |row| row.get(0))
}

/// The event as it is shown. A payload that somebody made unreadable is shown as text: finding that is the
/// verifier's business, and the rest of the log must stay readable.
pub(super) fn event(row: Row) -> rusqlite::Result<Event> {
    Ok(Event {
        id: row.id,
        ts: row.ts.parse().map_err(|_| damaged())?,
        payload: serde_json::from_str(&row.payload).unwrap_or(Value::String(row.payload)),
        kind: row.kind,
        actor: row.actor,
        prev_hash: row.prev_hash,
        hash: row.hash,
    })
}

/// What SQLite itself would say of a row that is not there or not ours.
pub(super) fn damaged() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None)
}

const RUN_BYTES: usize = 1 << 20;
