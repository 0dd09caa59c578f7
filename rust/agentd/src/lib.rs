//! agentd: what the machine is, the ledger of what was done to it, and what is remembered of it.

mod identity;
pub mod ledger;
pub mod memory;
mod service;
pub mod system;

pub use service::bind;
