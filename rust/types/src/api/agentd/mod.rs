//! agentd: the machine, its ledger and its memory.

pub mod backup;
pub mod card;
pub mod file;
pub mod incident;
pub mod ledger;
pub mod memory;
pub mod receipt;
pub mod service;
pub mod shell;
pub mod system;
pub mod undo;
