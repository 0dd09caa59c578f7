//! Every step stands in the ledger, also when agentd is killed between the two.
//!
//! A fact is written into `incidents.db` in the transaction of what it tells, and into the ledger with the outcome of
//! the call. The next start looks which of them the ledger has, and hands in the others.

use std::collections::HashSet;

use osmoda_types::api::agentd::ledger::{EventId, EventsLogIn};
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Limit, Text, json};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::Value;

use super::{IncidentError, Incidents};
use crate::ledger::{Engine, LedgerError};

/// Notes that the ledger is to have this.
pub(super) fn owe(
    connection: &Connection,
    kind: &str,
    actor: &str,
    payload: &impl Serialize,
) -> rusqlite::Result<()> {
    let payload = serde_json::to_value(payload).expect("every payload is plain data");
    connection.prepare_cached("INSERT INTO facts (type, actor, payload) VALUES (?1, ?2, ?3)")?.execute((
        kind,
        actor,
        json::canonical(&payload),
    ))?;
    Ok(())
}

type Fact = (i64, String, String, String);

impl Incidents {
    /// Hands the ledger the facts that a crash kept from it; for the start of agentd, before the first call. What
    /// cannot be settled now is settled at the next start.
    ///
    /// # Errors
    /// [`IncidentError::State`]; trouble with the ledger is only logged.
    pub async fn settle(&self, ledger: &Engine) -> Result<(), IncidentError> {
        let (owed, from) = self.db.write(|tx| Ok((owed(tx)?, settled_to(tx)?))).await?;
        let size = ledger.size();
        if !owed.is_empty() {
            let missing = match recorded(ledger, from).await {
                Ok(there) => missing(&owed, &there),
                Err(error) => {
                    later(&error);
                    return Ok(());
                }
            };
            for batch in missing.chunks(osmoda_types::ledger::MAX_BATCH) {
                if let Err(error) = ledger.append(batch.to_vec()).await {
                    later(&error);
                    return Ok(());
                }
            }
        }
        let last = owed.last().map_or(0, |(id, ..)| *id);
        self.db
            .write(move |tx| {
                tx.execute("DELETE FROM facts WHERE id <= ?1", [last])?;
                tx.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('settled_to', ?1)", [size])
            })
            .await?;
        Ok(())
    }
}

fn later(error: &LedgerError) {
    tracing::warn!(error = %osmoda_types::chain(error), "steps of incidents wait for the ledger");
}

fn owed(connection: &Connection) -> rusqlite::Result<Vec<Fact>> {
    connection
        .prepare("SELECT id, type, actor, payload FROM facts ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
}

fn settled_to(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .query_row("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'settled_to'", [], |row| row.get(0))
}

/// Type and payload of every incident fact after event `from`.
async fn recorded(ledger: &Engine, from: u64) -> Result<HashSet<(String, String)>, LedgerError> {
    let mut there = HashSet::new();
    let mut after = from.min(ledger.size());
    loop {
        let page = ledger
            .log(EventsLogIn {
                kind: Text::new("agentd.incident.").ok(),
                after_id: EventId::new(after),
                limit: Limit::new(1000),
                ..EventsLogIn::default()
            })
            .await?;
        let last = page.events.last().map(|event| event.id);
        there.extend(page.events.into_iter().map(|event| (event.kind, json::canonical(&event.payload))));
        match (page.next, last) {
            (Some(_), Some(last)) => after = last,
            _ => return Ok(there),
        }
    }
}

fn missing(owed: &[Fact], there: &HashSet<(String, String)>) -> Vec<NewEvent> {
    let absent =
        owed.iter().filter(|(_, kind, _, payload)| !there.contains(&(kind.clone(), payload.clone())));
    absent
        .filter_map(|(_, kind, actor, payload)| {
            let Ok(Value::Object(payload)) = serde_json::from_str(payload) else { return None };
            Some(NewEvent { kind: kind.clone(), actor: actor.parse().ok()?, payload })
        })
        .collect()
}
