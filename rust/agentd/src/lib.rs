//! agentd: what the machine is, and the ledger of what was done to it.

mod files;
mod identity;
pub mod ledger;
mod service;
mod shell;
pub mod system;
mod undo;

pub use service::bind;
