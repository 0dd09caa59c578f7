//! `osmoda status`: how every daemon is, in its own words.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use osmoda_client::Client;
use osmoda_types::catalogue::calls_of;
use osmoda_types::{Daemon, health};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::args::Where;
use crate::lock::holder;
use crate::place::Place;
use crate::say;

/// Prints one line a daemon and one for each thing it complains of; fails if one is not well.
pub(crate) async fn status(place: &Where, as_json: bool) -> Result<ExitCode> {
    let place = Place::new(place)?;
    let up = holder(&place)?;
    let mut answers = Vec::new();
    for daemon in Daemon::ALL.iter().copied().filter(|daemon| daemon.exists()) {
        answers.push((daemon, ask(&place, daemon).await));
    }
    if as_json {
        let daemons: Vec<Value> =
            answers.iter().map(|(daemon, answer)| entry(&place, *daemon, answer)).collect();
        say(format_args!("{}", json!({"place": place.to_string(), "up_pid": up, "daemons": daemons})));
    } else {
        match up {
            Some(pid) => say(format_args!("osmoda up runs in {place} as process {pid}")),
            None => say(format_args!("osmoda up does not run in {place}")),
        }
        for (daemon, answer) in &answers {
            lines(*daemon, answer).iter().for_each(|line| say(format_args!("{line}")));
        }
    }
    let well =
        |answer: &Result<health::Health>| matches!(answer, Ok(health) if health.status == health::Status::Ok);
    Ok(if answers.iter().all(|(_, answer)| well(answer)) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a daemon says of itself.
pub(crate) async fn ask(place: &Place, daemon: Daemon) -> Result<health::Health> {
    let call = calls_of(daemon).find(|call| call.path == "/health").context("has no /health")?;
    let client = Client::new(&place.run);
    match timeout(PATIENCE, client.call(call, &Map::new())).await {
        Ok(answer) => serde_json::from_value(answer?).context("its /health is not of this release"),
        Err(_) => bail!("does not answer within {} s", PATIENCE.as_secs()),
    }
}

/// A daemon for people.
pub(crate) fn lines(daemon: Daemon, answer: &Result<health::Health>) -> Vec<String> {
    let name = daemon.name();
    let health = match answer {
        Ok(health) => health,
        Err(error) => return vec![format!("  {name:<9} {error:#}")],
    };
    let status = word(health.status);
    let mut lines = vec![format!("  {name:<9} {status:<9} {}, up {} s", health.version, health.uptime_secs)];
    for check in health.checks.iter().filter(|check| check.status != health::Status::Ok) {
        let parts = [check.code.map(|code| code.as_str().to_owned()), check.remedy.clone()];
        let why = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        lines.push(format!("            {} {} {why}", check.name, word(check.status)));
    }
    lines
}

/// A daemon for programs: its /health as far as all daemons share it, or why there is none.
fn entry(place: &Place, daemon: Daemon, answer: &Result<health::Health>) -> Value {
    let mut entry = json!({"name": daemon.name(), "socket": place.socket(daemon)});
    match answer {
        Ok(health) => entry["health"] = serde_json::to_value(health).expect("health is plain data"),
        Err(error) => entry["error"] = format!("{error:#}").into(),
    }
    entry
}

fn word(status: health::Status) -> &'static str {
    match status {
        health::Status::Ok => "ok",
        health::Status::Starting => "starting",
        health::Status::Degraded => "degraded",
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
