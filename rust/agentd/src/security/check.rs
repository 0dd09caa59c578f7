//! One check, before it is a finding.

use osmoda_types::api::agentd::security::{Finding, FindingState};

/// What is checked and why, how it came out, and what would mend it.
pub(super) struct Check {
    pub(super) rule: Rule,
    pub(super) state: FindingState,
    pub(super) detail: String,
}

/// The part of a check that does not depend on the machine.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) weight: u32,
    pub(super) title: &'static str,
    pub(super) why: &'static str,
    pub(super) nixos: &'static str,
    pub(super) debian: &'static str,
}

impl Rule {
    /// As it should be.
    pub(super) fn pass(self, detail: impl Into<String>) -> Check {
        Check { rule: self, state: FindingState::Pass, detail: detail.into() }
    }

    /// Not as it should be.
    pub(super) fn fail(self, detail: impl Into<String>) -> Check {
        Check { rule: self, state: FindingState::Fail, detail: detail.into() }
    }

    /// Not to be judged, and why not.
    pub(super) fn unknown(self, reason: impl Into<String>) -> Check {
        Check { rule: self, state: FindingState::Unknown, detail: reason.into() }
    }

    /// Passed or failed.
    pub(super) fn judge(self, good: bool, detail: impl Into<String>) -> Check {
        if good { self.pass(detail) } else { self.fail(detail) }
    }
}

impl Check {
    pub(super) fn finding(self) -> Finding {
        let Self { rule, state, detail } = self;
        Finding {
            id: rule.id.to_owned(),
            title: rule.title.to_owned(),
            state,
            weight: rule.weight,
            detail,
            why: rule.why.to_owned(),
            fix_nixos: rule.nixos.to_owned(),
            fix_debian: rule.debian.to_owned(),
        }
    }
}
