//! `GET /memory/health` and `POST /memory/reindex`: the index over the files.

use osmoda_types::api::agentd::memory::{
    EmbeddingModel, IndexHealth, IndexState, Malformed, MalformedFile, MemoryHealthOut, MemoryReindexOut,
};
use osmoda_types::health::Status;
use tokio_util::sync::CancellationToken;

use super::{Memory, MemoryError, rows};

impl Memory {
    /// How the memory is. Answers whatever is wrong with it.
    pub async fn health(&self) -> MemoryHealthOut {
        let counts = self
            .shared
            .read(|connection| Ok((rows::count(connection)?, rows::malformed(connection, FIRST)?)))
            .await;
        let (collection_size, (count, files)) = counts.unwrap_or_default();
        let now = self.shared.condition.now();
        let trouble = now.trouble();
        let files = files.into_iter().map(|(path, reason)| MalformedFile { path, reason }).collect();
        MemoryHealthOut {
            status: match (trouble, now.state()) {
                (Some(_), _) | (_, IndexState::Unavailable) => Status::Degraded,
                (None, IndexState::Ready) => Status::Ok,
                (None, _) => Status::Starting,
            },
            code: trouble,
            collection_size,
            index: IndexHealth { state: now.state(), checked_at: now.checked_at, watching: now.watching },
            malformed: Malformed { count, files },
            embedding_model: EmbeddingModel { ready: false, detail: "absent: recall is by words".to_owned() },
        }
    }

    /// Begins a new index and fills it from the files.
    ///
    /// # Errors
    /// [`MemoryError::State`]; what is missing then is made up for by itself.
    pub async fn reindex(&self) -> Result<MemoryReindexOut, MemoryError> {
        let _whole = self.shared.whole.lock().await;
        self.shared.begin_anew().await?;
        self.shared.compare_now(&CancellationToken::new()).await?;
        let counted = self
            .shared
            .read(|connection| Ok((rows::count(connection)?, rows::malformed(connection, 0)?.0)))
            .await?;
        Ok(MemoryReindexOut { indexed: counted.0, malformed: counted.1 })
    }
}

/// How many malformed files are named.
const FIRST: usize = 20;
