//! Why the journal did not say what was asked.

use osmoda_types::{Code, Problem, chain};

/// A failed look into the journal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// There is no journalctl or no journal.
    #[error("there is no journal")]
    Absent,
    /// There is one, closed to this user.
    #[error("no file of the system's journal can be opened")]
    Denied,
    /// The pattern is no regular expression.
    #[error("the pattern is no regular expression: {said}")]
    Pattern {
        /// journalctl's words.
        said: String,
    },
    /// The position is none of the journal's.
    #[error("not the next of a page")]
    Cursor,
    /// The range ends before it starts.
    #[error("the range ends before it starts")]
    Range,
    /// It took too long.
    #[error("the journal could not be searched in time")]
    Slow,
    /// journalctl could not be run or read.
    #[error("journalctl cannot be run")]
    Run {
        /// Why.
        source: std::io::Error,
    },
    /// journalctl failed.
    #[error("journalctl failed: {said}")]
    Failed {
        /// Its words.
        said: String,
    },
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let said = error.to_string();
        match error {
            JournalError::Absent => Self::new(Code::JournalAbsent),
            JournalError::Denied => Self::new(Code::JournalDenied),
            JournalError::Pattern { .. } => Self::new(Code::RequestField).at("/match", said),
            JournalError::Cursor => Self::new(Code::RequestField).at("/after", said),
            JournalError::Range => Self::new(Code::RequestField).at("/since", "is later than until"),
            JournalError::Slow => Self::new(Code::RequestTimeout)
                .detail(said)
                .next_step("name a unit or a later start; a pattern alone goes through the whole journal"),
            JournalError::Run { .. } | JournalError::Failed { .. } => {
                tracing::error!(error = %chain(&error), "the journal cannot be read");
                Self::new(Code::HostUnreadable).detail(said)
            }
        }
    }
}
