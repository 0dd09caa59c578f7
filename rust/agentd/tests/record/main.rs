//! Incidents, receipts and backups against real files.

#![expect(clippy::unwrap_used, reason = "a test stops where it goes wrong")]

mod backups;
mod facts;
mod ground;
mod receipts;
mod union;
