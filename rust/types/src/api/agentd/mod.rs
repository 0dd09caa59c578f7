//! agentd: the machine and its ledger.

pub mod backup;
pub mod card;
pub mod file;
pub mod incident;
pub mod ledger;
pub mod receipt;
pub mod service;
pub mod shell;
pub mod system;
pub mod undo;
