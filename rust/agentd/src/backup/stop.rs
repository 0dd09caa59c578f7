//! Ending work on a blocking thread whose caller is gone.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The caller's half: dropped when it stops waiting.
pub(super) struct Waiting(Arc<AtomicBool>);

/// The worker's half.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

/// Both halves.
pub(super) fn pair() -> (Waiting, Stop) {
    let gone = Arc::new(AtomicBool::new(false));
    (Waiting(gone.clone()), Stop(gone))
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Stop {
    /// Whether nobody waits any more.
    pub(super) fn is_due(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Reads `from` until nobody waits any more.
    pub(super) fn watch<R: Read>(&self, from: R) -> Watched<R> {
        Watched { from, stop: self.clone() }
    }
}

/// A reader that ends with an error when nobody waits any more.
pub(super) struct Watched<R> {
    from: R,
    stop: Stop,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_due() {
            Err(io::Error::other("nobody waits any more"))
        } else {
            self.from.read(buffer)
        }
    }
}
