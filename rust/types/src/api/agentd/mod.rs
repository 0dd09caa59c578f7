//! agentd: the machine and its ledger.

pub mod ledger;
pub mod service;
pub mod system;
