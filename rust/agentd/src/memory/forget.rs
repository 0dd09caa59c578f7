//! `POST /memory/forget`, and taking it back: files that go, and files that come again.

use osmoda_types::MemoryId;
use osmoda_types::api::agentd::memory::{MemoryForgetIn, MemoryForgetOut};

use super::compare::change;
use super::files::{Found, MAX_FILE, is_entry_path};
use super::index::Change;
use super::markdown::render;
use super::{Memory, MemoryError, rows};

/// What was forgotten, and what lost the source and stays.
#[derive(Debug)]
pub struct Forgotten {
    /// The answer.
    pub out: MemoryForgetOut,
    /// Memories that stay.
    pub kept: Vec<MemoryId>,
    /// The source that was named.
    pub source: Option<String>,
}

enum Fate {
    Gone(MemoryId, Change),
    Kept(MemoryId, Change),
    /// The file does not say any more what the index says.
    Other(Change),
}

impl Memory {
    /// Forgets one memory, or all that came from a source alone.
    ///
    /// # Errors
    /// [`MemoryError::Field`] unless exactly one is named, [`MemoryError::NotFound`] for an id that names nothing,
    /// [`MemoryError::State`] when nothing could be forgotten; after a part of it, `more` is true.
    pub async fn forget(&self, input: MemoryForgetIn) -> Result<Forgotten, MemoryError> {
        let (paths, source) = match (input.id, input.source.map(|source| source.into_inner())) {
            (Some(id), None) => {
                let known = self.shared.read(move |connection| rows::by_id(connection, id)).await?;
                let known = known.ok_or_else(|| MemoryError::NotFound { id: id.to_string() })?;
                (vec![known.path], None)
            }
            (None, Some(source)) if !source.is_empty() => {
                let name = source.clone();
                let paths = self.shared.read(move |connection| rows::named(connection, &name, AT_ONCE + 1));
                (paths.await?, Some(source))
            }
            (Some(_), Some(_)) => return Err(MemoryError::field("", "give id or source, not both")),
            _ => return Err(MemoryError::field("", "give an id or a source")),
        };
        let mut more = paths.len() > AT_ONCE;
        let (mut ids, mut kept, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths.into_iter().take(AT_ONCE) {
            match self.forget_path(path, source.clone()).await {
                Ok(Fate::Gone(id, change)) => {
                    ids.push(id);
                    changes.push(change);
                }
                Ok(Fate::Kept(id, change)) => {
                    kept.push(id);
                    changes.push(change);
                }
                Ok(Fate::Other(change)) => changes.push(change),
                Err(error) if ids.is_empty() && kept.is_empty() => return Err(error),
                Err(_) => {
                    more = true;
                    break;
                }
            }
        }
        // The files are gone, and so are the memories: what the index still holds is not shown and goes later.
        let _ = self.shared.submit(changes).await;
        if let (Some(id), true) = (input.id, ids.is_empty()) {
            return Err(MemoryError::NotFound { id: id.to_string() });
        }
        let (forgotten, stay) = (ids.len() as u64, kept.len() as u64);
        Ok(Forgotten { out: MemoryForgetOut { forgotten, ids, kept: stay, more }, kept, source })
    }

    async fn forget_path(&self, path: String, source: Option<String>) -> Result<Fate, MemoryError> {
        let _pen = self.shared.path_pen(&path).await;
        let fate = self.shared.files(move |tree| {
            let Found::Entry(mut entry, _) = tree.read(&path)? else {
                return Ok(Fate::Other(change(tree, path)?));
            };
            match source {
                Some(source) if !entry.names().contains(&source) => Ok(Fate::Other(change(tree, path)?)),
                Some(source) if entry.leave(&source) => {
                    let look = tree.write(&path, render(&entry).as_bytes())?;
                    Ok(Fate::Kept(entry.id, Change::Entry { path, entry, look }))
                }
                _ => {
                    tree.remove(&path)?;
                    Ok(Fate::Gone(entry.id, Change::Gone { path }))
                }
            }
        });
        Ok(fate.await?)
    }

    /// The file of a memory, from the memory folder, and its bytes: what a journal needs to put it back.
    ///
    /// # Errors
    /// [`MemoryError::NotFound`], [`MemoryError::State`].
    pub async fn get_bytes(&self, id: MemoryId) -> Result<(String, Vec<u8>), MemoryError> {
        let missing = || MemoryError::NotFound { id: id.to_string() };
        let known = self.shared.read(move |connection| rows::by_id(connection, id)).await?;
        let path = known.ok_or_else(missing)?.path;
        let asked = path.clone();
        let bytes = self.shared.files(move |tree| tree.bytes(&asked)).await?;
        bytes.map(|(bytes, _)| (path, bytes)).ok_or_else(missing)
    }

    /// Writes a file as it was when [`get_bytes`](Self::get_bytes) gave it, and puts it into the index.
    ///
    /// # Errors
    /// [`MemoryError::Field`] for a path that is none of a memory and for more bytes than a memory has,
    /// [`MemoryError::State`].
    pub async fn put_back(&self, path: &str, bytes: Vec<u8>) -> Result<(), MemoryError> {
        if !is_entry_path(path) {
            return Err(MemoryError::field("/path", "is not <yyyy>/<mm>/<name>.md"));
        }
        if bytes.len() as u64 > MAX_FILE {
            return Err(MemoryError::field("/bytes", "are more than a memory has"));
        }
        let _pen = self.shared.path_pen(path).await;
        let path = path.to_owned();
        let change = self.shared.files(move |tree| {
            tree.write(&path, &bytes)?;
            change(tree, path)
        });
        let change = change.await?;
        Ok(self.shared.submit(vec![change]).await?)
    }
}

/// What one call forgets at the most: its ids fit one event of the ledger.
const AT_ONCE: usize = 1000;
