//! `agentctl service`: the list, one unit, and acting on it.

use std::io;

use comfy_table::{Cell, Color};
use osmoda_client::Client;
use osmoda_types::api::agentd::service::{
    ServiceActIn, ServiceActOut, ServiceGet, ServiceGetIn, ServiceReload, ServiceRestart, ServiceRow,
    ServiceStart, ServiceState, ServiceStatus, ServiceStatusIn, ServiceStop, UnitState,
};
use osmoda_types::{Limit, UnitName, Within};
use serde_json::json;

use crate::args::{OneUnit, Service, ServiceAct};
use crate::events::text;
use crate::exit::{Exit, Misuse, Outcome};
use crate::journal;
use crate::screen::{Screen, plain};
use crate::units::bytes;

pub(crate) async fn service(client: &Client, args: &Service, screen: &mut Screen) -> Outcome {
    match (&args.act, &args.unit) {
        (Some(act), _) => done(&act_on(client, act).await?, screen)?,
        (None, Some(unit)) => one(client, unit, args.lines, screen).await?,
        (None, None) => list(client, args, screen).await?,
    }
    Ok(Exit::Ok)
}

async fn act_on(client: &Client, act: &ServiceAct) -> anyhow::Result<ServiceActOut> {
    let input = |OneUnit { unit }: &OneUnit| ServiceActIn { unit: unit.clone() };
    Ok(match act {
        ServiceAct::Start(unit) => client.send::<ServiceStart>(&input(unit)).await?,
        ServiceAct::Stop(unit) => client.send::<ServiceStop>(&input(unit)).await?,
        ServiceAct::Restart(unit) => client.send::<ServiceRestart>(&input(unit)).await?,
        ServiceAct::Reload(unit) => client.send::<ServiceReload>(&input(unit)).await?,
    })
}

fn done(out: &ServiceActOut, screen: &mut Screen) -> io::Result<()> {
    if screen.is_json() {
        return screen.json(out);
    }
    let short = |state: &UnitState| format!("{} ({})", plain(&state.active), plain(&state.sub));
    let (unit, job) = (plain(&out.unit), plain(&out.job));
    screen.line(format_args!("{unit}: {job}, {} -> {}", short(&out.before), short(&out.after)))
}

async fn one(
    client: &Client,
    unit: &UnitName,
    lines: Option<u64>,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let lines = lines.map(|lines| Within::new(lines).ok_or_else(|| Misuse("--lines is at most 100".into())));
    let input = ServiceGetIn { unit: unit.clone(), lines: lines.transpose()? };
    let state = client.send::<ServiceGet>(&input).await?;
    if screen.is_json() {
        screen.json(&state)?;
        return Ok(());
    }
    page(&state).iter().try_for_each(|line| screen.line(line))?;
    if let Some(code) = state.journal_unread {
        screen.line(format_args!("\njournal      {}", code.title()))?;
    } else if !state.journal.is_empty() {
        screen.line("")?;
        state.journal.iter().try_for_each(|line| journal::show(line, screen))?;
    }
    Ok(())
}

fn page(state: &ServiceState) -> Vec<String> {
    let ServiceRow { unit, load, active, sub, description } = &state.row;
    let mut lines = vec![format!("{}  {}", plain(unit), plain(description))];
    let mut say = |name: &str, text: Option<String>| {
        lines.extend(text.map(|text| format!("{name:<12} {}", plain(&text))));
    };
    let since = state.since.map(|since| format!(" since {since}")).unwrap_or_default();
    say("state", Some(format!("{active} ({sub}){since}")));
    say("file", Some(format!("{load}, {}", state.enabled.as_deref().unwrap_or("not from a file"))));
    say("path", state.fragment_path.clone());
    say("error", state.load_error.clone());
    say("aliases", Some(state.aliases.join(" ")).filter(|names| !names.is_empty()));
    say("started by", Some(state.triggered_by.join(" ")).filter(|names| !names.is_empty()));
    say("protected", state.protected.clone());
    say("process", state.main_pid.map(|pid| pid.to_string()));
    say("memory", state.memory_bytes.map(bytes));
    say("tasks", state.tasks.map(|tasks| tasks.to_string()));
    say("restarts", state.restarts.filter(|count| *count > 0).map(|count| count.to_string()));
    say("last run", state.result.clone().filter(|result| result != "success"));
    say("last exit", state.last_exit.clone());
    lines
}

async fn list(client: &Client, args: &Service, screen: &mut Screen) -> anyhow::Result<()> {
    let mut query = ServiceStatusIn {
        state: args.state.clone().map(|state| text(state, "--state")).transpose()?,
        pattern: args.pattern.clone().map(|pattern| text(pattern, "--pattern")).transpose()?,
        limit: Limit::new(1000),
        ..ServiceStatusIn::default()
    };
    let mut rows = Vec::new();
    loop {
        let page = client.send::<ServiceStatus>(&query).await?;
        rows.extend(page.services.unwrap_or_default());
        let Some(next) = page.next else { break };
        query.after = Some(text(next, "next")?);
    }
    if screen.is_json() {
        screen.json(&json!({"services": rows}))?;
        return Ok(());
    }
    let rows = rows.iter().map(row).collect();
    screen.table(&["UNIT", "FILE", "STATE", "", "DESCRIPTION"], rows)?;
    Ok(())
}

fn row(row: &ServiceRow) -> Vec<Cell> {
    let active = Cell::new(plain(&row.active));
    let active = match row.active.as_str() {
        "active" => active.fg(Color::Green),
        "failed" => active.fg(Color::Red),
        _ => active,
    };
    let cell = |text: &str| Cell::new(plain(text));
    vec![cell(&row.unit), cell(&row.load), active, cell(&row.sub), cell(&row.description)]
}

#[cfg(test)]
mod tests {
    use osmoda_types::Endpoint;

    use super::*;

    #[test]
    fn the_page_says_what_there_is_and_leaves_out_what_is_not() {
        let (_, answer) = (ServiceGet::CALL.example)();
        let lines = page(&serde_json::from_value(answer).unwrap());
        assert_eq!(
            lines,
            [
                "nginx.service  A high performance web server",
                "state        failed (failed) since 2026-11-24T08:30:00.000Z",
                "file         loaded, enabled",
                "path         /usr/lib/systemd/system/nginx.service",
                "last run     exit-code",
                "last exit    exited with status 1",
            ]
        );
    }
}
