//! A small database that heals: opened at first use and again after trouble, one writer each. `state.db`, what the
//! runtime itself must not forget, is one; parts of daemons keep others.

use std::path::PathBuf;
use std::sync::Arc;

use osmoda_store::{Apply, Error, Schema, Writer, open};
use osmoda_types::Clock;
use osmoda_types::health::Check;
use rusqlite::Transaction;
use tokio::sync::Mutex;

use crate::troubles::Troubles;

/// The steps of the runtime's own database.
pub(crate) const SCHEMA: Schema = Schema { steps: &[include_str!("../migrations/0001_state.sql")] };

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
pub struct StateDb {
    name: &'static str,
    path: PathBuf,
    schema: Schema,
    clock: Arc<dyn Clock>,
    writer: Mutex<Option<Arc<Writer<Statements>>>>,
    troubles: std::sync::Mutex<Troubles<1>>,
}

impl StateDb {
    /// The database at `path`; `name` is that of its check in `/health` and of its thread.
    pub fn new(name: &'static str, path: PathBuf, schema: Schema, clock: Arc<dyn Clock>) -> Self {
        let troubles = std::sync::Mutex::new(Troubles::none(clock.now()));
        Self { name, path, schema, clock, writer: Mutex::new(None), troubles }
    }

    /// How it is, as of its last use.
    pub fn check(&self) -> Check {
        self.troubles().check(self.name)
    }

    /// Tries it while it does not work, so that its condition is known and ends when the cause does.
    pub async fn watch(&self) {
        let mut tried = false;
        loop {
            if !tried || self.troubles().first().is_some() {
                let _ = self.write(|tx| tx.execute("UPDATE meta SET value = value", [])).await;
                tried = true;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Runs `statement` in a durable transaction shared with whatever waits beside it.
    ///
    /// # Errors
    /// What opening the database and the statement say.
    pub async fn write<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let written = self.write_now(statement).await;
        let code = written.as_ref().err().map(|error| crate::problem::of_store(error).code);
        let mut troubles = self.troubles();
        if troubles.first() != code {
            let now = self.clock.now();
            match code {
                None => troubles.end(0, now),
                Some(code) => troubles.begin(0, code, now),
            }
            if let Err(error) = &written {
                tracing::warn!(path = %self.path.display(), error = %osmoda_types::chain(error), "state cannot be used");
            }
        }
        written
    }

    async fn write_now<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let writer = self.writer().await?;
        let job: Statement = Box::new(move |tx| statement(tx).map(|value| Box::new(value) as Box<_>));
        let reply = writer.submit(job).await?;
        Ok(*reply.downcast().expect("the statement above made a T"))
    }

    async fn writer(&self) -> Result<Arc<Writer<Statements>>, Error> {
        let mut slot = self.writer.lock().await;
        if let Some(writer) = &*slot {
            return Ok(writer.clone());
        }
        let (path, schema) = (self.path.clone(), self.schema);
        let connection =
            tokio::task::spawn_blocking(move || open(&path, schema)).await.map_err(|_| Error::Closed)??;
        let writer =
            Writer::start(self.name, &self.path, connection, Statements).map_err(|_| Error::Closed)?;
        Ok(slot.insert(Arc::new(writer)).clone())
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, Troubles<1>> {
        self.troubles.lock().expect("nothing panics while it holds this lock")
    }

    /// Lets what is queued become durable and closes the file.
    pub async fn close(&self) {
        if let Some(writer) = self.writer.lock().await.take() {
            writer.close().await;
        }
    }
}

/// Between two tries while it does not work.
const RETRY: std::time::Duration = std::time::Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_make_a_database() {
        assert!(SCHEMA.sum().unwrap().contains("CREATE TABLE outbox"));
    }
}
