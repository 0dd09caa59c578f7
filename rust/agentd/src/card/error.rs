//! Why there is no card, and how that is said on the wire.

use osmoda_types::{Code, Problem};

/// A refused or failed card call.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The card or its key cannot be read or written.
    #[error("the card's files failed")]
    State(#[from] osmoda_store::Error),
    /// None was generated yet.
    #[error("no card was generated yet")]
    NotFound,
    /// The machine has no id: its file is damaged or cannot be written.
    #[error("the machine has no id")]
    NoMachineId,
}

impl From<CardError> for Problem {
    fn from(error: CardError) -> Self {
        match error {
            CardError::State(error) => osmoda_runtime::of_store(&error),
            CardError::NotFound => Self::new(Code::CardNotFound),
            CardError::NoMachineId => Self::new(Code::StateCorrupt).detail("the machine id cannot be read"),
        }
    }
}
