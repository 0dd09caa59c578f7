//! `agentctl incidents`: what went wrong, and how far somebody came with it.

use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::Limit;
use osmoda_types::api::agentd::incident::{
    Incident, IncidentGet, IncidentGetIn, IncidentGetOut, IncidentList, IncidentListIn, IncidentStatus,
};
use serde_json::Value;

use crate::args::Incidents;
use crate::events::text;
use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, plain};

/// Most rows of one page.
const PAGE: u64 = 1000;

pub(crate) async fn incidents(client: &Client, args: &Incidents, screen: &mut Screen) -> Outcome {
    if let Some(id) = args.id {
        let found = client.send::<IncidentGet>(&IncidentGetIn { id }).await?;
        if screen.is_json() {
            screen.json(&found)?;
        } else {
            show(&found, screen)?;
        }
        return Ok(Exit::Ok);
    }
    let mut left = args.limit;
    let mut query =
        IncidentListIn { status: args.open.then_some(IncidentStatus::Open), ..IncidentListIn::default() };
    let mut rows = Vec::new();
    while left > 0 {
        query.limit = Limit::new(left.min(PAGE));
        let page = client.send::<IncidentList>(&query).await?;
        left = left.saturating_sub(page.incidents.len() as u64);
        for incident in &page.incidents {
            if screen.is_json() { screen.json_line(incident)? } else { rows.push(row(incident)) }
        }
        match page.next {
            Some(next) => query.after = Some(text(next, "next")?),
            None => break,
        }
    }
    if !screen.is_json() {
        screen.table(&["INCIDENT", "OPENED", "STATUS", "SEVERITY", "STEPS", "TITLE"], rows)?;
    }
    Ok(Exit::Ok)
}

fn row(incident: &Incident) -> Vec<Cell> {
    let fields = [
        incident.id.to_string(),
        incident.created_at.to_string(),
        word(&incident.status),
        word(&incident.severity),
        incident.step_count.to_string(),
        plain(&incident.title),
    ];
    fields.into_iter().map(Cell::new).collect()
}

fn show(found: &IncidentGetOut, screen: &mut Screen) -> std::io::Result<()> {
    let IncidentGetOut { incident, steps } = found;
    screen.line(format!("{}  {}", incident.id, plain(&incident.title)))?;
    let (status, severity) = (word(&incident.status), word(&incident.severity));
    let (at, by) = (incident.created_at, plain(&incident.created_by));
    screen.line(format!("{status}, {severity}, opened {at} by {by}{}", events(&incident.events)))?;
    if !incident.description.is_empty() {
        screen.line(plain(&incident.description))?;
    }
    for step in steps {
        let (number, kind) = (step.number, word(&step.kind));
        screen.line(format!(
            "{number:>4}  {}  {kind:<10}  {}{}",
            step.at,
            plain(&step.by),
            events(&step.events)
        ))?;
        screen.line(format!("      {}", plain(&step.text)))?;
    }
    if let (Some(cause), Some(at), Some(by)) = (&incident.cause, incident.closed_at, &incident.closed_by) {
        screen.line(format!("closed {at} by {}: {}", plain(by), plain(cause)))?;
    }
    Ok(())
}

/// `, events 7, 9`.
fn events(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    if ids.is_empty() { String::new() } else { format!(", events {}", ids.join(", ")) }
}

/// A word of the wire.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => String::new(),
    }
}
