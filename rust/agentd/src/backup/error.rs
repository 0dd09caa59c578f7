//! Why a backup was not made, not trusted or not restored, and how that is said on the wire.

use osmoda_types::{Code, MachineId, Problem, chain};

use crate::incidents::IncidentError;
use crate::ledger::LedgerError;

/// A refused or failed backup call.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// State or the backups folder cannot be read or written.
    #[error("the backup's files failed")]
    State(#[from] osmoda_store::Error),
    /// The ledger cannot be asked or written.
    #[error("the ledger failed")]
    Ledger(#[from] LedgerError),
    /// The incidents cannot be merged.
    #[error("the incidents failed")]
    Incidents(#[from] IncidentError),
    /// There is no such file.
    #[error("there is no such backup")]
    NotFound,
    /// Another one is under way, or a restore waits for the next start.
    #[error("{what}")]
    Busy {
        /// Which.
        what: &'static str,
    },
    /// The program is not installed.
    #[error("{program} is not installed")]
    AgeAbsent {
        /// `age` or `age-keygen`.
        program: &'static str,
    },
    /// The program refused to encrypt.
    #[error("age refused: {said}")]
    AgeRefused {
        /// Its own words.
        said: String,
    },
    /// No identity here opens it.
    #[error("no identity on this machine opens the backup")]
    Locked,
    /// It is not what was written.
    #[error("{finding}")]
    Damaged {
        /// What was found.
        finding: String,
    },
    /// It is of another machine.
    #[error("the backup is of {of}")]
    Foreign {
        /// The machine.
        of: MachineId,
    },
    /// The ledger does not say that it was made here.
    #[error("the ledger has no record of this backup")]
    Unrecorded,
    /// The cursor of a list is none.
    #[error("/after is not the next of a page")]
    Cursor,
    /// The file's name cannot stand in an archive.
    #[error("{path} cannot be kept: its name is longer than 255 bytes or no UTF-8")]
    Name {
        /// The file, as well as it can be shown.
        path: String,
    },
    /// The machine has no id.
    #[error("the machine id cannot be read")]
    NoMachineId,
    /// The daemon stops, or the call ran out of time.
    #[error("it was stopped")]
    Stopped,
}

impl BackupError {
    pub(super) fn damaged(finding: impl Into<String>) -> Self {
        Self::Damaged { finding: finding.into() }
    }

    /// The code a caller sees.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::State(error) => osmoda_runtime::of_store(error).code,
            Self::Ledger(_) => Code::LedgerUnavailable,
            Self::Incidents(IncidentError::State(error)) => osmoda_runtime::of_store(error).code,
            Self::Incidents(_) => Code::InternalBug,
            Self::NotFound => Code::BackupNotFound,
            Self::Busy { .. } => Code::BackupBusy,
            Self::AgeAbsent { .. } => Code::BackupAgeAbsent,
            Self::AgeRefused { .. } | Self::Name { .. } | Self::NoMachineId => Code::StateCorrupt,
            Self::Locked => Code::BackupLocked,
            Self::Damaged { .. } => Code::BackupDamaged,
            Self::Foreign { .. } => Code::BackupForeign,
            Self::Unrecorded => Code::BackupUnrecorded,
            Self::Cursor => Code::RequestField,
            Self::Stopped => Code::StateUnwritable,
        }
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        match &error {
            BackupError::Cursor => Self::new(Code::RequestField).at("/after", "is not the next of a page"),
            BackupError::AgeRefused { .. } => Self::new(error.code())
                .detail(error.to_string())
                .next_step("correct backup.recipients in agentd's configuration"),
            BackupError::State(_) | BackupError::Incidents(_) => {
                tracing::warn!(error = %chain(&error), "a backup call failed");
                Self::new(error.code())
            }
            _ => Self::new(error.code()).detail(error.to_string()),
        }
    }
}
