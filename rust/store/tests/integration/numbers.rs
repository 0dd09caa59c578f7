//! A database of numbered rows: the smallest thing that has state in memory beside its rows.

use osmoda_store::{Apply, Schema};
use rusqlite::{Connection, Transaction};

pub(crate) const SCHEMA: Schema = Schema {
    steps: &["CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
         INSERT INTO meta VALUES ('min_reader', 1);
         CREATE TABLE numbers(n INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"],
};

/// Gives each job the next number, and refuses a body that starts with `!` before writing anything.
pub(crate) struct Numbers {
    committed: i64,
    last: i64,
    pub(crate) batches: i64,
}

impl Numbers {
    pub(crate) fn resume(connection: &Connection) -> Self {
        let last = last_number(connection);
        Self { committed: last, last, batches: 0 }
    }
}

pub(crate) fn last_number(connection: &Connection) -> i64 {
    connection.query_row("SELECT coalesce(max(n), 0) FROM numbers", [], |row| row.get(0)).expect("a number")
}

#[derive(Debug, PartialEq)]
pub(crate) enum Given {
    Number { n: i64, batch: i64 },
    Refused,
}

impl Apply for Numbers {
    type Job = Vec<u8>;
    type Reply = Given;

    fn apply(&mut self, transaction: &Transaction<'_>, body: Vec<u8>) -> rusqlite::Result<Given> {
        if body.first() == Some(&b'!') {
            return Ok(Given::Refused);
        }
        self.last += 1;
        transaction
            .prepare_cached("INSERT INTO numbers(n, body) VALUES (?1, ?2)")?
            .execute((self.last, body))?;
        Ok(Given::Number { n: self.last, batch: self.batches })
    }

    fn committed(&mut self) {
        self.committed = self.last;
        self.batches += 1;
    }

    fn rolled_back(&mut self) {
        self.last = self.committed;
    }
}
