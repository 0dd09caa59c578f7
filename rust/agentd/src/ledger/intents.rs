//! Calls that began and did not finish.

use osmoda_types::api::agentd::ledger::OpenIntent;
use osmoda_types::ledger::{Alert, CallResult, MAX_BATCH, NewEvent, Outcome, Severity};
use osmoda_types::{Actor, Code, Daemon, Timestamp};
use rusqlite::{Connection, Transaction};

use super::door::Link;
use super::rows::damaged;

/// Keeps the list of open calls in step with an event that is being written.
pub(super) fn follow(
    transaction: &Transaction<'_>,
    source: Daemon,
    event_id: u64,
    link: &Link,
) -> rusqlite::Result<()> {
    match link {
        Link::None => {}
        Link::Opens { call, request } => {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO intents (event_id, source, call, request_id) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((event_id, source.name(), call, request.to_string()))?;
        }
        // A request id is the caller's, so two calls may share one: an outcome ends the older.
        Link::Closes { call, request } => {
            transaction
                .prepare_cached(
                    "DELETE FROM intents WHERE event_id = (SELECT min(event_id) FROM intents \
                     WHERE source = ?1 AND request_id = ?2 AND call = ?3)",
                )?
                .execute((source.name(), request.to_string(), call))?;
        }
    }
    Ok(())
}

/// The open calls of `source` whose intent is at most event `to`, oldest first.
pub(super) fn open(connection: &Connection, source: Daemon, to: u64) -> rusqlite::Result<Vec<OpenIntent>> {
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT event_id, call, request_id FROM intents WHERE source = ?1 AND event_id <= ?2 ORDER BY event_id",
        )?
        .query_map((source.name(), to), |row| {
            let request: String = row.get(2)?;
            let request_id = request.parse().map_err(|_| damaged())?;
            Ok(OpenIntent { event_id: row.get(0)?, call: row.get(1)?, request_id })
        })?
        .collect()
}

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
