//! The privileged half of agentd: what needs root, as closed verbs over one socket. The same code runs inside agentd
//! where there is no second user to run it as.

pub mod file;
mod firewall;
mod half;
mod hands;
mod nft;
pub mod process;
mod protected;
pub mod serve;
mod service;
mod signal;
pub mod spawn;
mod sysctl;
pub mod systemd;
mod verb;
mod wire;

pub use half::Half;
pub use hands::Hands;
pub use protected::protected;
pub use service::{Act, Job};
pub use verb::{Answer, Verb};
pub use wire::memory_file;
