//! The crate against its oracles, against tampering, against noise, and against the Python verifier.

mod fuzz;
mod ledger;
mod oracle;
mod tamper;
mod trees;
mod vectors;
