//! The machine's own clock and randomness; the only places where they are read.

use std::sync::atomic::{AtomicU64, Ordering};

use osmoda_types::{Clock, Entropy, Timestamp};

/// The wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
        let millis = jiff::Timestamp::now().as_millisecond();
        Timestamp::from_millis(millis).expect("the machine's clock stands within the years 0 to 9999")
    }
}

/// The kernel's random generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the entropy that everybody else is given")]
        getrandom::fill(buffer).expect("Linux answers getrandom once it has booted");
    }
}

/// Numbers that come once and can be guessed: for the names of requests, without asking the kernel for each.
#[derive(Debug)]
pub(crate) struct Unique {
    start: u128,
    given: AtomicU64,
}

impl Unique {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let mut start = [0; 16];
        entropy.fill(&mut start);
        Self { start: u128::from_be_bytes(start), given: AtomicU64::new(0) }
    }
}

impl Entropy for Unique {
    fn fill(&self, buffer: &mut [u8]) {
        let next = self.start.wrapping_add(self.given.fetch_add(1, Ordering::Relaxed).into()).to_be_bytes();
        buffer.iter_mut().rev().zip(next.iter().rev()).for_each(|(byte, value)| *byte = *value);
    }
}
