//! agentd: what the machine is, and the ledger of what was done to it.

mod identity;
mod journal;
pub mod ledger;
mod service;
pub mod system;
mod units;

pub use service::bind;
