//! The calls of each daemon: their arguments, answers and catalogue entries.

pub mod agentd;
