//! `agentctl events`: a line for each event, page by page, so that a long ledger needs no memory.

use std::io;

use osmoda_client::Client;
use osmoda_types::api::agentd::ledger::{EventId, EventsLog, EventsLogIn, LedgerHead};
use osmoda_types::ledger::Event;
use osmoda_types::{Empty, Limit, Text, TooLong};
use serde_json::Value;

use crate::args::Events;
use crate::exit::{Exit, Misuse, Outcome};
use crate::follow::follow;
use crate::screen::{Screen, cut, plain};

/// Shown unless told otherwise.
const DEFAULT: u64 = 100;
/// Past events shown before those to come.
const DEFAULT_BEFORE_FOLLOWING: u64 = 10;
/// Most rows of one page.
const PAGE: u64 = 1000;

pub(crate) async fn events(client: &Client, args: &Events, screen: &mut Screen) -> Outcome {
    let query = query(args)?;
    if args.follow {
        let after = past(client, args, query, screen).await?;
        return follow(client, args, after, screen).await;
    }
    let mut left = args.limit.unwrap_or(DEFAULT);
    let mut query = query;
    while left > 0 {
        query.limit = Limit::new(left.min(PAGE));
        let page = client.send::<EventsLog>(&query).await?;
        left = left.saturating_sub(page.events.len() as u64);
        page.events.iter().try_for_each(|event| show(event, screen))?;
        match page.next {
            Some(next) => query.after = Some(text(next, "next")?),
            None => break,
        }
    }
    Ok(Exit::Ok)
}

/// Shows the newest events, oldest first, and tells after which one to go on: nothing is missed between the two,
/// because the head is read before the page.
async fn past(
    client: &Client,
    args: &Events,
    query: EventsLogIn,
    screen: &mut Screen,
) -> anyhow::Result<u64> {
    let head = client.send::<LedgerHead>(&Empty {}).await?;
    let limit = args.limit.unwrap_or(DEFAULT_BEFORE_FOLLOWING).min(PAGE);
    let Some(limit) = Limit::new(limit) else { return Ok(head.size) };
    let page = client.send::<EventsLog>(&EventsLogIn { limit: Some(limit), ..query }).await?;
    page.events.iter().rev().try_for_each(|event| show(event, screen))?;
    Ok(page.events.first().map_or(head.size, |newest| newest.id))
}

fn query(args: &Events) -> anyhow::Result<EventsLogIn> {
    Ok(EventsLogIn {
        kind: args.kind.clone().map(|kind| text(kind, "--type")).transpose()?,
        actor: args.actor.clone().map(|actor| text(actor, "--actor")).transpose()?,
        q: args.q.clone().map(|q| text(q, "--q")).transpose()?,
        since: args.since,
        until: args.until,
        ..EventsLogIn::default()
    })
}

/// An argument as a bounded text.
pub(crate) fn text<const MAX: usize>(text: String, of: &str) -> Result<Text<MAX>, Misuse> {
    Text::new(text).map_err(|error: TooLong| Misuse(format!("{of} is {error}")))
}

/// The id of an event as an argument.
pub(crate) fn event_id(id: u64) -> Result<EventId, Misuse> {
    EventId::new(id).ok_or_else(|| Misuse(format!("{id} is no event's id")))
}

/// Prints one event.
pub(crate) fn show(event: &Event, screen: &mut Screen) -> io::Result<()> {
    if screen.is_json() {
        return screen.json_line(event);
    }
    let line = line(event);
    match screen.width() {
        Some(width) => screen.line(cut(&line, width)),
        None => screen.line(line),
    }
}

fn line(event: &Event) -> String {
    let Event { id, ts, kind, actor, payload, .. } = event;
    format!("{id:>7}  {ts}  {:<14}  {:<28}  {}", plain(actor), plain(kind), plain(&summary(kind, payload)))
        .trim_end()
        .to_owned()
}

/// What the payload says, as short as its type allows.
fn summary(kind: &str, payload: &Value) -> String {
    let words = |fields: &[&str]| {
        let word = |field: &&str| match &payload[*field] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        fields.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    };
    match kind.rsplit('.').next() {
        Some("intent") => format!("{} {}", words(&["effect", "method", "path"]), payload["args"]),
        Some("outcome") => words(&["result", "status", "code"]),
        Some("denied") => words(&["code", "method", "path"]),
        Some("raised") => words(&["severity", "title"]),
        Some("read") => payload["calls"].as_array().map_or_else(|| payload.to_string(), |calls| reads(calls)),
        _ => match payload {
            Value::Object(fields) => {
                let said: serde_json::Map<_, _> = fields
                    .iter()
                    .filter(|(name, _)| *name != "v")
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect();
                Value::Object(said).to_string()
            }
            other => other.to_string(),
        },
    }
}

/// `agentd.system.query ×3, agentd.health`.
fn reads(calls: &[Value]) -> String {
    let mut counts: Vec<(&str, u32)> = Vec::new();
    for call in calls {
        let name = call["call"].as_str().unwrap_or("?");
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let one = |(name, count): &(&str, u32)| {
        if *count == 1 { (*name).to_owned() } else { format!("{name} ×{count}") }
    };
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_event_says_what_matters() {
        let said = |kind: &str, payload: Value| summary(kind, &payload);
        assert_eq!(
            said(
                "x.y.intent",
                json!({"v": 1, "effect": "change", "method": "POST", "path": "/y", "args": {"a": 1}})
            ),
            "change POST /y {\"a\":1}"
        );
        assert_eq!(
            said("x.y.outcome", json!({"result": "failed", "status": 503, "code": "nix.absent"})),
            "failed 503 nix.absent"
        );
        assert_eq!(said("x.y.outcome", json!({"result": "ok", "status": 200, "code": null})), "ok 200");
        assert_eq!(
            said("agentd.session.read", json!({"calls": [{"call": "a"}, {"call": "b"}, {"call": "a"}]})),
            "a ×2, b"
        );
        assert_eq!(said("agentd.ledger.created", json!({"v": 1, "origin": "o"})), "{\"origin\":\"o\"}");
        assert_eq!(said("strange", json!([1])), "[1]");
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let event: Event =
            serde_json::from_value(json!({"id": 7, "ts": "2026-11-24T08:30:00.000Z", "type": "a.b",
            "actor": "agent:main", "payload": {"x": "line\nbreak"}, "prev_hash": "", "hash": ""}))
            .unwrap();
        let expected = "      7  2026-11-24T08:30:00.000Z  agent:main      a.b                           {\"x\":\"line\\nbreak\"}";
        assert_eq!(line(&event), expected);
    }

    #[test]
    fn a_filter_that_is_too_long_is_a_misuse() {
        assert!(text::<3>("abcd".into(), "--q").is_err());
        assert!(event_id(u64::MAX).is_err());
    }
}
