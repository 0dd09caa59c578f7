//! How the ledger is, for `/health` and for the task that waits for it to heal.

use std::sync::Arc;

use osmoda_types::health::{Check, Status};
use osmoda_types::{Clock, Code, Timestamp};
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
pub(super) struct Parts {
    troubles: [Option<Trouble>; 4],
    well_since: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Trouble {
    code: Code,
    since: Timestamp,
}

impl Condition {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let parts = watch::Sender::new(Parts { troubles: [None; 4], well_since: clock.now() });
        Self { clock, parts }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Parts> {
        self.parts.subscribe()
    }

    pub(super) fn works(&self, part: Part) {
        if self.parts.borrow().troubles[part as usize].is_some() {
            tracing::info!(?part, "the ledger works again");
            self.parts.send_modify(|parts| {
                parts.troubles[part as usize] = None;
                parts.well_since = self.clock.now();
            });
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
        if self.parts.borrow().troubles[part as usize].is_none_or(|trouble| trouble.code != code) {
            tracing::error!(?part, code = code.as_str(), "the ledger is in trouble");
            let since = self.clock.now();
            self.parts.send_modify(|parts| parts.troubles[part as usize] = Some(Trouble { code, since }));
        }
    }

    /// The check `ledger`: the first part that fails, in the order of [`Part`].
    pub(super) fn check(&self) -> Check {
        let parts = *self.parts.borrow();
        let trouble = parts.troubles.iter().flatten().next();
        Check {
            name: "ledger".to_owned(),
            status: if trouble.is_some() { Status::Degraded } else { Status::Ok },
            code: trouble.map(|trouble| trouble.code),
            since: trouble.map_or(parts.well_since, |trouble| trouble.since),
            remedy: trouble.map(|trouble| trouble.code.next_step().to_owned()),
        }
    }
}

impl Parts {
    pub(super) fn fails(&self, part: Part) -> bool {
        self.troubles[part as usize].is_some()
    }
}
