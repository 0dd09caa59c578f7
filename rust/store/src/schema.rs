//! A database's shape as the sum of its migration steps.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use rusqlite_migration::{M, Migrations};

use crate::Error;

/// The migration steps of one database: the texts of `migrations/NNNN_name.sql` in order, append-only.
///
/// A step runs in one transaction that also moves `PRAGMA user_version`, so `user_version` is the schema. The first
/// step creates `meta(key, value)` with the row `min_reader`; a step that older versions could not live with raises
/// that row to its own number.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// SQL texts, oldest first.
    pub steps: &'static [&'static str],
}

impl Schema {
    /// The newest schema this version knows: the number of steps.
    pub fn version(&self) -> u32 {
        u32::try_from(self.steps.len()).expect("a few hand-written files")
    }

    /// What all steps together create, one statement after another in creation order: the text committed as
    /// `schema.sql`, so that a reader finds the whole shape in one place and a review sees what a step changes.
    ///
    /// # Errors
    /// [`Error::Sql`] when a step is wrong.
    pub fn sum(&self) -> Result<String, Error> {
        let memory = Path::new(":memory:");
        let failed = |e| Error::sqlite(memory, e);
        let mut connection = Connection::open_in_memory().map_err(failed)?;
        self.migrate(&mut connection, memory)?;
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid")
            .map_err(failed)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        rows.map(|sql| Ok(sql.map_err(failed)? + ";\n")).collect()
    }

    /// Refuses a database that says it must not be written by this version.
    pub(crate) fn admit(&self, connection: &Connection, path: &Path) -> Result<(), Error> {
        let failed = |e| Error::sqlite(path, e);
        let version: u32 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if version <= self.version() {
            return Ok(());
        }
        let has_meta = connection.table_exists(None, "meta").map_err(failed)?;
        let min_reader: Option<u32> = if has_meta {
            connection
                .query_row("SELECT value FROM meta WHERE key = 'min_reader'", [], |row| row.get(0))
                .optional()
                .map_err(failed)?
        } else {
            None
        };
        let found = min_reader.unwrap_or(version);
        if found > self.version() {
            return Err(Error::NewerSchema { path: path.to_owned(), found, ours: self.version() });
        }
        Ok(())
    }

    /// Runs the steps the database does not have; one that is ahead of us but admits us stays as it is.
    pub(crate) fn migrate(&self, connection: &mut Connection, path: &Path) -> Result<(), Error> {
        let version: u32 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|e| Error::sqlite(path, e))?;
        if version >= self.version() {
            return Ok(());
        }
        Migrations::new(self.steps.iter().map(|step| M::up(step)).collect())
            .to_latest(connection)
            .map_err(|e| Error::migration(path, e))
    }
}
