//! What can be wrong with stored state, named so that a daemon can say the remedy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};

/// The failure underneath. Shared, because one failed commit is the answer to every job in it.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A failure of stored state. The first five are conditions of the machine that an operator can end, and each maps
/// to a `state.*` or `limit.*` code; `Sql` is a mistake of the program.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The file system (or the quota) has no room.
    #[error("no space left for {}", path.display())]
    Full {
        /// The database or file that could not grow.
        path: PathBuf,
        /// The failure underneath.
        source: Cause,
    },
    /// The file or its folder is missing, read-only, owned by someone else, or the device refuses writes.
    #[error("{} cannot be written", path.display())]
    Unwritable {
        /// The database or file.
        path: PathBuf,
        /// The failure underneath.
        source: Cause,
    },
    /// The content is not what was written: not a database, damaged pages, unreadable blocks, values of a wrong type.
    #[error("{} is damaged", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// The failure underneath.
        source: Cause,
    },
    /// A newer version wrote the file and says that this version must not write it.
    #[error("{} needs schema {found}, this version has {ours}", path.display())]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its `min_reader`.
        found: u32,
        /// The newest schema of this version.
        ours: u32,
    },
    /// Another process holds the lock for longer than the busy timeout (2 s).
    #[error("{} is locked by another process", path.display())]
    Busy {
        /// The database.
        path: PathBuf,
        /// The failure underneath.
        source: Cause,
    },
    /// A statement or a migration step is wrong.
    #[error("a statement failed in {}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// The failure underneath.
        source: Cause,
    },
    /// The writer or reader was closed, or a job made it panic; the job was not applied.
    #[error("the database is closed")]
    Closed,
}

impl Error {
    /// What a failure of SQLite means for the database at `path`.
    pub fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let kind = kind(&error);
        Self::of(kind, path, Arc::new(error))
    }

    pub(crate) fn migration(path: &Path, error: rusqlite_migration::Error) -> Self {
        match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => Self::sqlite(path, err),
            other => Self::of(Kind::Sql, path, Arc::new(other)),
        }
    }

    /// What a failure of the system means for the file at `path`: [`Error::Full`] or [`Error::Unwritable`].
    pub fn io(path: &Path, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
            _ => Kind::Unwritable,
        };
        Self::of(kind, path, Arc::new(error))
    }

    fn of(kind: Kind, path: &Path, source: Cause) -> Self {
        let path = path.to_owned();
        match kind {
            Kind::Full => Self::Full { path, source },
            Kind::Unwritable => Self::Unwritable { path, source },
            Kind::Corrupt => Self::Corrupt { path, source },
            Kind::Busy => Self::Busy { path, source },
            Kind::Sql => Self::Sql { path, source },
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Full,
    Unwritable,
    Corrupt,
    Busy,
    Sql,
}

fn kind(error: &rusqlite::Error) -> Kind {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(failure, _) => match (failure.code, failure.extended_code) {
            (ErrorCode::DiskFull, _) => Kind::Full,
            // The shared-memory index could not grow; SQLite does not call that "full".
            (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_SHMSIZE) => Kind::Full,
            (
                ErrorCode::SystemIoFailure,
                ffi::SQLITE_IOERR_READ
                | ffi::SQLITE_IOERR_SHORT_READ
                | ffi::SQLITE_IOERR_CORRUPTFS
                | ffi::SQLITE_IOERR_DATA,
            ) => Kind::Corrupt,
            (
                ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied,
                _,
            ) => Kind::Unwritable,
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Kind::Corrupt,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Kind::Busy,
            _ => Kind::Sql,
        },
        // Every column is written with the type it is read with, so another type was not written by us.
        E::InvalidColumnType(..)
        | E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::Utf8Error(..) => Kind::Corrupt,
        _ => Kind::Sql,
    }
}
