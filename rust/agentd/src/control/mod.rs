//! What changes the machine: asked of the privileged half, told to the ledger.

pub(crate) mod firewall;
pub(crate) mod signal;
pub(crate) mod sysctl;

use agentd_root::Answer;
use osmoda_types::{Code, Problem};

/// An answer to another question than was asked: a defect of one half.
pub(crate) fn strange(answer: &Answer) -> Problem {
    tracing::error!(?answer, "the privileged half answered another question");
    Code::InternalBug.into()
}
