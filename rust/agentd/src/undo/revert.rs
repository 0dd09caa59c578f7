//! `POST /undo`: what cannot be taken back first, then each change in turn, newest first.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use agentd_root::file::{FileAnswer, FileVerb, Looks, Seen};
use agentd_root::{Act, Answer, Verb};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::firewall::OpenPorts;
use osmoda_types::api::agentd::ledger::EventsLogIn;
use osmoda_types::api::agentd::memory::MemoryForgetIn;
use osmoda_types::api::agentd::sysctl::{SysctlGetIn, SysctlKey};
use osmoda_types::api::agentd::undo::{Irreversible, UndoIn, UndoOut, Undone};
use osmoda_types::ledger::{CallResult, ChangeUndone, Event, Outcome};
use osmoda_types::{
    Code, MemoryId, Problem, Ring, Since, Text, Timestamp, UndoId, UnitName, catalogue, json,
};

use super::keep::digest;
use super::{Change, Entry, Kept};
use crate::control::{firewall, sysctl};
use crate::memory::MemoryError;
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
        let taken_back = match take_back(agentd, &entry, input.dry_run).await {
            // What a newer change put there would be taken back first.
            Err(_) if input.dry_run && touches(&entry.change).iter().any(|what| newer.contains(*what)) => {
                Ok(())
            }
            taken_back => taken_back,
        };
        let mut line = Undone { undo: id, what: what(&entry.change), at: entry.at, why: None };
        match taken_back {
            Ok(()) => {
                newer.extend(touches(&entry.change).into_iter().map(str::to_owned));
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

/// Takes one change back; with `dry`, only looks whether it can be.
async fn take_back(agentd: &Agentd, entry: &Entry, dry: bool) -> Result<(), Problem> {
    match &entry.change {
        Change::File { path, before, after } => {
            file(agentd, entry.undo, path, before.as_ref(), after.as_ref(), dry).await
        }
        Change::Moved { from, to, ino, size, mtime_ns } => {
            // A newer change that was taken back made the same file anew.
            let same = |seen: &Seen, looks: &Looks| {
                matches!(seen, Seen::File { ino: now, .. } if now == ino)
                    || matches!(seen, Seen::File { size: now, .. } if now == size && looks.mtime_ns == *mtime_ns)
            };
            moved(agentd, from, to, same, dry).await
        }
        Change::Unit { unit, before, act } => self::unit(agentd, unit, before, *act, dry).await,
        Change::Remembered { memory, digest } => remembered(agentd, *memory, digest, dry).await,
        Change::Forgotten { path, .. } => forgotten(agentd, entry.undo, path, dry).await,
        Change::Sysctl { key, before, after } => parameter(agentd, key, before, after, dry).await,
        Change::Firewall { before, after } => opening(agentd, before.as_ref(), after.as_ref(), dry).await,
    }
}

fn changed(what: &str) -> Problem {
    Problem::new(Code::FileChanged).detail(format!("{what} was changed since"))
}

async fn file(
    agentd: &Agentd,
    undo: UndoId,
    path: &str,
    before: Option<&Kept>,
    after: Option<&String>,
    dry: bool,
) -> Result<(), Problem> {
    let (seen, is) = match agentd.files.found(path).await? {
        None => (Seen::Absent {}, None),
        Some((file, seen, _)) => (seen, Some(digest(file).await?.ok_or_else(|| changed(path))?)),
    };
    if is.as_ref() != after {
        // As it was already: the change never took place, or somebody else took it back.
        return if is.as_ref() == before.map(|kept| &kept.digest) { Ok(()) } else { Err(changed(path)) };
    }
    let path = path.to_owned();
    let (verb, given) = match before {
        _ if dry => return Ok(()),
        None if is.is_none() => return Ok(()),
        None => (FileVerb::Delete { path, seen }, vec![]),
        Some(kept) => {
            let bytes = agentd.journal.file(undo).await?;
            (FileVerb::Write { path, seen, as_it_was: Some(kept.looks) }, vec![bytes])
        }
    };
    ask(agentd, verb, given).await
}

async fn moved(
    agentd: &Agentd,
    from: &str,
    to: &str,
    same: impl Fn(&Seen, &Looks) -> bool,
    dry: bool,
) -> Result<(), Problem> {
    match (agentd.files.found(to).await?, agentd.files.found(from).await?) {
        (Some((_, seen, looks)), None) if same(&seen, &looks) => {
            let verb = FileVerb::Move { from: to.to_owned(), to: from.to_owned(), seen };
            if dry { Ok(()) } else { ask(agentd, verb, vec![]).await }
        }
        (None, Some((_, seen, looks))) if same(&seen, &looks) => Ok(()),
        _ => Err(changed(to)),
    }
}

async fn ask(agentd: &Agentd, verb: FileVerb, given: Vec<OwnedFd>) -> Result<(), Problem> {
    match agentd.hands.ask_with(Verb::File(verb), given).await? {
        (Answer::File(FileAnswer::File { .. } | FileAnswer::Gone {}), _) => Ok(()),
        _ => Err(Code::InternalBug.into()),
    }
}

/// A unit that was started is stopped and the other way round, if it still is as the change left it.
async fn unit(agentd: &Agentd, unit: &UnitName, before: &str, act: Act, dry: bool) -> Result<(), Problem> {
    let runs = |state: &str| matches!(state, "active" | "activating" | "reloading");
    let now = agentd.units.state_of(unit).await?.active;
    if runs(&now) == runs(before) {
        return Ok(());
    }
    let back = match act {
        Act::Start => Act::Stop,
        _ => Act::Start,
    };
    if dry {
        Ok(())
    } else {
        agentd.hands.ask(Verb::Service { unit: unit.clone(), act: back }).await.map(drop)
    }
}

async fn remembered(agentd: &Agentd, memory: MemoryId, digest: &str, dry: bool) -> Result<(), Problem> {
    let now = match agentd.memory.get_bytes(memory).await {
        Ok((_, bytes)) => json::digest_of(&bytes),
        Err(MemoryError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if now != digest {
        return Err(changed(&format!("memory {memory}")));
    }
    if !dry {
        agentd.memory.forget(MemoryForgetIn { id: Some(memory), source: None }).await?;
    }
    Ok(())
}

async fn forgotten(agentd: &Agentd, undo: UndoId, path: &str, dry: bool) -> Result<(), Problem> {
    if dry {
        return Ok(());
    }
    let bytes = agentd.journal.bytes(undo).await?;
    Ok(agentd.memory.put_back(path, bytes).await?)
}

async fn parameter(
    agentd: &Agentd,
    key: &SysctlKey,
    before: &str,
    after: &str,
    dry: bool,
) -> Result<(), Problem> {
    let now = sysctl::get(&SysctlGetIn { key: key.clone() })?.value;
    if now == before {
        return Ok(());
    }
    if now != after {
        return Err(changed(&key.to_string()));
    }
    let value = Text::new(before).map_err(|_| changed(&key.to_string()))?;
    if dry { Ok(()) } else { agentd.hands.ask(Verb::Sysctl { key: key.clone(), value }).await.map(drop) }
}

/// An opening is closed, or opened again as it was, if nobody changed it since.
async fn opening(
    agentd: &Agentd,
    before: Option<&OpenPorts>,
    after: Option<&OpenPorts>,
    dry: bool,
) -> Result<(), Problem> {
    let Some(one) = after.or(before) else { return Ok(()) };
    let known = firewall::list(&agentd.hands).await?;
    let now = known.openings.iter().any(|open| open.is_same(one));
    if now != after.is_some() {
        // It closed by itself when its time was over, or somebody else was here.
        return if now == before.is_some() { Ok(()) } else { Err(changed("the opening")) };
    }
    let verb = match (before, after) {
        (None, Some(after)) => Verb::FirewallRevoke { ports: *after },
        (Some(before), _) => Verb::FirewallAllow { ports: OpenPorts { expires_in_secs: None, ..*before } },
        (None, None) => return Ok(()),
    };
    if dry { Ok(()) } else { agentd.hands.ask(verb).await.map(drop) }
}

fn what(change: &Change) -> String {
    match change {
        Change::File { path, .. } => format!("file {path}"),
        Change::Moved { from, to, .. } => format!("move of {from} to {to}"),
        Change::Unit { unit, act: Act::Start, .. } => format!("start of {unit}"),
        Change::Unit { unit, .. } => format!("stop of {unit}"),
        Change::Remembered { memory, .. } => format!("memory {memory}"),
        Change::Forgotten { memory, .. } => format!("forgetting of memory {memory}"),
        Change::Sysctl { key, .. } => format!("sysctl {key}"),
        Change::Firewall { after: Some(ports), .. } => format!("opening of port {}", ports.port),
        Change::Firewall { before, .. } => {
            format!("closing of port {}", before.as_ref().map_or(0, |ports| ports.port))
        }
    }
}

/// What a change shares with others that must be taken back before it.
fn touches(change: &Change) -> Vec<&str> {
    match change {
        Change::File { path, .. } | Change::Forgotten { path, .. } => vec![path],
        Change::Moved { from, to, .. } => vec![from, to],
        Change::Unit { unit, .. } => vec![unit.as_str()],
        Change::Remembered { .. } | Change::Sysctl { .. } | Change::Firewall { .. } => vec![],
    }
}

/// The undo id that the outcome at this event names.
async fn of_event(agentd: &Agentd, event: u64) -> Result<UndoId, Problem> {
    let found = agentd.ledger.event(event).await?;
    let outcome = found.as_ref().and_then(outcome);
    outcome.and_then(|outcome| outcome.undo).ok_or_else(|| {
        Problem::new(Code::UndoNotFound).detail(format!("event {event} is no outcome that names an undo"))
    })
}

/// Calls of this caller since then that changed something and cannot be taken back: all of them, or the newest thousand.
async fn irreversible(
    agentd: &Agentd,
    context: &Context,
    since: Timestamp,
) -> Result<Vec<Irreversible>, Problem> {
    let actor = (context.principal.ring != Ring::Operator).then(|| context.principal.actor.to_string());
    let mut input = EventsLogIn { since: Some(Since::At(since)), ..EventsLogIn::default() };
    input.limit = osmoda_types::Limit::new(1000);
    input.actor = actor.map(Text::new).transpose().expect("an actor is short");
    let mut all = Vec::new();
    loop {
        let page = agentd.ledger.log(input.clone()).await?;
        all.extend(page.events.iter().filter_map(lasting));
        match page.next {
            Some(next) if all.len() < MOST_LISTED => input.after = Text::new(next).ok(),
            _ => break,
        }
    }
    all.truncate(MOST_LISTED);
    Ok(all)
}

/// Longest list of what cannot be taken back.
const MOST_LISTED: usize = 1000;

fn lasting(event: &Event) -> Option<Irreversible> {
    let call = event.kind.strip_suffix(".outcome")?;
    let outcome = outcome(event)?;
    let entry = catalogue::calls().find(|entry| entry.event() == call)?;
    let lasting = outcome.undo.is_none()
        && outcome.result != CallResult::Failed
        && entry.undo != catalogue::Undo::Nothing;
    lasting.then(|| Irreversible { event_id: event.id, call: call.to_owned(), at: event.ts })
}

fn outcome(event: &Event) -> Option<Outcome> {
    event.kind.ends_with(".outcome").then(|| serde_json::from_value(event.payload.clone()).ok())?
}
