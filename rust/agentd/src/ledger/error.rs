//! Why the ledger did not do what was asked, and how that is said on the wire.

use osmoda_types::{Code, Problem};

/// A refused or failed ledger call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// `ledger.db` cannot be opened, read or written.
    #[error("the ledger's state failed")]
    State(#[from] osmoda_store::Error),
    /// The signer's key is missing, damaged, or not the one that this ledger trusts.
    #[error("no checkpoint can be signed")]
    NoSigner,
    /// A source left out events.
    #[error("the source must go on at {expected}")]
    Gap {
        /// The sequence number that must come next.
        expected: u64,
    },
    /// A source's events do not continue, or repeat differently, what is recorded of it.
    #[error("the source's chain does not continue what was recorded")]
    Fork,
    /// A payload is over 64 KiB of canonical JSON.
    #[error("event {at} of the batch has {bytes} bytes of payload")]
    TooLarge {
        /// Its place in the batch, from 0.
        at: usize,
        /// The size of its payload.
        bytes: usize,
    },
    /// An event's type is not one of its source.
    #[error("event {at} of the batch is not of the source's own types")]
    ForeignType {
        /// Its place in the batch, from 0.
        at: usize,
    },
    /// A field has a wrong value.
    #[error("{pointer} {message}")]
    Field {
        /// JSON pointer into the request.
        pointer: String,
        /// What is wrong with it.
        message: &'static str,
    },
    /// The caller is not the daemon it appends for.
    #[error("only the daemon itself appends its events")]
    NotTheSource,
    /// There is no such event or no such size.
    #[error("the ledger has {size} events")]
    NotFound {
        /// How many events there are.
        size: u64,
    },
}

impl LedgerError {
    pub(super) fn field(pointer: impl Into<String>, message: &'static str) -> Self {
        Self::Field { pointer: pointer.into(), message }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        let detail = error.to_string();
        match error {
            LedgerError::State(error) => osmoda_runtime::of_store(&error),
            LedgerError::NoSigner => Self::new(Code::LedgerUnavailable).detail(detail),
            LedgerError::Gap { expected } => {
                let mut problem = Self::new(Code::LedgerGap).detail(detail);
                problem.expected = Some(expected);
                problem
            }
            LedgerError::Fork => Self::new(Code::LedgerFork),
            LedgerError::TooLarge { at, .. } => Self::new(Code::LedgerTooLarge)
                .detail(detail)
                .at(format!("/events/{at}/payload"), "over 64 KiB of canonical JSON"),
            LedgerError::ForeignType { at } => Self::new(Code::LedgerType)
                .detail(detail)
                .at(format!("/events/{at}/type"), "does not begin with the source's name and a dot"),
            LedgerError::Field { pointer, message } => Self::new(Code::RequestField).at(pointer, message),
            LedgerError::NotTheSource => Self::new(Code::AuthRing).detail(detail),
            LedgerError::NotFound { .. } => Self::new(Code::LedgerNotFound).detail(detail),
        }
    }
}
