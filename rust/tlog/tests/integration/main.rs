//! The crate against its oracles, against tampering, against noise, and against the Python verifier.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

mod fuzz;
mod ledger;
mod oracle;
mod tamper;
mod trees;
mod vectors;
