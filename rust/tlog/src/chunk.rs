//! A run of rows verified on its own, so that several can be verified at once; [`crate::verify::Verifier`] joins them.

use sha2::{Digest, Sha256};

use crate::Hash;
use crate::chain::{RowRef, check_row};
use crate::export::Line;
use crate::signer::{CHANGED, CREATED};
use crate::verdict::RowFault;

/// What is known of consecutive rows without knowing those before: 32 bytes per row and what signs checkpoints.
/// Takes rows and checkpoints in the ledger's order; the first fault ends it.
#[derive(Debug, Default)]
pub struct Chunk {
    pub(crate) opening: Option<Opening>,
    pub(crate) last: Option<Last>,
    pub(crate) leaves: Vec<Hash>,
    /// Rows that create the ledger or change its signer, and stored checkpoints, by the number of rows before.
    pub(crate) marks: Vec<(usize, Mark)>,
    /// Fault of the row after the leaves.
    pub(crate) fault: Option<RowFault>,
}

/// What the first row claims about the one before it.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) id: u64,
    pub(crate) ts: [u8; 24],
    pub(crate) prev_hash: [u8; 64],
}

/// What the next row, or the next chunk, must follow.
#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) id: u64,
    pub(crate) ts: [u8; 24],
    pub(crate) hash: [u8; 64],
}

#[derive(Debug)]
pub(crate) enum Mark {
    Created(String),
    Changed(String),
    Checkpoint(String),
}

impl Chunk {
    /// A chunk without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of good rows so far.
    pub fn rows(&self) -> usize {
        self.leaves.len()
    }

    /// Whether a row was found broken; what is pushed after it is ignored.
    pub fn is_broken(&self) -> bool {
        self.fault.is_some()
    }

    /// The next row. Allocates nothing but its leaf.
    pub fn push(&mut self, row: RowRef<'_>) {
        if self.fault.is_none()
            && let Err(fault) = self.examine(row)
        {
            self.fault = Some(fault);
        }
    }

    /// A checkpoint stored in the ledger, as its note's text: after the last row it covers, before the next.
    pub fn push_checkpoint(&mut self, note: String) {
        self.mark(Mark::Checkpoint(note));
    }

    /// A line of an export after its header, without the newline. A line that cannot be read counts as the
    /// next row, broken.
    pub fn push_line(&mut self, line: &[u8]) {
        match Line::parse(line) {
            Ok(Line::Event(row)) => self.push(row.as_ref()),
            Ok(Line::Checkpoint(note)) => self.push_checkpoint(note),
            Ok(Line::Export(_)) => self.break_at(RowFault::SecondHeader),
            Err(error) => self.break_at(RowFault::Unreadable(error)),
        }
    }

    fn break_at(&mut self, fault: RowFault) {
        self.fault.get_or_insert(fault);
    }

    fn mark(&mut self, mark: Mark) {
        if self.fault.is_none() {
            self.marks.push((self.leaves.len(), mark));
        }
    }

    fn examine(&mut self, row: RowRef<'_>) -> Result<(), RowFault> {
        if let Some(last) = &self.last
            && row.id.checked_sub(1) != Some(last.id)
        {
            return Err(RowFault::Id { found: row.id });
        }
        let mut leaf = [0; 65]; // 0x00 || hash in hex, as RFC 6962 hashes a leaf
        data_encoding::HEXLOWER.encode_mut(&row.computed_hash(), &mut leaf[1..]);
        if row.hash.as_bytes() != &leaf[1..] {
            return Err(RowFault::Hash);
        }
        check_row(row.ts, row.kind, row.actor, row.payload).map_err(RowFault::Field)?;
        let ts: [u8; 24] = row.ts.as_bytes().try_into().expect("check_row admits 24 bytes only");
        match &self.last {
            Some(last) => last.admit(ts, row.prev_hash.as_bytes())?,
            None => {
                let prev_hash = row.prev_hash.as_bytes().try_into().map_err(|_| RowFault::Link)?;
                self.opening = Some(Opening { id: row.id, ts, prev_hash });
            }
        }
        match row.kind {
            CREATED => self.mark(Mark::Created(row.payload.to_owned())),
            CHANGED => self.mark(Mark::Changed(row.payload.to_owned())),
            _ => {}
        }
        let mut hash = [0; 64];
        hash.copy_from_slice(&leaf[1..]);
        self.last = Some(Last { id: row.id, ts, hash });
        self.leaves.push(Sha256::digest(leaf).into());
        Ok(())
    }
}

impl Last {
    /// Whether a row of this time and `prev_hash` may follow.
    pub(crate) fn admit(&self, ts: [u8; 24], prev_hash: &[u8]) -> Result<(), RowFault> {
        if prev_hash != self.hash {
            return Err(RowFault::Link);
        }
        // The fixed form makes text order time order.
        if ts < self.ts {
            return Err(RowFault::Time);
        }
        Ok(())
    }
}
