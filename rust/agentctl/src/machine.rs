//! `agentctl users`, `sysctl`, `signal`, `score` and `telemetry`: the machine's accounts, settings, processes, and how it does.

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::api::agentd::process::{ProcessSignal, ProcessSignalIn};
use osmoda_types::api::agentd::security::{FindingState, SecurityScore};
use osmoda_types::api::agentd::sysctl::{SysctlGet, SysctlGetIn, SysctlSet, SysctlSetIn};
use osmoda_types::api::agentd::telemetry::{Spread, TelemetryWindow, TelemetryWindowIn};
use osmoda_types::api::agentd::users::{UserList, UserListIn, UserListOut};
use osmoda_types::{Empty, Text, Within};

use crate::args::{SignalArgs, Sysctl, Telemetry, Users};
use crate::exit::{Exit, Misuse, Outcome};
use crate::screen::{Screen, plain};
use crate::units::bytes;

pub(crate) async fn users(client: &Client, args: &Users, screen: &mut Screen) -> Outcome {
    let mut all = UserListOut { users: Vec::new(), next: None };
    loop {
        let after = all.next.take().map(Text::new).transpose().map_err(|error| Misuse(error.to_string()))?;
        let system = args.people.then_some(false);
        let page = client.send::<UserList>(&UserListIn { system, limit: Within::new(1000), after }).await?;
        all.users.extend(page.users);
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    if screen.is_json() {
        screen.json(&all)?;
        return Ok(Exit::Ok);
    }
    let rows = all.users.iter().map(|account| {
        let user = &account.user;
        let groups = account.groups.join(" ");
        [plain(&user.name), user.uid.to_string(), plain(&groups), plain(&user.home), plain(&user.shell)]
            .map(Cell::new)
            .to_vec()
    });
    screen.table(&["USER", "UID", "GROUPS", "HOME", "SHELL"], rows.collect())?;
    Ok(Exit::Ok)
}

pub(crate) async fn sysctl(client: &Client, verb: &Sysctl, screen: &mut Screen) -> Outcome {
    match verb {
        Sysctl::Get { key } => {
            let got = client.send::<SysctlGet>(&SysctlGetIn { key: key.clone() }).await?;
            if screen.is_json() {
                screen.json(&got)?;
            } else {
                screen.line(format_args!("{} = {}", plain(&got.key), shown(&got.value)))?;
            }
        }
        Sysctl::Set { key, value } => {
            let value = Text::new(value.as_str()).map_err(|error| Misuse(format!("value: {error}")))?;
            let set = client.send::<SysctlSet>(&SysctlSetIn { key: key.clone(), value }).await?;
            if screen.is_json() {
                screen.json(&set)?;
            } else {
                let text = |value: Option<&str>| value.map_or_else(|| "not to be read".into(), shown);
                let (before, after) = (text(set.before.as_deref()), text(set.after.as_deref()));
                screen.line(format_args!("{} = {after} (was {before})", plain(&set.key)))?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// Several numbers stand apart by tabs.
fn shown(value: &str) -> String {
    plain(&value.replace('\t', " "))
}

pub(crate) async fn signal(client: &Client, args: &SignalArgs, screen: &mut Screen) -> Outcome {
    let pid = Within::new(args.pid.into()).ok_or_else(|| Misuse("a pid is from 1 to 4194304".into()))?;
    let input = ProcessSignalIn { pid, signal: args.signal, started_at: None };
    let sent = client.send::<ProcessSignal>(&input).await?;
    if screen.is_json() {
        screen.json(&sent)?;
    } else {
        let unit = sent.unit.map_or_else(String::new, |unit| format!(", of {}", plain(&unit)));
        screen.line(format_args!("process {} ({}{unit}) got the signal", sent.pid, plain(&sent.name)))?;
    }
    Ok(Exit::Ok)
}

pub(crate) async fn score(client: &Client, screen: &mut Screen) -> Outcome {
    let score = client.send::<SecurityScore>(&Empty {}).await?;
    if screen.is_json() {
        screen.json(&score)?;
        return Ok(Exit::Ok);
    }
    let rows = score.findings.iter().map(|finding| {
        let state = match finding.state {
            FindingState::Pass => "ok",
            FindingState::Fail => "FAIL",
            FindingState::Unknown => "unknown",
        };
        [state.into(), finding.weight.to_string(), plain(&finding.title), plain(&finding.detail)]
            .map(Cell::new)
            .to_vec()
    });
    screen.table(&["", "WEIGHT", "WHAT SHOULD BE SO", "SEEN"], rows.collect())?;
    let number = score.score.map_or_else(|| "none".into(), |score| score.to_string());
    let (passed, failed, unknown) = (score.weight_passed, score.weight_failed, score.weight_unknown);
    screen.line(format_args!(
        "\nscore    {number} of 100: weight {passed} passed, {failed} failed, {unknown} unknown"
    ))?;
    for finding in score.findings.iter().filter(|finding| finding.state == FindingState::Fail) {
        screen.line(format_args!("\n{}: {}", screen.bad(&plain(&finding.title)), plain(&finding.why)))?;
        screen.line(format_args!(
            "  NixOS   {}\n  Debian  {}",
            plain(&finding.fix_nixos),
            plain(&finding.fix_debian)
        ))?;
    }
    Ok(Exit::Ok)
}

pub(crate) async fn telemetry(client: &Client, args: &Telemetry, screen: &mut Screen) -> Outcome {
    let step_secs = match args.step {
        None => None,
        Some(secs) => {
            Some(Within::new(secs).ok_or_else(|| Misuse("a step is from 10 to 86400 seconds".into()))?)
        }
    };
    let input = TelemetryWindowIn { since: args.since, until: args.until, step_secs };
    let window = client.send::<TelemetryWindow>(&input).await?;
    if screen.is_json() {
        screen.json(&window)?;
        return Ok(Exit::Ok);
    }
    let rows = window.points.iter().map(|point| {
        [
            point.at.to_string(),
            spread(&point.cpu_percent),
            spread(&point.memory_percent),
            spread(&point.load_one),
            spread(&point.disk_percent),
            rate(&point.rx_bytes_per_sec),
            rate(&point.tx_bytes_per_sec),
        ]
        .map(Cell::new)
        .to_vec()
    });
    screen.table(&["FROM", "CPU %", "MEMORY %", "LOAD", "DISK %", "IN/S", "OUT/S"], rows.collect())?;
    screen
        .line(format_args!("\n{} samples, least mean most of each {} s", window.samples, window.step_secs))?;
    Ok(Exit::Ok)
}

fn spread(Spread { min, avg, max }: &Spread) -> String {
    format!("{min:.1} {avg:.1} {max:.1}")
}

fn rate(spread: &Spread) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is no less than 0, and shown roughly"
    )]
    let whole = |value: f64| bytes(value.max(0.0) as u64);
    format!("{} {} {}", whole(spread.min), whole(spread.avg), whole(spread.max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_shown_shortly() {
        let numbers = Spread { min: 0.0, avg: 1.25, max: 2048.0 };
        assert_eq!(spread(&numbers), "0.0 1.2 2048.0");
        assert_eq!(rate(&numbers), format!("{} {} {}", bytes(0), bytes(1), bytes(2048)));
    }
}
