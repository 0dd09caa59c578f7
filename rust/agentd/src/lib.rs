//! agentd: what the machine is, and the ledger of what was done to it.

mod identity;
pub mod incidents;
pub mod ledger;
mod service;
pub mod system;

pub use service::bind;
