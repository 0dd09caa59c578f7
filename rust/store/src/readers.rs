//! A few read-only connections for async callers; what does not fit waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::Error;
use crate::open::open_snapshot;

/// Read-only connections to one database, opened at first use and used by one query at a time each. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// At most `connections` queries of `path` run at once.
    pub fn new(path: &Path, connections: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                permits: Arc::new(Semaphore::new(connections)),
                idle: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Runs `query` on a blocking thread. A caller that stops waiting does not free the place of a query that runs.
    ///
    /// # Errors
    /// What [`open_read_only`](crate::open_read_only) and the query say; [`Error::Closed`] when it was closed or the query panicked. A connection that
    /// failed is dropped, so the next query sees the file as it is then.
    pub async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let shared = Arc::clone(&self.shared);
        let run = move || {
            let _permit = permit;
            let idle = shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let (connection, follows) = match idle {
                Some(connection) => (connection, true),
                None => open_snapshot(&shared.path)?,
            };
            let result = query(&connection).map_err(|e| Error::sqlite(&shared.path, e))?;
            if follows && !shared.permits.is_closed() {
                shared.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            Ok(result)
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| Error::Closed)?
    }

    /// Refuses queries from now on and closes the connections that are not in use; those in use close when they are
    /// done. A writer that closes after them leaves one plain file behind.
    pub fn close(&self) {
        self.shared.permits.close();
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
