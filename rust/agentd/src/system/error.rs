//! Why the machine did not say what was asked.

use std::path::PathBuf;

use osmoda_types::{Code, Problem};

/// A failed look at the machine.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file of the kernel or of the system cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of /proc cannot be read or is not as proc(5) has it.
    #[error("cannot read /proc")]
    Proc(#[from] procfs::ProcError),
    /// systemctl failed or took too long.
    #[error("systemctl did not answer")]
    Systemctl {
        /// Why.
        source: std::io::Error,
    },
    /// systemd does not run this machine.
    #[error("systemd does not run this machine")]
    NoSystemd,
    /// There are no generations.
    #[error("there is no system profile")]
    NoGenerations,
    /// An argument does not belong to the query.
    #[error("{pointer} does not belong to this query")]
    Argument {
        /// JSON pointer to it.
        pointer: &'static str,
    },
    /// The thread that looked ended without an answer: a defect.
    #[error("a look at the machine ended without an answer")]
    Lost,
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        match &error {
            HostError::Read { .. } | HostError::Proc(_) | HostError::Systemctl { .. } => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(error = %error, cause, "the machine cannot be looked at");
                Self::new(Code::HostUnreadable)
            }
            HostError::NoSystemd => Self::new(Code::SystemdAbsent),
            HostError::NoGenerations => Self::new(Code::NixAbsent),
            HostError::Argument { pointer } => {
                Self::new(Code::RequestField).at(*pointer, "does not belong to this query")
            }
            HostError::Lost => Self::new(Code::InternalBug),
        }
    }
}
