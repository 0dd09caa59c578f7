//! Why an incident call was refused, and how that is said on the wire.

use osmoda_types::{Code, Problem};

/// A refused or failed incident call.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// `incidents.db` cannot be opened, read or written.
    #[error("the incidents' state failed")]
    State(#[from] osmoda_store::Error),
    /// There is no such incident.
    #[error("there is no such incident")]
    NotFound,
    /// It has its cause.
    #[error("the incident is closed")]
    Closed,
    /// It holds all the steps it may.
    #[error("the incident holds {most} steps")]
    Full {
        /// How many it may hold.
        most: u64,
    },
    /// A field has a wrong value.
    #[error("{pointer} {message}")]
    Field {
        /// JSON pointer into the request.
        pointer: String,
        /// What is wrong with it.
        message: &'static str,
    },
}

impl From<IncidentError> for Problem {
    fn from(error: IncidentError) -> Self {
        let detail = error.to_string();
        match error {
            IncidentError::State(error) => osmoda_runtime::of_store(&error),
            IncidentError::NotFound => Self::new(Code::IncidentNotFound),
            IncidentError::Closed => Self::new(Code::IncidentClosed),
            IncidentError::Full { .. } => Self::new(Code::IncidentFull).detail(detail),
            IncidentError::Field { pointer, message } => Self::new(Code::RequestField).at(pointer, message),
        }
    }
}
