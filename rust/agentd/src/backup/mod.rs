//! Backups: all state of agentd in one encrypted file, verified before use, merged into what is there.
//!
//! A backup is a tar archive (`archive`) whose last entry lists every file with its hash (`manifest`), encrypted by the
//! program age. docs/backups.md describes it.

mod age;
mod archive;
mod config;
mod create;
mod error;
mod journal;
mod list;
mod manifest;
mod open;
mod place;
mod restore;
mod sources;
mod stop;
mod vault;

pub use config::BackupConfig;
pub use error::BackupError;
pub use vault::{Backups, Restored};
