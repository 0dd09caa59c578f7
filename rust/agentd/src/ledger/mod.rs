//! The ledger: every change of the machine, recorded before it happens, hash-chained and signed.
//!
//! One writer thread ([`appender`]) gives out ids and commits; everything else reads the same file through
//! read-only connections. [`Engine`] is what the rest of agentd sees.

mod appender;
mod audit;
mod checkpoints;
mod condition;
mod copy;
mod door;
mod engine;
mod error;
mod export;
mod intents;
mod keeper;
mod key;
mod log;
mod merge;
mod prove;
mod receipts;
mod rows;
mod schema;
mod sources;
mod stream;
mod tree;

pub use copy::{Copy, verify_copy};
pub use engine::Engine;
pub use error::LedgerError;
pub use log::json_lines;
