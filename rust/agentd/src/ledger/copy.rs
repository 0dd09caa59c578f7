//! The ledger in a backup: the same checks as for the one in use, on a file that nobody writes.

use std::path::Path;

use osmoda_tlog::verify::{Trust, Verifier};
use osmoda_types::chain;

use super::{audit, checkpoints, key, rows};

/// A ledger that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The machine its first event names.
    pub machine_id: String,
    /// Hash of that event: two ledgers that begin alike are one.
    pub beginning: String,
    /// Number of events.
    pub size: u64,
}

/// Verifies the ledger in the database at `path` and its file of checkpoints. Blocks.
///
/// # Errors
/// What is wrong with it, in words.
pub fn verify_copy(path: &Path, checkpoints_file: &Path) -> Result<Copy, String> {
    let connection = osmoda_store::open_read_only(path).map_err(|error| chain(&error))?;
    let said = |error: rusqlite::Error| error.to_string();
    let size = rows::size(&connection).map_err(said)?;
    let mut verifier = Verifier::new(Trust::default());
    for number in 0..size.div_ceil(audit::CHUNK_ROWS).max(1) {
        let after = number * audit::CHUNK_ROWS;
        let to = after + audit::CHUNK_ROWS;
        let chunk = audit::chunk(&connection, after, to, to >= size).map_err(said)?;
        verifier.merge(chunk).map_err(|failure| chain(&failure))?;
    }
    let report = verifier.finish().map_err(|failure| chain(&failure))?;
    if !checkpoints::hold(&connection, checkpoints_file).map_err(said)? {
        return Err("it is not what its checkpoints say".to_owned());
    }
    let machine_id = key::created(&connection).map_err(said)?.machine_id;
    let first = rows::one(&connection, 1).map_err(said)?.ok_or("it has no first event")?;
    Ok(Copy { machine_id, beginning: first.hash, size: report.verified })
}
