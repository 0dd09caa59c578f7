//! Why the memory did not do what was asked, and how that is said on the wire.

use osmoda_types::{Code, Problem};

/// A refused or failed memory call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MemoryError {
    /// The files or their index cannot be read or written.
    #[error("the memory's state failed")]
    State(#[from] osmoda_store::Error),
    /// There is no such memory.
    #[error("there is no memory {id}")]
    NotFound {
        /// The id that was asked for.
        id: String,
    },
    /// A field has a wrong value.
    #[error("{pointer} {message}")]
    Field {
        /// JSON pointer into the request.
        pointer: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
}

impl MemoryError {
    pub(super) fn field(pointer: &'static str, message: &'static str) -> Self {
        Self::Field { pointer, message }
    }
}

impl From<MemoryError> for Problem {
    fn from(error: MemoryError) -> Self {
        let detail = error.to_string();
        match error {
            MemoryError::State(error) => osmoda_runtime::of_store(&error),
            MemoryError::NotFound { .. } => Self::new(Code::MemoryNotFound).detail(detail),
            MemoryError::Field { pointer, message } => Self::new(Code::RequestField).at(pointer, message),
        }
    }
}
