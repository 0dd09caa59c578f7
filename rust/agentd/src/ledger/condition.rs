//! How the ledger is, for `/health` and for the task that waits for it to heal.

use std::sync::Arc;

use osmoda_runtime::Troubles;
use osmoda_types::health::Check;
use osmoda_types::{Clock, Code};
use tokio::sync::watch;

use super::LedgerError;

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Write,
    Read,
    Sign,
    /// What stands in it, as the last verification found it.
    Content,
}

/// The newest word on each part.
pub(super) struct Condition {
    clock: Arc<dyn Clock>,
    parts: watch::Sender<Parts>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Parts(Troubles<4>);

impl Condition {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let parts = watch::Sender::new(Parts(Troubles::none(clock.now())));
        Self { clock, parts }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Parts> {
        self.parts.subscribe()
    }

    pub(super) fn works(&self, part: Part) {
        if self.parts.borrow().fails(part) {
            tracing::info!(?part, "the ledger works again");
            self.parts.send_modify(|Parts(troubles)| troubles.end(part as usize, self.clock.now()));
        }
    }

    pub(super) fn fails(&self, part: Part, error: &LedgerError) {
        let code = match error {
            // Being closed is nobody's trouble, and what a panic closed is opened at the next call.
            LedgerError::State(osmoda_store::Error::Closed) => return,
            LedgerError::State(error) => osmoda_runtime::of_store(error).code,
            // The key file or the events are not what they were.
            _ => Code::StateCorrupt,
        };
        let error: &dyn std::error::Error = error;
        tracing::debug!(?part, error, "the ledger fails");
        self.trouble(part, code);
    }

    /// A verification found that somebody changed what stands in the ledger.
    pub(super) fn broken(&self) {
        self.trouble(Part::Content, Code::StateCorrupt);
    }

    fn trouble(&self, part: Part, code: Code) {
        if self.parts.borrow().0.of(part as usize) != Some(code) {
            tracing::error!(?part, code = code.as_str(), "the ledger is in trouble");
            self.parts.send_modify(|Parts(troubles)| troubles.begin(part as usize, code, self.clock.now()));
        }
    }

    /// The check `ledger`: the first part that fails, in the order of [`Part`].
    pub(super) fn check(&self) -> Check {
        self.parts.borrow().0.check("ledger")
    }
}

impl Parts {
    pub(super) fn fails(&self, part: Part) -> bool {
        self.0.of(part as usize).is_some()
    }
}
