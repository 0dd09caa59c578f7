//! The reading side of `memory.db`: what the index knows of places, paths and names.

use osmoda_types::{MemoryId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, types::Type};

use super::files::Look;

/// An entry as the index has it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) place: i64,
    pub(super) id: MemoryId,
    pub(super) path: String,
    pub(super) created_at: Timestamp,
    pub(super) category: String,
    pub(super) tags: Vec<String>,
    pub(super) summary: String,
    pub(super) trusted: bool,
    pub(super) topic: Option<i64>,
}

/// The columns of [`Known::read`].
pub(super) const KNOWN: &str =
    "entries.place, id, path, created_at_ms, category, tags, summary, trusted, topic";

impl Known {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let tags: String = row.get(5)?;
        Ok(Self {
            place: row.get(0)?,
            id: id(row, 1)?,
            path: row.get(2)?,
            created_at: Timestamp::from_millis(row.get(3)?).unwrap_or(Timestamp::EPOCH),
            category: row.get(4)?,
            tags: tags.split('\n').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
            summary: row.get(6)?,
            trusted: row.get(7)?,
            topic: row.get(8)?,
        })
    }

    /// The newest memory that replaced this one.
    pub(super) fn superseded_by(&self, connection: &Connection) -> rusqlite::Result<Option<MemoryId>> {
        let sql = "SELECT id FROM supersedes JOIN entries USING (place) WHERE old_id = ?1 ORDER BY place DESC LIMIT 1";
        connection.prepare_cached(sql)?.query_row([self.id.to_string()], |row| id(row, 0)).optional()
    }

    /// Knowledge of the same summary that says something else, where neither replaced the other nor is replaced.
    pub(super) fn conflicts(&self, connection: &Connection) -> rusqlite::Result<Vec<MemoryId>> {
        let Some(topic) = self.topic else { return Ok(Vec::new()) };
        conflicts(connection, topic, self.id)
    }
}

/// The newest knowledge of a topic beside `but`, without what is superseded; nothing where `but` itself is.
pub(super) fn conflicts(
    connection: &Connection,
    topic: i64,
    but: MemoryId,
) -> rusqlite::Result<Vec<MemoryId>> {
    let sql = "SELECT id FROM entries WHERE topic = ?1 AND id <> ?2
        AND sameness IS NOT (SELECT sameness FROM entries WHERE id = ?2)
        AND NOT EXISTS (SELECT 1 FROM supersedes WHERE old_id IN (entries.id, ?2))
        ORDER BY place DESC LIMIT 8";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map((topic, but.to_string()), |row| id(row, 0))?.collect()
}

pub(super) fn by_id(connection: &Connection, id: MemoryId) -> rusqlite::Result<Option<Known>> {
    let sql = format!("SELECT {KNOWN} FROM entries WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.to_string()], Known::read).optional()
}

pub(super) fn by_place(connection: &Connection, place: i64) -> rusqlite::Result<Option<Known>> {
    let sql = format!("SELECT {KNOWN} FROM entries WHERE place = ?1");
    connection.prepare_cached(&sql)?.query_row([place], Known::read).optional()
}

/// Paths of entries that say the same, oldest first.
pub(super) fn same(connection: &Connection, sameness: [u8; 16]) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT path FROM entries WHERE sameness = ?1 ORDER BY place LIMIT 16";
    connection.prepare_cached(sql)?.query_map([sameness], |row| row.get(0))?.collect()
}

/// Paths of entries that name this origin.
pub(super) fn named(connection: &Connection, name: &str, most: usize) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT path FROM origins JOIN entries USING (place) WHERE name = ?1 ORDER BY place LIMIT ?2";
    connection.prepare_cached(sql)?.query_map((name, most), |row| row.get(0))?.collect()
}

/// How the file at a path looked when it was read.
pub(super) fn look(connection: &Connection, path: &str) -> rusqlite::Result<Option<Look>> {
    let sql = "SELECT mtime_ns, size_bytes FROM entries WHERE path = ?1
        UNION ALL SELECT mtime_ns, size_bytes FROM malformed WHERE path = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([path], |row| Ok(Look { mtime_ns: row.get(0)?, size: row.get(1)? })).optional()
}

/// Known paths after `after` and before `before`, in order, with the look of each; a file whose trouble was another
/// file has none, so that it is read again.
pub(super) fn looks(
    connection: &Connection,
    after: &str,
    before: &str,
    most: usize,
) -> rusqlite::Result<Vec<(String, Option<Look>)>> {
    let sql = "SELECT path, mtime_ns, size_bytes, 0 FROM entries WHERE path > ?1 AND path < ?2
        UNION ALL SELECT path, mtime_ns, size_bytes, reason LIKE 'its id is that of%' FROM malformed
            WHERE path > ?1 AND path < ?2
        ORDER BY 1 LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((after, before, most), |row| {
        let look = Look { mtime_ns: row.get(1)?, size: row.get(2)? };
        let again: bool = row.get(3)?;
        Ok((row.get(0)?, (!again).then_some(look)))
    })?;
    rows.collect()
}

/// Whether there is a file whose trouble is another file.
pub(super) fn has_twins(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM malformed WHERE reason LIKE 'its id is that of%')";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// The months that the index knows of.
pub(super) fn months(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT min(path) FROM (SELECT min(path) AS path FROM entries WHERE path > ?1
        UNION ALL SELECT min(path) FROM malformed WHERE path > ?1)";
    let mut first = connection.prepare_cached(sql)?;
    let (mut months, mut after) = (Vec::new(), String::new());
    while let Some(path) = first.query_row([&after], |row| row.get::<_, Option<String>>(0))? {
        let month = path.get(..7).unwrap_or(&path).to_owned();
        // '0' follows '/', so this is behind every path of the month.
        after = format!("{month}0");
        months.push(month);
    }
    Ok(months)
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT value FROM meta WHERE key = 'entries'", [], |row| row.get(0))
}

/// How many files are no entry, and the first of them with the reason.
pub(super) fn malformed(
    connection: &Connection,
    most: usize,
) -> rusqlite::Result<(u64, Vec<(String, String)>)> {
    let count = connection.query_row("SELECT count(*) FROM malformed", [], |row| row.get(0))?;
    let mut first = connection.prepare_cached("SELECT path, reason FROM malformed ORDER BY path LIMIT ?1")?;
    let first = first.query_map([most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((count, first.collect::<rusqlite::Result<_>>()?))
}

fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<MemoryId> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}
