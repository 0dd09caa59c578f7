//! The last 24 hours of the machine, a sample each 10 s, in one file that never grows.

mod ring;
mod sample;
mod window;

pub(crate) use ring::Ring;
pub(crate) use sample::{Sample, Traffic};
pub(crate) use window::window;

/// Milliseconds between two samples.
const EVERY_MS: i64 = 10_000;
/// Samples of a day.
const SLOTS: i64 = 24 * 3600 * 1000 / EVERY_MS;
const DAY_MS: i64 = SLOTS * EVERY_MS;
