//! agentd: what the machine is, and the ledger of what was done to it.

mod control;
mod identity;
pub mod ledger;
mod netlink;
mod network;
mod security;
mod service;
pub mod system;
mod telemetry;

pub use service::bind;
