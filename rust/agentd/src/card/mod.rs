//! The agent card: what this machine says of itself to others, from what really answers, signed.

mod error;
mod key;
mod probe;
mod write;

pub use error::CardError;
pub use write::Cards;
