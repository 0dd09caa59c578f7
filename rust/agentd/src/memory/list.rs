//! `GET /memory`: a page of memories, or one of them whole.

use osmoda_types::api::agentd::memory::{Listed, MemoryListIn, MemoryListOut, Origin};
use osmoda_types::{Limit, MemoryId};
use rusqlite::{Connection, ToSql};

use super::files::Found;
use super::index::first_place;
use super::rows::{self, KNOWN, Known};
use super::{Memory, MemoryError};

impl Memory {
    /// Memories, newest first.
    ///
    /// # Errors
    /// [`MemoryError::Field`] for an `after` that is no cursor, [`MemoryError::NotFound`] for an `id` that names
    /// nothing, [`MemoryError::State`].
    pub async fn list(&self, input: MemoryListIn) -> Result<MemoryListOut, MemoryError> {
        if let Some(id) = input.id {
            return Ok(MemoryListOut { memories: vec![self.one(id).await?], next: None });
        }
        let before = match input.after.as_deref().map(str::parse::<i64>) {
            None => i64::MAX,
            Some(Ok(place)) => place,
            Some(Err(_)) => return Err(MemoryError::field("/after", "is not the next of a page")),
        };
        let limit = Limit::or(input.limit, 100);
        let page = Page {
            from: input.since.map(|since| first_place(since.resolve(self.shared.clock.now()).as_millis())),
            before,
            category: input.category.map(|text| text.into_inner()),
            source: input.source.map(|text| text.into_inner()),
            limit,
        };
        Ok(self.shared.read(move |connection| page.read(connection)).await?)
    }

    async fn one(&self, id: MemoryId) -> Result<Listed, MemoryError> {
        let found = self.shared.read(move |connection| {
            rows::by_id(connection, id)?.map(|known| listed(connection, known)).transpose()
        });
        let missing = || MemoryError::NotFound { id: id.to_string() };
        let mut listed = found.await?.ok_or_else(missing)?;
        let path = listed.path.clone();
        let Found::Entry(entry, _) = self.shared.files(move |tree| tree.read(&path)).await? else {
            return Err(missing());
        };
        listed.detail = Some(entry.detail);
        listed.origins = entry.origins;
        if entry.actor.is_some() {
            listed.origins.push(Origin { actor: entry.actor, ..Origin::default() });
        }
        Ok(listed)
    }
}

struct Page {
    from: Option<i64>,
    before: i64,
    category: Option<String>,
    source: Option<String>,
    limit: usize,
}

impl Page {
    fn read(&self, connection: &Connection) -> rusqlite::Result<MemoryListOut> {
        let from = self.from.unwrap_or(i64::MIN);
        // One more than the page takes tells whether there is a next one.
        let most = self.limit + 1;
        let mut values: Vec<&dyn ToSql> = vec![&from, &self.before, &most];
        let mut sql = format!("SELECT {KNOWN} FROM entries");
        let mut place = "entries.place";
        let mut filter = String::new();
        if let Some(source) = &self.source {
            values.push(source);
            sql.push_str(" JOIN origins ON origins.place = entries.place");
            place = "origins.place";
            filter.push_str(&format!(" AND origins.name = ?{}", values.len()));
        }
        if let Some(category) = &self.category {
            values.push(category);
            filter.push_str(&format!(" AND category = ?{}", values.len()));
        }
        sql.push_str(&format!(
            " WHERE {place} >= ?1 AND {place} < ?2{filter} ORDER BY {place} DESC LIMIT ?3"
        ));
        let mut statement = connection.prepare_cached(&sql)?;
        let rows: Vec<Known> =
            statement.query_map(values.as_slice(), Known::read)?.collect::<rusqlite::Result<_>>()?;
        let more = rows.len() > self.limit;
        let rows = rows.into_iter().take(self.limit);
        let mut next = None;
        let mut memories = Vec::new();
        for known in rows {
            next = Some(known.place.to_string());
            memories.push(listed(connection, known)?);
        }
        Ok(MemoryListOut { memories, next: next.filter(|_| more) })
    }
}

fn listed(connection: &Connection, known: Known) -> rusqlite::Result<Listed> {
    Ok(Listed {
        superseded_by: known.superseded_by(connection)?,
        conflicts_with: known.conflicts(connection)?,
        id: known.id,
        summary: known.summary,
        category: known.category,
        tags: known.tags,
        created_at: known.created_at,
        trusted: known.trusted,
        path: known.path,
        detail: None,
        origins: Vec::new(),
    })
}
