//! agentd: the machine, its ledger and its memory.

pub mod ledger;
pub mod memory;
pub mod system;
