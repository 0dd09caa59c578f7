//! Acting on a unit, and explaining what went wrong.

use std::fmt::Write;
use std::time::Duration;

use agentd_root::systemd::{Properties, Systemd};
use agentd_root::{Act, Answer, Job, Verb, protected};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::service::{JournalLine, ServiceActOut, UnitState};
use osmoda_types::ledger::ServiceActed;
use osmoda_types::{Code, Problem, UnitName};

use super::{Units, state, words};
use crate::journal::JournalError;
use crate::undo::Change;

/// Journal lines that go with a failure, and how much of each.
const LINES: usize = 20;
const MAX_LINE: usize = 300;
/// A simple service counts as started before its program said anything; most that cannot run end within this.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

impl Units {
    /// Gives systemd the job, waits for it, and says what became of the unit.
    ///
    /// # Errors
    /// Protected and unknown units, what systemd refuses, and a unit that did not do what was asked.
    pub(crate) async fn act(
        &self,
        context: &Context,
        unit: &UnitName,
        act: Act,
    ) -> Result<ServiceActOut, Problem> {
        if let Some(why) = protected(unit) {
            return Err(Problem::new(Code::ServiceProtected).detail(format!("{unit}: {why}")));
        }
        let before = self.state_of(unit).await?;
        let change = Change::Unit { unit: unit.clone(), before: before.active.clone(), act };
        let job = self.job(context, unit, act, before);
        if !matches!(act, Act::Start | Act::Stop) {
            return job.await;
        }
        let (acted, undo) = self.undo.around(context, change, None, job).await?;
        if acted.before.active == acted.after.active {
            self.undo.forget(undo).await;
        } else {
            context.undone_by(undo);
        }
        Ok(acted)
    }

    async fn job(
        &self,
        context: &Context,
        unit: &UnitName,
        act: Act,
        before: UnitState,
    ) -> Result<ServiceActOut, Problem> {
        let asked = self.hands.ask(Verb::Service { unit: unit.clone(), act }).await;
        let fact = |unit: &UnitName, job: &str, after: Option<&UnitState>| {
            let acted = ServiceActed {
                v: 1,
                unit: unit.to_string(),
                job: job.to_owned(),
                before: before.active.clone(),
                after: after.map(|after| after.active.clone()),
            };
            context.fact(kind(act), &acted);
        };
        let Job { unit, result } = match asked {
            Ok(Answer::Job(job)) => job,
            Ok(_) => return Err(Code::InternalBug.into()),
            Err(problem) => {
                if problem.code == Code::ServicePending {
                    fact(unit, "pending", None);
                }
                return Err(problem);
            }
        };
        let settled = settled(&unit, act, &result).await;
        let after = settled.as_ref().ok().map(|(found, service)| state::short(found, service));
        fact(&unit, &result, after.as_ref());
        let (found, service) = settled?;
        let after = state::short(&found, &service);
        let starts = matches!(act, Act::Start | Act::Restart);
        if !["done", "skipped"].contains(&&*result) || (starts && has_failed(&after)) {
            return Err(self.explained(&unit, &result, &found, &service).await);
        }
        let held = found.flag("ConditionResult") != Some(false);
        let job = if starts && !held { "skipped".to_owned() } else { result };
        Ok(ServiceActOut { unit: unit.to_string(), job, before, after })
    }

    async fn explained(
        &self,
        unit: &UnitName,
        job: &str,
        found: &Properties,
        service: &Properties,
    ) -> Problem {
        let state = state::short(found, service);
        let mut text =
            format!("{unit}: the job ended as {job}; the unit is {} ({})", state.active, state.sub);
        let result = service.text("Result");
        if !["", "success"].contains(&&*result) {
            let _ = write!(text, "; {result}: {}", words::result(&result));
        }
        if let Some(exit) = state::last_exit(service) {
            let _ = write!(text, "; its main process {exit}");
        }
        let problem = Problem::new(Code::ServiceFailed);
        match self.told(unit, job, found).await {
            Ok(lines) => {
                problem.detail(lines.iter().fold(text, |text, line| format!("{text}\n{}", shown(line))))
            }
            Err(unread) => problem.detail(format!("{text}\n({unread})")),
        }
    }

    /// The last lines of the run that failed. journald writes a moment after the fact: systemd's own word comes last.
    async fn told(
        &self,
        unit: &UnitName,
        job: &str,
        found: &Properties,
    ) -> Result<Vec<JournalLine>, JournalError> {
        // It did not run: what systemd says of it belongs to no run.
        if job == "dependency" {
            return self.journal.last(unit, LINES).await;
        }
        let mut lines = self.journal.last_run(found, LINES).await?;
        for _ in 0..LOOKS {
            if lines.iter().any(|line| line.pid == Some(1) && line.message.contains("Failed with result")) {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            lines = self.journal.last_run(found, LINES).await?;
        }
        Ok(lines)
    }
}

/// The unit once its state tells whether the job did what was asked.
async fn settled(unit: &UnitName, act: Act, job: &str) -> Result<(Properties, Properties), Problem> {
    let systemd = Systemd::connect().await?;
    let look = async || -> Result<_, Problem> {
        let service =
            if unit.kind() == "service" { systemd.service(unit).await? } else { Default::default() };
        Ok((systemd.unit(unit).await?, service))
    };
    let mut seen = look().await?;
    let tells_nothing = ["simple", "exec", "idle"].contains(&&*seen.1.text("Type"));
    if matches!(act, Act::Start | Act::Restart) && job == "done" && tells_nothing {
        for _ in 0..LOOKS {
            if has_failed(&state::short(&seen.0, &seen.1)) {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            seen = look().await?;
        }
    }
    Ok(seen)
}

/// It is down, or down and waiting to be tried again.
fn has_failed(state: &UnitState) -> bool {
    state.active == "failed" || state.sub.starts_with("auto-restart")
}

fn kind(act: Act) -> &'static str {
    match act {
        Act::Start => "agentd.service.started",
        Act::Stop => "agentd.service.stopped",
        Act::Restart => "agentd.service.restarted",
        Act::Reload => "agentd.service.reloaded",
    }
}

fn shown(line: &JournalLine) -> String {
    let who = line.identifier.as_deref().unwrap_or("-");
    let text: String = line.message.chars().take(MAX_LINE).collect();
    format!("{} {who}: {text}", line.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_waits_to_be_tried_again_has_failed() {
        let state =
            |active: &str, sub: &str| UnitState { active: active.into(), sub: sub.into(), main_pid: None };
        assert!(has_failed(&state("failed", "failed")) && has_failed(&state("activating", "auto-restart")));
        assert!(!has_failed(&state("active", "running")) && !has_failed(&state("inactive", "dead")));
    }
}
