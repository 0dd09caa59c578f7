//! `agentctl events --follow`: events as they happen, each once, across restarts of agentd.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use osmoda_client::{CallError, Client};
use osmoda_types::Endpoint;
use osmoda_types::api::agentd::ledger::EventsStream;
use osmoda_types::ledger::Event;
use serde_json::{Map, Value};

use crate::args::Events;
use crate::events::show;
use crate::exit::Outcome;
use crate::screen::Screen;

/// Between attempts to reach agentd again.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(5);

/// What ended a stream.
enum End {
    /// agentd closed it or went away: it is opened again.
    Away,
    /// Nobody reads any more.
    Unread(io::Error),
}

/// Shows what comes after event `last`, until nobody reads or agentd refuses.
pub(crate) async fn follow(client: &Client, args: &Events, mut last: u64, screen: &mut Screen) -> Outcome {
    let mut arguments = Map::new();
    if let Some(kind) = &args.kind {
        arguments.insert("type".into(), kind.as_str().into());
    }
    let (mut pause, mut told) = (*RETRY.start(), false);
    loop {
        let before = last;
        match client.events(&EventsStream::CALL, &arguments, Some(&last.to_string())).await {
            Ok(mut stream) => {
                told = false;
                if let End::Unread(error) = watch(&mut stream, args, &mut last, screen).await? {
                    return Err(error.into());
                }
            }
            Err(error) if passes(&error) => {}
            Err(error) => return Err(error.into()),
        }
        if !told {
            note("agentd went away; waiting for it");
            told = true;
        }
        // A stream that gave something was a good one: the next may be tried soon.
        pause = if last == before { pause } else { *RETRY.start() };
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(*RETRY.end());
    }
}

async fn watch(
    stream: &mut osmoda_client::Events,
    args: &Events,
    last: &mut u64,
    screen: &mut Screen,
) -> anyhow::Result<End> {
    while let Ok(Some(message)) = stream.next().await {
        match message.event.as_str() {
            "end" | "lagged" => break,
            "gap" => {
                let gap: Value = serde_json::from_str(&message.data).unwrap_or_default();
                note(&format!(
                    "event {} was seen, but the ledger ends at {}: verify-ledger",
                    gap["from"], gap["to"]
                ));
                *last = gap["to"].as_u64().unwrap_or(*last);
                continue;
            }
            _ => {}
        }
        let event: Event =
            serde_json::from_str(&message.data).context("the stream holds what is no event")?;
        if event.id <= *last {
            continue;
        }
        *last = event.id;
        if args.actor.as_ref().is_none_or(|actor| *actor == event.actor)
            && let Err(error) = show(&event, screen)
        {
            return Ok(End::Unread(error));
        }
    }
    Ok(End::Away)
}

/// Whether waiting can help.
fn passes(error: &CallError) -> bool {
    match error {
        CallError::Absent { source, .. } => source.kind() != io::ErrorKind::PermissionDenied,
        CallError::Broken { .. } | CallError::Silent { .. } => true,
        CallError::Problem(problem) => problem.status >= 500 || problem.status == 429,
        CallError::Untrusted { .. } | CallError::Garbage { .. } => false,
    }
}

fn note(text: &str) {
    let _ = writeln!(io::stderr(), "agentctl: {text}");
}
