//! agentd: the machine and its ledger.

pub mod file;
pub mod ledger;
pub mod shell;
pub mod system;
pub mod undo;
