//! Calls that began and did not finish, as the events themselves tell.

use std::collections::BTreeMap;

use osmoda_types::api::agentd::ledger::OpenIntent;
use osmoda_types::ledger::{Alert, CallResult, MAX_BATCH, NewEvent, Outcome, Severity};
use osmoda_types::{Actor, Code, Daemon, RequestId, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::door::Link;

/// The open calls of all daemons. A request id is the caller's, so two calls may share one.
#[derive(Debug, Default)]
pub(super) struct Open(BTreeMap<(Daemon, RequestId, u64), String>);

impl Open {
    /// Reads them from the events; [`mark`](Self::mark) says where to begin.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let from: u64 = connection
            .prepare_cached("SELECT value FROM meta WHERE key = 'open_from'")?
            .query_row([], |row| row.get(0))
            .optional()?
            .unwrap_or(1);
        let mut events = connection.prepare_cached(
            "SELECT id, type, payload FROM events \
             WHERE id >= ?1 AND (type LIKE '%.intent' OR type LIKE '%.outcome') ORDER BY id",
        )?;
        let mut rows = events.query([from])?;
        let mut open = Self::default();
        while let Some(row) = rows.next()? {
            let kind = row.get_ref(1)?.as_str()?;
            let payload = serde_json::from_slice(row.get_ref(2)?.as_bytes()?).unwrap_or(Value::Null);
            let request = || payload["request_id"].as_str()?.parse().ok();
            // An event that somebody made unreadable is the verifier's business.
            if let Some((owner, link)) = owner(kind).zip(Link::of(kind, request)) {
                open.follow(owner, row.get(0)?, &link);
            }
        }
        Ok(open)
    }

    /// Keeps in step with an event that is being written. An outcome ends the oldest such call.
    pub(super) fn follow(&mut self, owner: Daemon, event_id: u64, link: &Link) {
        match link {
            Link::None => {}
            Link::Opens { call, request } => {
                self.0.insert((owner, *request, event_id), call.clone());
            }
            Link::Closes { call, request } => {
                let mut same = self.0.range((owner, *request, 0)..=(owner, *request, u64::MAX));
                let ended = same.find(|(_, open)| *open == call).map(|(key, _)| *key);
                if let Some(ended) = ended {
                    self.0.remove(&ended);
                }
            }
        }
    }

    /// Remembers that no call is open whose intent lies before the oldest one here, or before `next`.
    pub(super) fn mark(&self, connection: &Connection, next: u64) -> rusqlite::Result<()> {
        let from = self.0.keys().map(|(_, _, event_id)| *event_id).min().unwrap_or(next);
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('open_from', ?1)")?
            .execute([from])?;
        Ok(())
    }

    /// Those of `owner`, oldest first.
    pub(super) fn of(&self, owner: Daemon) -> Vec<OpenIntent> {
        let calls = self.0.iter().filter(|((daemon, ..), _)| *daemon == owner);
        let mut calls: Vec<OpenIntent> = calls
            .map(|((_, request_id, event_id), call)| OpenIntent {
                event_id: *event_id,
                call: call.clone(),
                request_id: *request_id,
            })
            .collect();
        calls.sort_by_key(|call| call.event_id);
        calls
    }
}

/// The daemon an event of this type is of.
fn owner(kind: &str) -> Option<Daemon> {
    let (name, _) = kind.split_once('.')?;
    Daemon::ALL.iter().find(|daemon| daemon.name() == name).copied()
}

/// Events between two marks.
pub(super) const MARK_EVENTS: u64 = 1024;

/// What is written about agentd's own calls that a crash cut off: per batch, an outcome `unknown` for each and one
/// alert, so that both become durable together.
pub(super) fn unknown(open: &[OpenIntent], at: Timestamp) -> Vec<Vec<NewEvent>> {
    let agentd = || Actor::Daemon(Daemon::Agentd);
    let batch = |calls: &[OpenIntent]| {
        let outcomes = calls.iter().map(|call| {
            let outcome = Outcome {
                v: 1,
                request_id: call.request_id,
                result: CallResult::Unknown,
                status: None,
                code: Some(Code::OutcomeUnknown),
                result_digest: None,
                duration_ms: None,
                undo: None,
                at,
            };
            NewEvent::new(format!("{}.outcome", call.call), agentd(), &outcome)
        });
        let alert = Alert {
            v: 1,
            source: Daemon::Agentd.name().to_owned(),
            severity: Severity::Warning,
            title: "calls were cut off".to_owned(),
            detail: "agentd stopped between intent and outcome; whether these calls took effect is not known"
                .to_owned(),
            links: calls.iter().map(|call| call.event_id.to_string()).collect(),
        };
        outcomes.chain([NewEvent::new("agentd.alert.raised", agentd(), &alert)]).collect()
    };
    open.chunks(MAX_BATCH - 1).map(batch).collect()
}
