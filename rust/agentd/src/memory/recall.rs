//! `POST /memory/recall`: the best memories for some words.

use osmoda_types::api::agentd::memory::{MemoryRecallIn, MemoryRecallOut, Recalled};
use rusqlite::Connection;

use super::files::Tree;
use super::index::first_place;
use super::search::{Search, rank, snippet};
use super::words::words;
use super::{Memory, MemoryError, rows};

impl Memory {
    /// Finds memories by words.
    ///
    /// # Errors
    /// [`MemoryError::Field`] for a query without a word, [`MemoryError::State`].
    pub async fn recall(&self, input: MemoryRecallIn) -> Result<MemoryRecallOut, MemoryError> {
        let words = words(&input.query);
        if words.is_empty() {
            return Err(MemoryError::field("/query", "holds no word: letters or digits are needed"));
        }
        let now = self.shared.clock.now();
        let search = Search {
            words,
            from: input.timeframe.map(|from| first_place(from.resolve(now).as_millis())),
            category: input.category.map(|category| category.into_inner()),
            now_ms: now.as_millis(),
            most: input.max_results.map_or(10, |most| usize::try_from(most.get()).unwrap_or(100)),
        };
        let tree = self.shared.tree.clone();
        Ok(self.shared.read(move |connection| recall(connection, &tree, &search)).await?)
    }
}

fn recall(connection: &Connection, tree: &Tree, search: &Search) -> rusqlite::Result<MemoryRecallOut> {
    // One look at the index for all of it: consistent, and cheaper than a transaction for each statement.
    let _look = connection.unchecked_transaction()?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let ranking = rank(connection, search)?;
    let mut memories = Vec::with_capacity(ranking.best.len());
    for (place, score) in ranking.best {
        let Some(known) = rows::by_place(connection, place)? else { continue };
        // The files are the truth: one that was removed a moment ago is not found any more.
        if matches!(tree.look(&known.path), Ok(None)) {
            continue;
        }
        let snippet = snippet(connection, &ranking.shown, place)?;
        memories.push(Recalled {
            superseded_by: known.superseded_by(connection)?,
            conflicts_with: known.conflicts(connection)?,
            id: known.id,
            snippet: snippet.unwrap_or_else(|| known.summary.clone()),
            summary: known.summary,
            score: (score * 1000.0).round() / 1000.0,
            category: known.category,
            tags: known.tags,
            created_at: known.created_at,
            trusted: known.trusted,
        });
    }
    Ok(MemoryRecallOut { memories, capped: ranking.capped })
}

/// All that a recall prepares, with and without a category.
const STATEMENTS: usize = 32;
