//! agentd: the machine and its ledger.

pub mod firewall;
pub mod kernel;
pub mod ledger;
pub mod network;
pub mod process;
pub mod security;
pub mod sysctl;
pub mod system;
pub mod telemetry;
pub mod users;
