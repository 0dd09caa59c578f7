//! The writing side of `memory.db`: every change is "this path now holds this", so that doing one twice does no harm.

use osmoda_store::{Apply, Schema};
use rusqlite::{OptionalExtension, Transaction};

use super::entry::Entry;
use super::files::Look;

/// The steps of `memory.db`.
pub(super) const SCHEMA: Schema =
    Schema { steps: &[include_str!("../../migrations/memory/0001_entries.sql")] };

/// One path and what it holds now.
pub(super) enum Change {
    Entry { path: String, entry: Box<Entry>, look: Look },
    Malformed { path: String, reason: String, look: Look },
    Gone { path: String },
}

/// What the writer is asked for.
pub(super) enum Job {
    /// These, in this order.
    Changes(Vec<Change>),
    /// Nothing but to be written: only writing tells whether it can be.
    Probe,
    /// A step towards one segment of words; the first one of a row of steps says what belongs into it. What was
    /// added in many small commits is read faster afterwards.
    Merge { first: bool },
}

/// Applies changes in the order they come in.
pub(super) struct Indexer;

impl Apply for Indexer {
    type Job = Job;
    /// Whether another step is worth its while, after a merge.
    type Reply = bool;

    fn weight(job: &Job) -> usize {
        match job {
            Job::Changes(changes) => changes.len(),
            Job::Probe => 1,
            // The reads of others in between are what makes it a step.
            Job::Merge { .. } => usize::MAX / 2,
        }
    }

    fn apply(&mut self, transaction: &Transaction<'_>, job: Job) -> rusqlite::Result<bool> {
        match job {
            Job::Changes(changes) => {
                changes.into_iter().try_for_each(|change| apply(transaction, change))?;
                Ok(false)
            }
            Job::Probe => {
                let sql = "UPDATE meta SET value = value WHERE key = 'min_reader'";
                transaction.prepare_cached(sql)?.execute([]).map(|_| false)
            }
            Job::Merge { first } => {
                let before = transaction.total_changes();
                let pages = if first { -MERGED_PAGES } else { MERGED_PAGES };
                let sql = "INSERT INTO words (words, rank) VALUES ('merge', ?1)";
                transaction.prepare_cached(sql)?.execute([pages])?;
                // sqlite.org/fts5.html, the 'merge' command: fewer than two changes say that nothing is left.
                Ok(transaction.total_changes() - before >= 2)
            }
        }
    }

    fn committed(&mut self) {}

    fn rolled_back(&mut self) {}
}

fn apply(transaction: &Transaction<'_>, change: Change) -> rusqlite::Result<()> {
    match change {
        Change::Entry { path, entry, look } => {
            let sql = "SELECT path FROM entries WHERE id = ?1 AND path <> ?2";
            let mut twin = transaction.prepare_cached(sql)?;
            let twin: Option<String> =
                twin.query_row((entry.id.to_string(), &path), |row| row.get(0)).optional()?;
            if let Some(twin) = twin {
                return malformed(transaction, &path, &format!("its id is that of {twin}"), look);
            }
            let before = clear(transaction, &path)?;
            insert(transaction, &path, &entry, look, before)
        }
        Change::Malformed { path, reason, look } => malformed(transaction, &path, &reason, look),
        Change::Gone { path } => clear(transaction, &path).map(drop),
    }
}

/// Takes out what was known of a path; answers the place it had.
fn clear(transaction: &Transaction<'_>, path: &str) -> rusqlite::Result<Option<i64>> {
    transaction.prepare_cached("DELETE FROM malformed WHERE path = ?1")?.execute([path])?;
    let mut delete = transaction.prepare_cached("DELETE FROM entries WHERE path = ?1 RETURNING place")?;
    // Run to its end: RETURNING gives its row before the triggers are done.
    let places: Vec<i64> = delete.query_map([path], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(places.first().copied())
}

fn malformed(transaction: &Transaction<'_>, path: &str, reason: &str, look: Look) -> rusqlite::Result<()> {
    clear(transaction, path)?;
    let sql = "INSERT INTO malformed (path, mtime_ns, size_bytes, reason) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute((path, look.mtime_ns, look.size, reason)).map(drop)
}

fn insert(
    transaction: &Transaction<'_>,
    path: &str,
    entry: &Entry,
    look: Look,
    before: Option<i64>,
) -> rusqlite::Result<()> {
    let first = first_place(entry.created_at.as_millis());
    let place = match before.filter(|place| (first..first + PLACES_A_SECOND).contains(place)) {
        Some(place) => place,
        None => free_place(transaction, first)?,
    };
    let sql = "INSERT INTO entries (place, id, path, mtime_ns, size_bytes, created_at_ms, category, tags, summary, detail, \
               trusted, event, sameness, topic) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    transaction.prepare_cached(sql)?.execute(rusqlite::params![
        place,
        entry.id.to_string(),
        path,
        look.mtime_ns,
        look.size,
        entry.created_at.as_millis(),
        entry.category,
        entry.tags.join("\n"),
        entry.summary,
        entry.detail,
        entry.trusted,
        entry.event,
        entry.sameness(),
        entry.topic(),
    ])?;
    let mut origin = transaction.prepare_cached("INSERT INTO origins (name, place) VALUES (?1, ?2)")?;
    entry.names().iter().try_for_each(|name| origin.execute((name, place)).map(drop))?;
    let mut old =
        transaction.prepare_cached("INSERT OR IGNORE INTO supersedes (old_id, place) VALUES (?1, ?2)")?;
    entry.supersedes.iter().try_for_each(|id| old.execute((id.to_string(), place)).map(drop))
}

/// The first place of the second of this time.
pub(super) fn first_place(millis: i64) -> i64 {
    millis.div_euclid(1000) * PLACES_A_SECOND
}

/// Behind the last one of its second; where a second is full, in one of the next ones.
fn free_place(transaction: &Transaction<'_>, first: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT max(place) FROM entries WHERE place >= ?1 AND place < ?2";
    let mut last = transaction.prepare_cached(sql)?;
    let mut from = first;
    loop {
        let taken: Option<i64> = last.query_row((from, from + PLACES_A_SECOND), |row| row.get(0))?;
        match taken {
            None => return Ok(from),
            Some(taken) if taken + 1 < from + PLACES_A_SECOND => return Ok(taken + 1),
            Some(_) => from += PLACES_A_SECOND,
        }
    }
}

/// Pages that one step of merging writes.
const MERGED_PAGES: i64 = 500;

const PLACES_A_SECOND: i64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::SCHEMA;

    #[test]
    fn the_steps_sum_up_to_the_committed_schema() {
        assert_eq!(SCHEMA.sum().unwrap(), include_str!("../../migrations/memory/schema.sql"));
    }
}
