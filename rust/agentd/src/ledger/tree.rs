//! The Merkle tree of the stored events: any node, from the nearest stored level below it.

use osmoda_tlog::Hash;
use osmoda_tlog::merkle::{Frontier, Subtree, TILE_HEIGHT, leaf_hash, node_hash};
use rusqlite::{Connection, OptionalExtension};

use super::rows::damaged;

/// The root of the complete subtree `index` of 2^level leaves; reads at most 256 rows where the cache is whole.
///
/// # Errors
/// `SQLITE_CORRUPT` when an event below it is missing.
pub(super) fn node(connection: &Connection, level: u32, index: u64) -> rusqlite::Result<Hash> {
    if level > 0
        && level.is_multiple_of(TILE_HEIGHT)
        && let Some(hash) = tile(connection, level, index)?
    {
        return Ok(hash);
    }
    let stored = level.saturating_sub(1) / TILE_HEIGHT * TILE_HEIGHT;
    let height = level - stored;
    let mut row = nodes(connection, stored, index << height, 1 << height)?;
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row.pop().ok_or_else(damaged)
}

/// The frontier of the tree over the first `size` events.
pub(super) fn frontier(connection: &Connection, size: u64) -> rusqlite::Result<Frontier> {
    Frontier::load(size, |level, index| node(connection, level, index))
}

/// Keeps a completed subtree, also where the cache remembers another one from before a truncation.
pub(super) fn store(connection: &Connection, tile: &Subtree) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO tiles (level, idx, hash) VALUES (?1, ?2, ?3)")?
        .execute((tile.level, tile.index, tile.hash))?;
    Ok(())
}

/// Computes the cache again from all events, in one transaction.
pub(super) fn rebuild(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM tiles", [])?;
    {
        let mut events = transaction.prepare("SELECT hash FROM events ORDER BY id")?;
        let mut rows = events.query([])?;
        let mut frontier = Frontier::new();
        while let Some(row) = rows.next()? {
            for tile in frontier.append(leaf_hash(row.get_ref(0)?.as_bytes()?)) {
                store(&transaction, &tile)?;
            }
        }
    }
    transaction.commit()
}

/// `count` neighbouring nodes of a stored level.
fn nodes(connection: &Connection, level: u32, first: u64, count: u64) -> rusqlite::Result<Vec<Hash>> {
    let hashes: Vec<Hash> = if level == 0 {
        connection
            .prepare_cached("SELECT hash FROM events WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?
            .query_map([first + 1, first + count], |row| Ok(leaf_hash(row.get_ref(0)?.as_bytes()?)))?
            .collect::<rusqlite::Result<_>>()?
    } else {
        connection
            .prepare_cached("SELECT hash FROM tiles WHERE level = ?1 AND idx BETWEEN ?2 AND ?3 ORDER BY idx")?
            .query_map((level, first, first + count - 1), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?
    };
    if hashes.len() as u64 == count {
        return Ok(hashes);
    }
    if level == 0 {
        return Err(damaged());
    }
    // The cache has a hole: the level below has it, or the events do.
    (first..first + count).map(|index| node(connection, level, index)).collect()
}

fn tile(connection: &Connection, level: u32, index: u64) -> rusqlite::Result<Option<Hash>> {
    connection
        .prepare_cached("SELECT hash FROM tiles WHERE level = ?1 AND idx = ?2")?
        .query_row((level, index), |row| row.get(0))
        .optional()
}
