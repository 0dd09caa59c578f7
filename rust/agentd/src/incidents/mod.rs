//! Incidents: resumable workspaces of troubleshooting, in a database of their own, every step also a fact in the ledger.

mod book;
mod error;
mod facts;
mod merge;
mod rows;
mod schema;

pub(crate) use book::{CLOSED, EXTENDED, OPENED, links};
pub use book::{Incidents, New};
pub use error::IncidentError;
