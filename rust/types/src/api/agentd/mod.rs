//! agentd: the machine and its ledger.

pub mod backup;
pub mod card;
pub mod incident;
pub mod ledger;
pub mod receipt;
pub mod system;
