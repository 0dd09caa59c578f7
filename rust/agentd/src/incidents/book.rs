//! The book of incidents: opening, extending, closing, reading.

use std::path::Path;
use std::sync::Arc;

use osmoda_runtime::StateDb;
use osmoda_store::Readers;
use osmoda_types::api::agentd::incident::{
    EventLink, Incident, IncidentGetOut, IncidentListIn, IncidentListOut, IncidentStatus, Step,
};
use osmoda_types::health::Check;
use osmoda_types::ledger::{IncidentClosed, IncidentExtended, IncidentOpened, Severity, StepKind};
use osmoda_types::{Actor, Clock, Entropy, IncidentId, Limit, Timestamp};
use rusqlite::Transaction;

use super::schema::SCHEMA;
use super::{IncidentError, facts, rows};

/// The incidents of this machine.
pub struct Incidents {
    pub(super) db: StateDb,
    readers: Readers,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// An incident to be opened.
#[derive(Debug, Clone)]
pub struct New {
    /// One line.
    pub title: String,
    /// What was noticed.
    pub description: String,
    /// How bad it is.
    pub severity: Severity,
    /// Events of the ledger, which are there.
    pub events: Vec<u64>,
}

impl Incidents {
    /// `<state_dir>/incidents.db`, opened at first use.
    pub fn new(state_dir: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let path = state_dir.join("incidents.db");
        let readers = Readers::new(&path, READERS);
        Self { db: StateDb::new("incidents", path, SCHEMA, clock.clone()), readers, clock, entropy }
    }

    /// How the database is, for `/health`.
    pub fn check(&self) -> Check {
        self.db.check()
    }

    /// Tries it while it does not work; never returns.
    pub async fn watch(&self) {
        self.db.watch().await;
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.readers.close();
        self.db.close().await;
    }

    /// Opens an incident; the answer's second half is the fact for the ledger.
    ///
    /// # Errors
    /// [`IncidentError::State`].
    pub async fn open(&self, by: &Actor, new: New) -> Result<(Incident, IncidentOpened), IncidentError> {
        let id = IncidentId::new(self.clock.as_ref(), self.entropy.as_ref());
        let now = self.clock.now();
        let fact = IncidentOpened {
            v: 1,
            incident: id,
            title: new.title.clone(),
            severity: new.severity,
            events: new.events.clone(),
        };
        let incident = Incident {
            id,
            title: new.title,
            description: new.description,
            severity: new.severity,
            status: IncidentStatus::Open,
            created_at: now,
            created_by: by.to_string(),
            updated_at: now,
            step_count: 0,
            events: new.events,
            cause: None,
            closed_at: None,
            closed_by: None,
        };
        let (row, owed) = (incident.clone(), fact.clone());
        self.db
            .write(move |tx| {
                rows::insert(tx, &row)?;
                facts::owe(tx, OPENED, &row.created_by, &owed)
            })
            .await?;
        Ok((incident, fact))
    }

    /// Adds a step to an open incident.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::Closed`], [`IncidentError::Full`], [`IncidentError::State`].
    pub async fn extend(
        &self,
        by: &Actor,
        id: IncidentId,
        kind: StepKind,
        text: String,
        events: Vec<u64>,
    ) -> Result<(Step, IncidentExtended), IncidentError> {
        let (at, by) = (self.clock.now(), by.to_string());
        self.db
            .write(move |tx| {
                let incident = match open(tx, id)? {
                    Ok(incident) if incident.step_count >= MOST_STEPS => {
                        return Ok(Err(IncidentError::Full { most: MOST_STEPS }));
                    }
                    Ok(incident) => incident,
                    Err(refused) => return Ok(Err(refused)),
                };
                let step = Step { number: incident.step_count + 1, kind, text, events, at, by };
                let fact = IncidentExtended {
                    v: 1,
                    incident: id,
                    number: step.number,
                    kind,
                    text: step.text.clone(),
                    events: step.events.clone(),
                };
                rows::insert_step(tx, &id.to_string(), &step)?;
                touch(tx, id, at)?;
                facts::owe(tx, EXTENDED, &step.by, &fact)?;
                Ok(Ok((step, fact)))
            })
            .await?
    }

    /// Closes an open incident.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::Closed`], [`IncidentError::State`].
    pub async fn conclude(
        &self,
        by: &Actor,
        id: IncidentId,
        cause: String,
    ) -> Result<(Incident, IncidentClosed), IncidentError> {
        let (at, by) = (self.clock.now(), by.to_string());
        self.db
            .write(move |tx| {
                let mut incident = match open(tx, id)? {
                    Ok(incident) => incident,
                    Err(refused) => return Ok(Err(refused)),
                };
                tx.prepare_cached(
                    "UPDATE incidents SET cause = ?2, closed_at = ?3, closed_by = ?4, updated_at = ?3 WHERE id = ?1",
                )?
                .execute((id.to_string(), &cause, at.to_string(), &by))?;
                let fact = IncidentClosed { v: 1, incident: id, cause: cause.clone() };
                facts::owe(tx, CLOSED, &by, &fact)?;
                incident.status = IncidentStatus::Closed;
                incident.updated_at = at;
                (incident.cause, incident.closed_at, incident.closed_by) = (Some(cause), Some(at), Some(by));
                Ok(Ok((incident, fact)))
            })
            .await?
    }

    /// An incident with its steps.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::State`].
    pub async fn get(&self, id: IncidentId) -> Result<IncidentGetOut, IncidentError> {
        let found = self
            .readers
            .read(move |connection| {
                // One view of both tables.
                let connection = &connection.unchecked_transaction()?;
                let id = id.to_string();
                rows::one(connection, &id)?
                    .map(|incident| Ok(IncidentGetOut { incident, steps: rows::steps(connection, &id)? }))
                    .transpose()
            })
            .await?;
        found.ok_or(IncidentError::NotFound)
    }

    /// A page of incidents, newest first.
    ///
    /// # Errors
    /// [`IncidentError::Field`] for an `after` that is no cursor, [`IncidentError::State`].
    pub async fn list(&self, input: IncidentListIn) -> Result<IncidentListOut, IncidentError> {
        let before = match input.after.as_deref().map(str::parse::<IncidentId>) {
            None => AFTER_EVERY_ID.to_owned(),
            Some(Ok(id)) => id.to_string(),
            Some(Err(_)) => {
                return Err(IncidentError::Field {
                    pointer: "/after".into(),
                    message: "is not the next of a page",
                });
            }
        };
        let limit = Limit::or(input.limit, DEFAULT_LIMIT);
        let of = match input.status {
            None => "",
            Some(IncidentStatus::Open) => "AND closed_at IS NULL",
            Some(IncidentStatus::Closed) => "AND closed_at IS NOT NULL",
        };
        let sql =
            format!("SELECT {} FROM incidents WHERE id < ?1 {of} ORDER BY id DESC LIMIT ?2", rows::COLUMNS);
        let mut incidents: Vec<Incident> = self
            .readers
            .read(move |connection| {
                connection.prepare_cached(&sql)?.query_map((before, limit + 1), rows::incident)?.collect()
            })
            .await?;
        let more = incidents.len() > limit;
        incidents.truncate(limit);
        let next = incidents.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(IncidentListOut { incidents, next })
    }
}

/// Links whose events are all in a ledger of `size` events.
///
/// # Errors
/// [`IncidentError::Field`] with a pointer to the first that is not.
pub(crate) fn links(events: &[EventLink], size: u64) -> Result<Vec<u64>, IncidentError> {
    let one = |(at, link): (usize, &EventLink)| {
        let there = Some(link.get()).filter(|id| *id <= size);
        there.ok_or_else(|| IncidentError::Field {
            pointer: format!("/events/{at}"),
            message: "there is no such event in the ledger",
        })
    };
    events.iter().enumerate().map(one).collect()
}

/// The incident, if it may still change.
fn open(tx: &Transaction<'_>, id: IncidentId) -> rusqlite::Result<Result<Incident, IncidentError>> {
    Ok(match rows::one(tx, &id.to_string())? {
        None => Err(IncidentError::NotFound),
        Some(incident) if incident.status == IncidentStatus::Closed => Err(IncidentError::Closed),
        Some(incident) => Ok(incident),
    })
}

fn touch(tx: &Transaction<'_>, id: IncidentId, at: Timestamp) -> rusqlite::Result<usize> {
    tx.prepare_cached("UPDATE incidents SET updated_at = ?2 WHERE id = ?1")?
        .execute((id.to_string(), at.to_string()))
}

/// The types of the facts.
pub(crate) const OPENED: &str = "agentd.incident.opened";
pub(crate) const EXTENDED: &str = "agentd.incident.extended";
pub(crate) const CLOSED: &str = "agentd.incident.closed";

/// Beyond every id, which are letters and digits behind `inc_`.
const AFTER_EVERY_ID: &str = "inc_~";
const READERS: usize = 2;
const DEFAULT_LIMIT: usize = 100;
/// Of at most 8 KB each: an incident is read as a whole.
pub(super) const MOST_STEPS: u64 = 500;
