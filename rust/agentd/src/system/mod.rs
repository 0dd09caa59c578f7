//! What the machine is right now, read from the kernel and nowhere else.

mod accounts;
mod discover;
mod disks;
mod error;
mod generations;
mod machine;
mod processes;
mod sampler;
mod sockets;
mod units;

pub use error::HostError;
pub use machine::Machine;
