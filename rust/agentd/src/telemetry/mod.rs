//! The last 24 hours of the machine, a sample each 10 s, in one file that never grows.

mod ring;
mod sample;
mod window;

pub(crate) use ring::Ring;
pub(crate) use sample::{Sample, Traffic};
pub(crate) use window::window;

/// Seconds between two samples.
pub(crate) const EVERY_SECS: u64 = 10;
/// Samples of a day.
pub(crate) const SLOTS: u64 = 24 * 3600 / EVERY_SECS;
