//! How well this machine is guarded: checks that an ordinary user can make, each with its weight and its remedy. What
//! cannot be read is unknown, never passed.

mod accounts;
mod check;
mod exposure;
mod settings;
mod ssh;
mod system;

use std::path::Path;

use osmoda_types::api::agentd::security::{Finding, FindingState, SecurityScoreOut};
use osmoda_types::api::agentd::system::{Port, Unit};

use self::check::Check;

/// What is judged: the files below a root, and what the kernel and systemd told.
pub(crate) struct Seen<'a> {
    pub(crate) root: &'a Path,
    /// Listening ports.
    pub(crate) ports: &'a [Port],
    /// systemd's services; none where there is no systemd.
    pub(crate) units: Option<&'a [Unit]>,
}

/// Every check and the score. Blocks.
pub(crate) fn score(seen: &Seen<'_>) -> SecurityScoreOut {
    let mut checks = ssh::checks(seen.root);
    checks.extend(settings::checks(seen.root));
    checks.extend(accounts::checks(seen.root));
    checks.extend(exposure::checks(seen));
    checks.extend(system::checks(seen));
    sum(checks)
}

/// 100 * passed / (passed + failed); what is unknown does not count.
fn sum(checks: Vec<Check>) -> SecurityScoreOut {
    let mut findings: Vec<Finding> = checks.into_iter().map(Check::finding).collect();
    findings.sort_by(|a, b| {
        (a.state, std::cmp::Reverse(a.weight), &a.id).cmp(&(b.state, std::cmp::Reverse(b.weight), &b.id))
    });
    let weight = |state: FindingState| {
        findings.iter().filter(|finding| finding.state == state).map(|finding| finding.weight).sum::<u32>()
    };
    let (passed, failed) = (weight(FindingState::Pass), weight(FindingState::Fail));
    let score = (passed * 100).checked_div(passed + failed);
    SecurityScoreOut {
        score: score.and_then(|score| u8::try_from(score).ok()),
        weight_passed: passed,
        weight_failed: failed,
        weight_unknown: weight(FindingState::Unknown),
        findings,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_machine_that_shows_nothing_has_few_findings_and_no_panic() {
        let root = tempfile::tempdir().unwrap();
        let out = score(&Seen { root: root.path(), ports: &[], units: None });
        let ids: BTreeSet<&str> = out.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids.len(), out.findings.len(), "an id is one check's");
        assert!(out.weight_unknown > out.weight_passed);
        assert!(out.findings.iter().all(|finding| (1..=10).contains(&finding.weight)));
        assert!(out.findings.iter().all(|finding| {
            [&finding.why, &finding.fix_nixos, &finding.fix_debian, &finding.detail]
                .iter()
                .all(|text| !text.is_empty())
        }));
    }

    #[test]
    fn the_score_is_made_of_the_weights_it_prints() {
        let here = score(&Seen { root: Path::new("/"), ports: &[], units: None });
        let counted = here.weight_passed + here.weight_failed;
        assert_eq!(here.score.map(u32::from), Some(here.weight_passed * 100 / counted));
        let all: u32 = here.findings.iter().map(|finding| finding.weight).sum();
        assert_eq!(all, counted + here.weight_unknown);
        assert!(here.findings.is_sorted_by_key(|finding| finding.state));
        assert_eq!(sum(Vec::new()).score, None);
    }

    #[test]
    fn the_page_names_every_check() {
        let page = include_str!("../../../../docs/security-score.md");
        for finding in score(&Seen { root: Path::new("/"), ports: &[], units: None }).findings {
            assert!(
                page.contains(&format!("`{}`", finding.id)),
                "docs/security-score.md lacks {}",
                finding.id
            );
        }
    }
}
