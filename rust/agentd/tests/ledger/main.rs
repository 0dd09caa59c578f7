//! The ledger's engine against real files, real full disks and real kills.

#![expect(clippy::unwrap_used, reason = "a test stops where it goes wrong")]

mod absorbing;
mod appending;
mod crash;
mod ground;
mod healing;
mod machine;
mod proving;
mod reading;
mod tampering;
