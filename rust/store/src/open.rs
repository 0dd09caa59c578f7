//! The one way to open a database: our pragmas, mode 0600, the newest schema.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::{Error, Schema};

/// Opens `path` for writing, creates it with mode 0600 when it is missing (its folder must exist), and brings it to
/// the newest schema. The connection is in WAL mode with `synchronous=FULL`; give it to a [`Writer`](crate::Writer).
///
/// # Errors
/// Every variant but [`Error::Closed`]. After [`Error::NewerSchema`] the file is untouched and [`open_read_only`]
/// still works.
pub fn open(path: &Path, schema: Schema) -> Result<Connection, Error> {
    private_file(path).map_err(|e| Error::io(path, e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| Error::sqlite(path, e))?;
    schema.admit(&connection, path)?;
    configure(&connection)
        .and_then(|()| {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)
        })
        .map_err(|e| Error::sqlite(path, e))?;
    schema.migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens `path` for reading only, whatever its schema. Works beside a writer in this or another process, and on a
/// read-only or full file system as long as no unwritten log lies beside the file.
///
/// # Errors
/// [`Error::Unwritable`] when the file is missing or may not be read, [`Error::Corrupt`] when it is not a database or
/// an empty one.
pub fn open_read_only(path: &Path) -> Result<Connection, Error> {
    open_snapshot(path).map(|(connection, _)| connection)
}

/// As [`open_read_only`], and whether the connection follows the file: one that was opened where no shared memory
/// can be made sees the file as it was then.
pub(crate) fn open_snapshot(path: &Path) -> Result<(Connection, bool), Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(first_look);
    // SQLite needs a shared-memory file beside a WAL database. Where none can be made, the file alone is the whole
    // truth if the log is empty, and nobody can be writing it.
    let opened = match opened {
        Err(_) if path.is_file() && log_is_empty(path) => {
            Connection::open_with_flags(immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)
                .and_then(first_look)
                .map(|connection| (connection, false))
        }
        other => other.map(|connection| (connection, true)),
    };
    opened.map_err(|e| Error::sqlite(path, e))
}

fn first_look(connection: Connection) -> rusqlite::Result<Connection> {
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    // Every schema begins with a table: without one, somebody emptied the file.
    if tables == 0 {
        return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOTADB), None));
    }
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)
}

/// SQLite gives the log and the shared-memory file the mode of the database, so that one file decides.
fn private_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn log_is_empty(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).map_or(true, |meta| meta.len() == 0)
}

fn immutable_uri(path: &Path) -> PathBuf {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    PathBuf::from(format!("file:{path}?immutable=1"))
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Negative: KiB per connection (sqlite.org/pragma.html#pragma_cache_size). The page cache of the kernel does the rest.
const CACHE_KIB: i32 = -2048;

/// A burst may grow the log; what it keeps afterwards is bounded.
const WAL_KEPT_BYTES: i32 = 16 << 20;
