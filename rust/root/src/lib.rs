//! The privileged half of agentd: what needs root, as closed verbs over one socket. The same code runs inside agentd
//! where there is no second user to run it as.

mod firewall;
mod half;
mod hands;
mod nft;
pub mod process;
mod signal;
mod sysctl;
mod verb;

pub use half::Half;
pub use hands::Hands;
pub use verb::{Answer, Verb};
