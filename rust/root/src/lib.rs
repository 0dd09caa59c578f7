//! The privileged half of agentd: what needs root, as closed verbs over one socket. The same code runs inside agentd
//! where there is no second user to run it as.

mod half;
mod hands;
mod protected;
mod service;
pub mod systemd;
mod verb;

pub use half::Half;
pub use hands::Hands;
pub use protected::protected;
pub use service::{Act, Job};
pub use verb::{Answer, Verb};
