//! Starting, stopping, restarting and reloading a unit.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use osmoda_types::UnitName;
use serde::{Deserialize, Serialize};

use crate::protected::{by_name, protected};
use crate::systemd::{Properties, Systemd, SystemdError};

/// What to do with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it; start it if it is down.
    Restart,
    /// Let it read its configuration again.
    Reload,
}

/// A job that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The unit by its own name.
    pub unit: UnitName,
    /// systemd's word for how it ended: `done`, `failed`, `timeout`, `dependency`, `canceled`, `skipped` …
    pub result: String,
}

/// Longest wait for a job; a little over systemd's own 90 s (DefaultTimeoutStartSec=), so that its verdict comes first.
const JOB_PATIENCE: Duration = Duration::from_secs(100);

/// Gives systemd the job and waits for its end.
pub(crate) async fn act(unit: &UnitName, act: Act) -> Result<Job, SystemdError> {
    // By name alone first: that needs no systemd.
    refuse(unit, None)?;
    let systemd = Systemd::connect().await?;
    let unit = own_name(&systemd, unit, act).await?;
    // The stream stands before the job is made: a quick job would be over before we listen.
    systemd.manager.subscribe().await?;
    let mut ended = systemd.manager.receive_job_removed().await?;
    let manager = &systemd.manager;
    let job = match act {
        Act::Start => manager.start_unit(unit.as_str(), "replace").await?,
        Act::Stop => manager.stop_unit(unit.as_str(), "replace").await?,
        Act::Restart => manager.restart_unit(unit.as_str(), "replace").await?,
        Act::Reload => manager.reload_unit(unit.as_str(), "replace").await?,
    };
    let result = async {
        while let Some(signal) = ended.next().await {
            let about = signal.args()?;
            if about.job == job {
                return Ok(about.result);
            }
        }
        Err(SystemdError::Bus { source: Box::new(zbus::Error::InterfaceNotFound) })
    };
    let pending = || SystemdError::Pending { unit: unit.to_string(), secs: JOB_PATIENCE.as_secs() };
    let result = tokio::time::timeout(JOB_PATIENCE, result).await.map_err(|_| pending())??;
    Ok(Job { unit, result })
}

/// The name systemd keeps the unit under, if neither it nor what it would take along is protected.
async fn own_name(systemd: &Systemd, unit: &UnitName, act: Act) -> Result<UnitName, SystemdError> {
    let found = systemd.unit(unit).await?;
    let id = found.text("Id");
    for name in std::iter::once(&id).chain(&found.texts("Names")) {
        refuse(&parsed(name)?, (name != unit.as_str()).then_some(unit))?;
    }
    match act {
        Act::Start => refuse_conflicts(systemd, &found, unit).await?,
        Act::Stop => refuse_followers(systemd, &found, unit).await?,
        Act::Restart => {
            refuse_followers(systemd, &found, unit).await?;
            refuse_conflicts(systemd, &found, unit).await?;
        }
        Act::Reload => {}
    }
    parsed(&id)
}

fn parsed(name: &str) -> Result<UnitName, SystemdError> {
    name.parse()
        .map_err(|_| SystemdError::Refused { said: format!("{name} is no unit that can be acted on") })
}

fn refuse(unit: &UnitName, asked: Option<&UnitName>) -> Result<(), SystemdError> {
    match protected(unit) {
        Some(why) => Err(SystemdError::Protected {
            unit: unit.to_string(),
            why,
            through: asked.map(ToString::to_string),
        }),
        None => Ok(()),
    }
}

/// A unit that stops takes along what requires it (systemd.unit(5): Requires=, Requisite=, BindsTo=, PartOf=).
async fn refuse_followers(
    systemd: &Systemd,
    unit: &Properties,
    asked: &UnitName,
) -> Result<(), SystemdError> {
    for (name, _) in
        drawn_along(systemd, unit, &["RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf"], true).await?
    {
        if let Some(why) = by_name(&name) {
            return Err(taken_along(&name, why, asked));
        }
    }
    Ok(())
}

/// A unit that starts stops what conflicts with it, and starts what it needs, which may do the same.
async fn refuse_conflicts(
    systemd: &Systemd,
    unit: &Properties,
    asked: &UnitName,
) -> Result<(), SystemdError> {
    let needed = drawn_along(systemd, unit, &["Requires", "BindsTo", "Wants"], false).await?;
    let started = std::iter::once(unit).chain(needed.iter().map(|(_, properties)| properties));
    let enemies = started.flat_map(|unit| [unit.texts("Conflicts"), unit.texts("ConflictedBy")]).flatten();
    for enemy in enemies.collect::<HashSet<_>>() {
        let enemy = parsed(&enemy)?;
        if let Some(why) = by_name(&enemy)
            && systemd.unit(&enemy).await.is_ok_and(|enemy| is_active(&enemy))
        {
            return Err(taken_along(&enemy, why, asked));
        }
    }
    Ok(())
}

/// Units that a job on this one draws along over `links`, and over theirs, as far as they are active or not.
async fn drawn_along(
    systemd: &Systemd,
    unit: &Properties,
    links: &[&str],
    active: bool,
) -> Result<Vec<(UnitName, Properties)>, SystemdError> {
    let of = |unit: &Properties| links.iter().flat_map(|link| unit.texts(link)).collect::<Vec<_>>();
    let (mut waiting, mut seen, mut found) = (of(unit), HashSet::from([unit.text("Id")]), Vec::new());
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if seen.len() > MOST_DRAWN {
            let said = format!("it would draw along more than {MOST_DRAWN} units");
            return Err(SystemdError::Refused { said });
        }
        let name = parsed(&name)?;
        // What is wanted and has no file is left out by systemd too.
        let Ok(unit) = systemd.unit(&name).await else { continue };
        if is_active(&unit) == active {
            waiting.extend(of(&unit));
            found.push((name, unit));
        }
    }
    Ok(found)
}

fn taken_along(unit: &UnitName, why: &'static str, asked: &UnitName) -> SystemdError {
    SystemdError::Protected { unit: unit.to_string(), why, through: Some(asked.to_string()) }
}

fn is_active(unit: &Properties) -> bool {
    !["inactive", "failed"].contains(&&*unit.text("ActiveState"))
}

/// A whole machine's boot is some hundred units; no service draws along as many.
const MOST_DRAWN: usize = 1000;

#[cfg(test)]
mod tests {
    use osmoda_types::{Code, Problem};

    use super::*;

    #[tokio::test]
    async fn a_protected_unit_is_refused_with_or_without_systemd() {
        for name in ["sshd", "osmoda-agentd", "multi-user.target"] {
            for act_of in [Act::Start, Act::Stop, Act::Restart, Act::Reload] {
                let refused = act(&name.parse().unwrap(), act_of).await.unwrap_err();
                let problem = Problem::from(refused);
                assert_eq!(problem.code, Code::ServiceProtected, "{name}");
                assert!(problem.detail.unwrap().contains("is protected"));
            }
        }
    }
}
