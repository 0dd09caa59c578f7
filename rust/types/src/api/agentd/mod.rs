//! agentd: the machine, its ledger and its memory.

pub mod backup;
pub mod card;
pub mod file;
pub mod firewall;
pub mod incident;
pub mod kernel;
pub mod ledger;
pub mod memory;
pub mod network;
pub mod process;
pub mod receipt;
pub mod security;
pub mod service;
pub mod shell;
pub mod sysctl;
pub mod system;
pub mod telemetry;
pub mod undo;
pub mod users;
