//! What a verifier says: how far a ledger is proven, or what is wrong with it and where.

use std::fmt;

use crate::Error;
use crate::note::VerifierKey;

/// Exit code of a program that could not read what it was to verify.
pub const EXIT_IO: u8 = 4;

/// A ledger without a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The ledger's origin.
    pub origin: String,
    /// The key in force at the end.
    pub signer: VerifierKey,
    /// Id of the last event verified.
    pub verified: u64,
    /// Size of the largest checkpoint that was there to check.
    pub signed: Option<u64>,
    /// Of each given witness that cosigned: its name and the largest size it cosigned, largest first.
    pub witnesses: Vec<(String, u64)>,
}

/// How far at least so many witnesses have seen the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Events 1 to `size`.
    pub size: u64,
    /// Number of witnesses that cosigned a checkpoint of this size or a larger one.
    pub by: usize,
}

impl Report {
    /// How far `required` witnesses (at least one) have seen the ledger; a cosignature covers all before it.
    pub fn witnessed(&self, required: usize) -> Option<Witnessed> {
        let (_, size) = *self.witnesses.get(required.max(1) - 1)?;
        let by = self.witnesses.iter().filter(|(_, seen)| *seen >= size).count();
        Some(Witnessed { size, by })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "verified to {}, ", self.verified)?;
        match self.witnessed(1) {
            None => f.write_str("unwitnessed"),
            Some(Witnessed { size, by }) if size == self.verified => write!(f, "witnessed to {size} by {by}"),
            Some(Witnessed { size, by }) => write!(f, "witnessed to {size} by {by}, the rest unwitnessed"),
        }
    }
}

/// The first fault found in a ledger.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The chain breaks: this is the first id that is not what was written.
    #[error("broken at {id}")]
    Broken {
        /// The id that should have stood there.
        id: u64,
        /// What is wrong.
        #[source]
        fault: RowFault,
    },
    /// The chain holds and a checkpoint does not fit it.
    #[error("the checkpoint of size {size} does not hold")]
    Checkpoint {
        /// The checkpoint's size; for one that cannot be read, the number of events before it.
        size: u64,
        /// What is wrong.
        #[source]
        fault: CheckpointFault,
    },
    /// The chain holds and a signed checkpoint covers more events than there are.
    #[error("truncated: {verified} events, but a checkpoint of {known} is known")]
    Truncated {
        /// The events there are.
        verified: u64,
        /// The events there were.
        known: u64,
    },
}

impl Failure {
    /// The exit code of a program that ends with this verdict; success is 0, [`EXIT_IO`] is the caller's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Broken { .. } => 1,
            Self::Checkpoint { .. } => 2,
            Self::Truncated { .. } => 3,
        }
    }
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
pub enum RowFault {
    /// Another id stands in its place: a row is missing, added or moved.
    #[error("id {found} stands in its place")]
    Id {
        /// The id found.
        found: u64,
    },
    /// Its hash is not that of its content.
    #[error("the hash is not that of its content")]
    Hash,
    /// Its `prev_hash` is not the hash of the row before.
    #[error("it does not follow the row before it")]
    Link,
    /// It is older than the row before.
    #[error("it is older than the row before it")]
    Time,
    /// A field breaks the form that makes the hash unambiguous.
    #[error("a field has a form the ledger does not take")]
    Field(#[source] Error),
    /// Event 1 does not create a ledger, or not the one expected.
    #[error("event 1 does not create the expected ledger")]
    NotCreated,
    /// The signer is created or changed in a way that does not hold.
    #[error("the signer cannot change like this")]
    Signer(#[source] Error),
    /// The key in force at the start is not the one the caller trusts, or not the one the header names.
    #[error("the ledger's key is not the expected one")]
    Untrusted,
    /// The line cannot be read.
    #[error("the line cannot be read")]
    Unreadable(#[source] Error),
    /// A second export header stands in its place.
    #[error("a second export header stands in its place")]
    SecondHeader,
}

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFault {
    /// It cannot be read.
    #[error("it cannot be read")]
    Malformed(#[source] Error),
    /// It is of another log.
    #[error("it is of another log")]
    Origin,
    /// Its root is not that of these events.
    #[error("its root is not that of these events")]
    Root,
    /// The key in force at its size did not sign it.
    #[error("the ledger's key did not sign it")]
    Signature(#[source] Error),
    /// A witness's cosignature on it does not verify.
    #[error("a cosignature on it does not verify")]
    Cosignature(#[source] Error),
    /// It came when events beyond its size had passed, or covers none: it cannot be checked.
    #[error("it stands behind events it does not cover")]
    Late,
    /// More checkpoints wait for events than a verifier keeps.
    #[error("too many checkpoints wait for their events")]
    TooMany,
}
