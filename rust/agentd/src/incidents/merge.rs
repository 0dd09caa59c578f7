//! Union with the incidents of a backup: nothing that is here goes, what is only there comes.

use std::path::Path;

use osmoda_types::IncidentId;
use osmoda_types::api::agentd::incident::{Incident, Step};
use rusqlite::{Connection, Transaction};

use super::{IncidentError, Incidents, rows};

impl Incidents {
    /// Adds the incidents and steps of the database at `other` that are not here, in one transaction; answers how many
    /// incidents that changed. Twice is the same as once.
    ///
    /// # Errors
    /// [`IncidentError::State`] when either cannot be used.
    pub async fn unite(&self, other: &Path) -> Result<u64, IncidentError> {
        let other = other.to_owned();
        let theirs = tokio::task::spawn_blocking(move || {
            let connection = osmoda_store::open_read_only(&other)?;
            ids(&connection)
                .map(|ids| (connection, ids))
                .map_err(|error| osmoda_store::Error::sqlite(&other, error))
        });
        let (connection, ids) = theirs.await.map_err(|_| osmoda_store::Error::Closed)??;
        let united = self.db.write(move |tx| {
            let mut changed = 0;
            for id in ids {
                changed += u64::from(unite(tx, &connection, &id)?);
            }
            Ok(changed)
        });
        Ok(united.await?)
    }
}

fn ids(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT id FROM incidents ORDER BY id")?.query_map([], |row| row.get(0))?.collect()
}

/// One incident; whether something came.
fn unite(tx: &Transaction<'_>, other: &Connection, id: &str) -> rusqlite::Result<bool> {
    let (Some(theirs), their_steps) = (rows::one(other, id)?, rows::steps(other, id)?) else {
        return Ok(false);
    };
    if id.parse::<IncidentId>().is_err() {
        return Ok(false);
    }
    let Some(ours) = rows::one(tx, id)? else {
        rows::insert(tx, &theirs)?;
        their_steps.iter().try_for_each(|step| rows::insert_step(tx, id, step))?;
        return Ok(true);
    };
    let our_steps = rows::steps(tx, id)?;
    let fresh: Vec<Step> =
        their_steps.into_iter().filter(|step| !our_steps.iter().any(|known| same(known, step))).collect();
    let came = !fresh.is_empty();
    if came {
        // In the order of time, numbered anew: two histories of one incident become one.
        let mut all = [our_steps, fresh].concat();
        all.sort_by_key(|step| step.at);
        tx.execute("DELETE FROM steps WHERE incident = ?1", [id])?;
        for (step, number) in all.iter_mut().zip(1..) {
            step.number = number;
            rows::insert_step(tx, id, step)?;
        }
    }
    let closes = ours.closed_at.is_none() && theirs.closed_at.is_some();
    if came || closes {
        settle_dates(tx, &ours, &theirs)?;
    }
    Ok(came || closes)
}

/// The later word on when it changed, and the cause if only the other side has one.
fn settle_dates(tx: &Transaction<'_>, ours: &Incident, theirs: &Incident) -> rusqlite::Result<()> {
    let closed = if ours.closed_at.is_some() { ours } else { theirs };
    tx.execute(
        "UPDATE incidents SET updated_at = ?2, cause = ?3, closed_at = ?4, closed_by = ?5 WHERE id = ?1",
        (
            ours.id.to_string(),
            ours.updated_at.max(theirs.updated_at).to_string(),
            &closed.cause,
            closed.closed_at.map(|at| at.to_string()),
            &closed.closed_by,
        ),
    )?;
    Ok(())
}

fn same(a: &Step, b: &Step) -> bool {
    (a.at, &a.by, a.kind, &a.text, &a.events) == (b.at, &b.by, b.kind, &b.text, &b.events)
}
