//! `POST /undo`: what cannot be taken back first, then each change in turn, newest first.

use std::collections::HashSet;

use agentd_root::file::{FileAnswer, FileVerb, Seen};
use agentd_root::{Answer, Verb};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::ledger::EventsLogIn;
use osmoda_types::api::agentd::undo::{Irreversible, UndoIn, UndoOut, Undone};
use osmoda_types::ledger::{CallResult, ChangeUndone, Event, Outcome};
use osmoda_types::{Code, Problem, Ring, Since, Text, Timestamp, UndoId, catalogue};
use serde_json::json;

use super::{Change, Entry, Kept};
use crate::files::digest;
use crate::service::Agentd;

/// Takes back what was asked for.
pub(crate) async fn undo(agentd: &Agentd, context: &Context, input: UndoIn) -> Result<UndoOut, Problem> {
    let mut impossible = Vec::new();
    let ids = match (input.undo, input.event, input.since) {
        (Some(undo), None, None) => vec![undo],
        (None, Some(event), None) => vec![of_event(agentd, event).await?],
        (None, None, Some(since)) => {
            let since = since.resolve(context.now());
            impossible = irreversible(agentd, context, since).await?;
            agentd.journal.since(since).await?
        }
        _ => {
            return Err(Problem::new(Code::RequestField).at("/undo", "give one of undo, event and since"));
        }
    };
    let one = input.since.is_none();
    let (mut refused, mut undone, mut newer) = (Vec::new(), Vec::new(), HashSet::new());
    for id in ids {
        let entry = agentd.journal.get(id).await?;
        if context.principal.ring != Ring::Operator && entry.actor != context.principal.actor {
            if one {
                return Err(
                    Problem::new(Code::PolicyDenied).detail(format!("{} did this, not you", entry.actor))
                );
            }
            continue;
        }
        let taken_back = match plan(agentd, &entry).await {
            Ok(_) if input.dry_run => Ok(()),
            // What a newer change put there would be taken back first.
            Err(_) if input.dry_run && paths(&entry.change).iter().any(|path| newer.contains(*path)) => {
                Ok(())
            }
            Ok(step) => take(agentd, &entry, step).await,
            Err(problem) => Err(problem),
        };
        let mut line = Undone { undo: id, what: what(&entry.change), at: entry.at, why: None };
        match taken_back {
            Ok(()) => {
                newer.extend(paths(&entry.change).into_iter().map(str::to_owned));
                if !input.dry_run {
                    context.fact(
                        "agentd.change.undone",
                        &ChangeUndone {
                            v: 1,
                            undo: id,
                            request_id: entry.request_id,
                            what: line.what.clone(),
                        },
                    );
                    agentd.journal.forget(id).await;
                }
                undone.push(line);
            }
            Err(problem) => {
                line.why = Some(problem.detail.unwrap_or(problem.title));
                refused.push(line);
            }
        }
    }
    Ok(UndoOut { impossible, refused, undone })
}

/// What taking it back means now.
enum Step {
    /// It is as it was already.
    Nothing,
    Remove(Seen),
    PutBack(Seen, Kept),
    Move(Seen),
}

async fn plan(agentd: &Agentd, entry: &Entry) -> Result<Step, Problem> {
    let changed = |path: &str| Problem::new(Code::FileChanged).detail(format!("{path} was changed since"));
    match &entry.change {
        Change::File { path, before, after } => {
            let now = agentd.files.found(path).await?;
            let (seen, is) = match now {
                None => (Seen::Absent {}, None),
                Some((file, seen, _)) => {
                    let is = digest(file).await?.ok_or_else(|| changed(path))?;
                    (seen, Some(is))
                }
            };
            if is == *after {
                return Ok(match before {
                    Some(kept) => Step::PutBack(seen, kept.clone()),
                    None if is.is_none() => Step::Nothing,
                    None => Step::Remove(seen),
                });
            }
            if is == before.as_ref().map(|kept| kept.digest.clone()) {
                Ok(Step::Nothing)
            } else {
                Err(changed(path))
            }
        }
        Change::Moved { from, to, ino } => {
            let same = |seen: &Seen| matches!(seen, Seen::File { ino: is, .. } if is == ino);
            match (agentd.files.found(to).await?, agentd.files.found(from).await?) {
                (Some((_, seen, _)), None) if same(&seen) => Ok(Step::Move(seen)),
                (None, Some((_, seen, _))) if same(&seen) => Ok(Step::Nothing),
                _ => Err(changed(to)),
            }
        }
    }
}

async fn take(agentd: &Agentd, entry: &Entry, step: Step) -> Result<(), Problem> {
    let (verb, given) = match (&entry.change, step) {
        (_, Step::Nothing) => return Ok(()),
        (Change::File { path, .. }, Step::Remove(seen)) => {
            (FileVerb::Delete { path: path.clone(), seen }, vec![])
        }
        (Change::File { path, .. }, Step::PutBack(seen, kept)) => {
            let bytes = agentd.journal.blob(entry.undo).await?;
            (FileVerb::Write { path: path.clone(), seen, as_it_was: Some(kept.looks) }, vec![bytes])
        }
        (Change::Moved { from, to, .. }, Step::Move(seen)) => {
            (FileVerb::Move { from: to.clone(), to: from.clone(), seen }, vec![])
        }
        _ => return Err(Code::InternalBug.into()),
    };
    match agentd.hands.ask_with(Verb::File(verb), given).await? {
        (Answer::File(FileAnswer::File { .. } | FileAnswer::Gone {}), _) => Ok(()),
        _ => Err(Code::InternalBug.into()),
    }
}

fn what(change: &Change) -> String {
    match change {
        Change::File { path, .. } => format!("file {path}"),
        Change::Moved { from, to, .. } => format!("move of {from} to {to}"),
    }
}

fn paths(change: &Change) -> Vec<&str> {
    match change {
        Change::File { path, .. } => vec![path],
        Change::Moved { from, to, .. } => vec![from, to],
    }
}

/// The undo id that the outcome at this event names.
async fn of_event(agentd: &Agentd, event: u64) -> Result<UndoId, Problem> {
    let input = json!({"after_id": event.saturating_sub(1), "limit": 1});
    let page = agentd.ledger.log(serde_json::from_value(input).expect("the query is well-formed")).await?;
    let found = page.events.into_iter().find(|found| found.id == event);
    let outcome = found.as_ref().and_then(outcome);
    outcome.and_then(|outcome| outcome.undo).ok_or_else(|| {
        Problem::new(Code::UndoNotFound).detail(format!("event {event} is no outcome that names an undo"))
    })
}

/// Calls of this caller since then that changed something and cannot be taken back.
async fn irreversible(
    agentd: &Agentd,
    context: &Context,
    since: Timestamp,
) -> Result<Vec<Irreversible>, Problem> {
    let actor = (context.principal.ring != Ring::Operator).then(|| context.principal.actor.to_string());
    let mut input = EventsLogIn { since: Some(Since::At(since)), ..EventsLogIn::default() };
    input.limit = osmoda_types::Limit::new(1000);
    input.actor = actor.map(Text::new).transpose().expect("an actor is short");
    let page = agentd.ledger.log(input).await?;
    let lasting = |event: &Event| {
        let call = event.kind.strip_suffix(".outcome")?;
        let outcome = outcome(event)?;
        let entry = catalogue::calls().find(|entry| entry.event() == call)?;
        let lasting = outcome.undo.is_none()
            && outcome.result != CallResult::Failed
            && entry.path != "/undo"
            && entry.path != "/notify";
        lasting.then(|| Irreversible { event_id: event.id, call: call.to_owned(), at: event.ts })
    };
    Ok(page.events.iter().filter_map(lasting).collect())
}

fn outcome(event: &Event) -> Option<Outcome> {
    event.kind.ends_with(".outcome").then(|| serde_json::from_value(event.payload.clone()).ok())?
}
