//! Why the machine did not say what was asked.

use std::path::PathBuf;

use agentd_root::systemd::SystemdError;
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
    /// A file of the kernel is not as its manual page has it.
    #[error("{} is not in its known form", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
    },
    /// The sampler cannot read /proc; it logged why.
    #[error("the machine cannot be sampled")]
    Blind,
    /// systemd is not there or did not answer.
    #[error("systemd cannot be asked")]
    Systemd(#[from] SystemdError),
    /// There are no generations.
    #[error("there is no system profile")]
    NoGenerations,
    /// Control groups of version 2 are not mounted.
    #[error("there are no control groups of version 2")]
    NoCgroups,
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
        match error {
            HostError::Read { .. } | HostError::Proc(_) | HostError::Shape { .. } | HostError::Blind => {
                Self::new(Code::HostUnreadable)
            }
            HostError::Systemd(error) => error.into(),
            HostError::NoGenerations => Self::new(Code::NixAbsent),
            HostError::NoCgroups => Self::new(Code::CgroupAbsent),
            HostError::Argument { pointer } => {
                Self::new(Code::RequestField).at(pointer, "does not belong to this query")
            }
            HostError::Lost => Self::new(Code::InternalBug),
        }
    }
}
