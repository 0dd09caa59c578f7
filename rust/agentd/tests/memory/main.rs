//! The memory against real files, edits by hand, damage and full disks.

#![expect(clippy::unwrap_used, reason = "a test stops where it goes wrong")]

mod editing;
mod forgetting;
#[path = "../ledger/ground.rs"]
mod ground;
mod healing;
mod machine;
mod parsing;
mod recalling;
mod storing;
