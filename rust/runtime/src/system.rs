//! The machine's own clock and randomness; the only places where they are read.

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
