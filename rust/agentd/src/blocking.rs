//! Work that waits for a disk or the kernel, off the threads that serve.

use std::io;

use osmoda_runtime::of_store;
use osmoda_types::{Code, Problem};

/// Does the work where it holds nobody up.
pub(crate) async fn blocking<T: Send + 'static, E: Trouble>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::new(Code::InternalPanic))?;
    done.map_err(Trouble::problem)
}

/// What a failed piece of such work means for the caller.
pub(crate) trait Trouble: Send + 'static {
    fn problem(self) -> Problem;
}

/// It is said already.
impl Trouble for Problem {
    fn problem(self) -> Problem {
        self
    }
}

/// With the files of the machine.
impl Trouble for io::Error {
    fn problem(self) -> Problem {
        let full = matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        Problem::new(if full { Code::StateFull } else { Code::FileFailed }).detail(self.to_string())
    }
}

/// With our own state.
impl Trouble for osmoda_store::Error {
    fn problem(self) -> Problem {
        tracing::warn!(error = %osmoda_types::chain(&self), "state cannot be used");
        of_store(&self)
    }
}
