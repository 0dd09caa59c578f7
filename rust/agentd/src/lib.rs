//! agentd: what the machine is, the ledger of what was done to it, and what is remembered of it.

pub mod backup;
mod blocking;
pub mod card;
mod config;
mod control;
mod files;
mod identity;
pub mod incidents;
mod journal;
pub mod ledger;
pub mod memory;
mod netlink;
mod network;
mod security;
mod service;
mod shell;
pub mod system;
mod telemetry;
mod undo;
mod units;

pub use config::Config;
pub use service::bind;
