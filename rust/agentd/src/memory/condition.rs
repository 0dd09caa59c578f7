//! How the memory is, for `/health`, and how far its index is behind its files.

use std::sync::Arc;

use osmoda_runtime::Troubles;
use osmoda_store::Error;
use osmoda_types::api::agentd::memory::IndexState;
use osmoda_types::health::Check;
use osmoda_types::{Clock, Code, Timestamp};
use tokio::sync::watch;

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The Markdown files.
    Files,
    /// Writing the index.
    Write,
    /// Reading the index.
    Read,
}

/// The newest word on each part.
pub(super) struct Condition {
    clock: Arc<dyn Clock>,
    now: watch::Sender<Now>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    troubles: Troubles<3>,
    /// Files are being compared with the index, which begins empty when `anew`.
    checking: bool,
    anew: bool,
    pub(super) checked_at: Option<Timestamp>,
    /// Whole comparisons that ended.
    pub(super) checks: u64,
    pub(super) watching: bool,
    /// Something was not written to the index: compare everything once it can be.
    pub(super) behind: bool,
}

impl Condition {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let now = watch::Sender::new(Now {
            troubles: Troubles::none(clock.now()),
            checking: true,
            anew: false,
            checked_at: None,
            checks: 0,
            watching: false,
            behind: false,
        });
        Self { clock, now }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Now> {
        self.now.subscribe()
    }

    pub(super) fn now(&self) -> Now {
        *self.now.borrow()
    }

    pub(super) fn works(&self, part: Part) {
        if self.now().fails(part) {
            tracing::info!(?part, "the memory works again");
            self.now.send_modify(|now| now.troubles.end(part as usize, self.clock.now()));
        }
    }

    pub(super) fn fails(&self, part: Part, error: &Error) {
        let code = osmoda_runtime::of_store(error).code;
        if self.now().troubles.of(part as usize) != Some(code) {
            let (code_text, error) = (code.as_str(), osmoda_types::chain(error));
            tracing::error!(?part, code = code_text, error, "the memory is in trouble");
            self.now.send_modify(|now| now.troubles.begin(part as usize, code, self.clock.now()));
        }
    }

    pub(super) fn checking(&self, anew: bool) {
        self.now.send_modify(|now| {
            now.checking = true;
            now.anew |= anew;
        });
    }

    /// A whole comparison ended; `whole` when nothing was left out.
    pub(super) fn checked(&self, whole: bool) {
        let at = self.clock.now();
        self.now.send_modify(|now| {
            if whole {
                (now.checking, now.anew, now.checked_at) = (false, false, Some(at));
            }
            now.checks += 1;
        });
    }

    pub(super) fn behind(&self, behind: bool) {
        self.now.send_if_modified(|now| std::mem::replace(&mut now.behind, behind) != behind);
    }

    pub(super) fn watching(&self, watching: bool) {
        self.now.send_if_modified(|now| std::mem::replace(&mut now.watching, watching) != watching);
    }

    /// The check `memory`: the first part that fails, in the order of [`Part`].
    pub(super) fn check(&self) -> Check {
        let mut check = self.now().troubles.check("memory");
        if check.code == Some(Code::StateCorrupt) {
            check.remedy = Some("it is built again by itself from the Markdown files".to_owned());
        }
        check
    }
}

impl Now {
    pub(super) fn trouble(&self) -> Option<Code> {
        self.troubles.first()
    }

    fn fails(&self, part: Part) -> bool {
        self.troubles.of(part as usize).is_some()
    }

    pub(super) fn state(&self) -> IndexState {
        match (self.fails(Part::Write) || self.fails(Part::Read), self.checking, self.anew) {
            (true, _, _) => IndexState::Unavailable,
            (_, true, true) => IndexState::Rebuilding,
            (_, true, false) => IndexState::Checking,
            _ => IndexState::Ready,
        }
    }
}
