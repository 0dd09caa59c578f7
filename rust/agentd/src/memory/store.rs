//! `POST /memory/store` and `/memory/ingest`: one file for each text.

use osmoda_types::api::agentd::memory::{MemoryIngestIn, MemoryStoreIn, MemoryStoreOut, Origin};
use osmoda_types::{Actor, MemoryId, Principal, Text, json};
use serde_json::Value;

use super::entry::{Entry, block, one_line};
use super::files::{Found, Tree};
use super::index::Change;
use super::markdown::render;
use super::{Memory, MemoryError, rows};

impl Memory {
    /// Keeps what somebody knows. When it returns, the file survives a power cut and recall finds it.
    ///
    /// # Errors
    /// [`MemoryError::Field`], [`MemoryError::NotFound`] for a `supersedes` that names nothing, [`MemoryError::State`].
    pub async fn store(
        &self,
        principal: &Principal,
        input: MemoryStoreIn,
    ) -> Result<MemoryStoreOut, MemoryError> {
        for id in input.supersedes.iter().copied() {
            if self.shared.read(move |connection| rows::by_id(connection, id)).await?.is_none() {
                return Err(MemoryError::NotFound { id: id.to_string() });
            }
        }
        let mut entry = self.begin(principal, &input.summary, input.detail, input.category, "general")?;
        for tag in input.tags.iter().map(|tag| one_line(tag)) {
            if !tag.is_empty() && !entry.tags.contains(&tag) {
                entry.tags.push(tag);
            }
        }
        let source = input.source.map(|source| one_line(&source)).filter(|source| !source.is_empty());
        entry.origins.iter_mut().for_each(|origin| origin.source.clone_from(&source));
        for id in input.supersedes.into_inner() {
            if !entry.supersedes.contains(&id) {
                entry.supersedes.push(id);
            }
        }
        self.keep(entry).await
    }

    /// Keeps what happened.
    ///
    /// # Errors
    /// As [`store`](Self::store).
    pub async fn ingest(
        &self,
        principal: &Principal,
        input: MemoryIngestIn,
    ) -> Result<MemoryStoreOut, MemoryError> {
        let size =
            input.metadata.as_ref().map(|fields| json::canonical(&Value::Object(fields.clone())).len());
        if size.is_some_and(|size| size > MAX_METADATA) {
            return Err(MemoryError::field("/metadata", "is over 8 KiB of JSON"));
        }
        let some = |text: &str| Some(one_line(text)).filter(|text| !text.is_empty());
        let mut entry = self.begin(principal, &input.summary, input.detail, input.category, "event")?;
        entry.event = true;
        entry.subcategory = input.subcategory.and_then(|text| some(&text));
        entry.actor = input.actor.and_then(|text| some(&text));
        entry.metadata = input.metadata;
        self.keep(entry).await
    }

    fn begin(
        &self,
        principal: &Principal,
        summary: &str,
        detail: Option<Text<65_536>>,
        category: Option<Text<64>>,
        otherwise: &str,
    ) -> Result<Entry, MemoryError> {
        let summary = one_line(summary);
        if summary.is_empty() {
            return Err(MemoryError::field("/summary", "holds nothing that can be read"));
        }
        let category = category.map(|category| one_line(&category)).filter(|category| !category.is_empty());
        Ok(Entry {
            id: MemoryId::new(self.shared.clock.as_ref(), self.shared.entropy.as_ref()),
            created_at: self.shared.clock.now(),
            event: false,
            category: category.unwrap_or_else(|| otherwise.to_owned()),
            subcategory: None,
            actor: None,
            tags: Vec::new(),
            trusted: trusted(principal),
            supersedes: Vec::new(),
            seen: 1,
            seen_at: None,
            origins: vec![Origin {
                actor: Some(principal.on_behalf.as_ref().unwrap_or(&principal.actor).to_string()),
                session: principal.session.clone(),
                tool: principal.tool.clone(),
                source: None,
            }],
            metadata: None,
            other: Vec::new(),
            summary,
            detail: block(detail.as_deref().unwrap_or_default()),
        })
    }

    async fn keep(&self, entry: Entry) -> Result<MemoryStoreOut, MemoryError> {
        let sameness = entry.sameness();
        let _pen = self.shared.same_pen(sameness).await;
        for path in self.shared.read(move |connection| rows::same(connection, sameness)).await? {
            if let Some(merged) = self.merge(&path, &entry, sameness).await? {
                return self.answer(&merged, true).await;
            }
        }
        let path = Tree::place(&entry);
        let _pen = self.shared.path_pen(&path).await;
        self.write(&path, &entry, true).await?;
        self.answer(&entry, false).await
    }

    /// Adds the caller to the entry at `path`, if it still says the same and has room for another origin.
    async fn merge(
        &self,
        path: &str,
        entry: &Entry,
        sameness: [u8; 16],
    ) -> Result<Option<Entry>, MemoryError> {
        let _pen = self.shared.path_pen(path).await;
        let asked = path.to_owned();
        let Found::Entry(mut there, _) = self.shared.files(move |tree| tree.read(&asked)).await? else {
            return Ok(None);
        };
        if there.sameness() != sameness || !there.merge(entry, self.shared.clock.now()) {
            return Ok(None);
        }
        self.write(path, &there, false).await?;
        Ok(Some(*there))
    }

    /// Writes file and index. Where the index fails, a new file is taken back, so that an error means that nothing
    /// was kept.
    pub(super) async fn write(&self, path: &str, entry: &Entry, new: bool) -> Result<(), MemoryError> {
        let (file, bytes) = (path.to_owned(), render(entry).into_bytes());
        let look = self.shared.files(move |tree| tree.write(&file, &bytes)).await?;
        let change = Change::Entry { path: path.to_owned(), entry: Box::new(entry.clone()), look };
        if let Err(error) = self.shared.submit(vec![change]).await {
            if new {
                let file = path.to_owned();
                self.shared.files(move |tree| tree.remove(&file)).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }

    async fn answer(&self, entry: &Entry, merged: bool) -> Result<MemoryStoreOut, MemoryError> {
        let (topic, id) = (entry.topic(), entry.id);
        let conflicts_with = match topic {
            Some(topic) => self.shared.read(move |connection| rows::conflicts(connection, topic, id)).await?,
            None => Vec::new(),
        };
        Ok(MemoryStoreOut {
            id,
            created_at: entry.created_at,
            merged,
            trusted: entry.trusted,
            conflicts_with,
        })
    }
}

/// Nothing from outside was in the conversation, and nobody from outside stands behind the call.
fn trusted(principal: &Principal) -> bool {
    let outside = |actor: &Actor| match actor {
        Actor::Other(text) => !(text.starts_with("routine:") || text.starts_with("watcher:")),
        _ => false,
    };
    !principal.tainted && !outside(&principal.actor) && !principal.on_behalf.as_ref().is_some_and(outside)
}

/// Most canonical JSON of an event's metadata, in bytes.
const MAX_METADATA: usize = 8 * 1024;
