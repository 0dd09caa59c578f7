//! What the machine is right now, read from the kernel and nowhere else.

mod accounts;
mod cgroups;
mod cores;
mod discover;
mod disks;
mod error;
mod first;
mod generations;
mod groups;
mod holders;
mod keeper;
mod kernel;
mod known;
mod machine;
mod mounts;
mod processes;
mod procfiles;
mod sampler;
mod sensors;
mod sockets;
mod units;

pub use error::HostError;
pub use machine::Machine;
