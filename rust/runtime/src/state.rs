//! `state.db`: what the runtime itself must not forget, one writer a daemon.

use std::path::PathBuf;
use std::sync::Arc;

use osmoda_store::{Apply, Error, Schema, Writer, open};
use rusqlite::Transaction;
use tokio::sync::Mutex;

/// The steps of the runtime's own database.
const SCHEMA: Schema = Schema { steps: &[include_str!("../migrations/0001_state.sql")] };

type Statement = Box<dyn FnOnce(&Transaction<'_>) -> rusqlite::Result<Box<dyn std::any::Any + Send>> + Send>;

struct Statements;

impl Apply for Statements {
    type Job = Statement;
    type Reply = Box<dyn std::any::Any + Send>;

    fn apply(&mut self, transaction: &Transaction<'_>, job: Statement) -> rusqlite::Result<Self::Reply> {
        job(transaction)
    }

    fn committed(&mut self) {}

    fn rolled_back(&mut self) {}
}

/// The database, opened at first use and again after trouble, so that it works when the cause is gone.
pub(crate) struct StateDb {
    path: PathBuf,
    writer: Mutex<Option<Arc<Writer<Statements>>>>,
}

impl StateDb {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, writer: Mutex::new(None) }
    }

    /// Runs `statement` in a durable transaction shared with whatever waits beside it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let writer = self.writer().await?;
        let job: Statement = Box::new(move |tx| statement(tx).map(|value| Box::new(value) as Box<_>));
        let reply = writer.submit(job).await.inspect_err(|error| tracing::warn!(path = %self.path.display(), error = %crate::problem::chain(error), "state cannot be written"))?;
        Ok(*reply.downcast().expect("the statement above made a T"))
    }

    async fn writer(&self) -> Result<Arc<Writer<Statements>>, Error> {
        let mut slot = self.writer.lock().await;
        if let Some(writer) = &*slot {
            return Ok(writer.clone());
        }
        let path = self.path.clone();
        let connection =
            tokio::task::spawn_blocking(move || open(&path, SCHEMA)).await.map_err(|_| Error::Closed)??;
        let writer = Writer::start("state", &self.path, connection, Statements).map_err(|_| Error::Closed)?;
        Ok(slot.insert(Arc::new(writer)).clone())
    }

    pub(crate) async fn close(&self) {
        if let Some(writer) = self.writer.lock().await.take() {
            writer.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_make_a_database() {
        assert!(SCHEMA.sum().unwrap().contains("CREATE TABLE outbox"));
    }
}
