//! SQLite the way every daemon keeps its state: one way to open, numbered migrations, one writer thread that groups
//! commits, a few bounded readers, and files that are replaced whole or not at all.
//!
//! Nothing here knows what is stored. An acknowledged write is on disk: WAL with `synchronous=FULL`, and the answer
//! to a job leaves only after its commit.

mod error;
mod file;
mod open;
mod readers;
mod schema;
mod writer;

pub use error::{Cause, Error};
pub use file::{atomic_write, private_folder};
pub use open::{open, open_read_only};
pub use readers::Readers;
pub use schema::Schema;
pub use writer::{Apply, Writer};
