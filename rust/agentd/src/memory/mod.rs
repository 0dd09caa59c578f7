//! The memory: one Markdown file for each thing remembered, and an index to find it by.
//!
//! The files are the truth and may be edited by hand ([`markdown`]); `memory.db` is derived from them and brought up
//! to them whenever they differ ([`compare`]). [`Memory`] is what the rest of agentd sees. docs/memory.md is the
//! specification.

mod compare;
mod condition;
mod engine;
pub mod entry;
mod error;
mod files;
mod forget;
mod health;
mod index;
mod keeper;
mod list;
pub mod markdown;
mod notice;
mod recall;
mod rows;
mod search;
mod store;
pub mod words;

pub use engine::Memory;
pub use error::MemoryError;
pub use forget::Forgotten;
