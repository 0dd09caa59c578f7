//! The real agentctl as a process: against the real agentd, and against servers that answer wrongly.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod acting;
mod against_agentd;
mod following;
mod ground;
mod trouble;
mod verifying;
