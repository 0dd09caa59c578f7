//! The client against real servers on a socket: good ones, dead ones, broken ones and strangers.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod answers;
mod ground;
mod strangers;
mod streams;
mod trouble;
