//! Rows of `incidents.db` as values.

use osmoda_types::api::agentd::incident::{Incident, IncidentStatus, Step};
use rusqlite::types::{FromSql, FromSqlError, Type};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The columns in the order [`incident`] takes them.
pub(super) const COLUMNS: &str = "id, title, description, severity, events, created_at, created_by, updated_at, cause, \
     closed_at, closed_by, (SELECT count(*) FROM steps WHERE incident = incidents.id)";

pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let closed_at: Option<String> = row.get(9)?;
    Ok(Incident {
        id: value(row, 0)?,
        title: row.get(1)?,
        description: row.get(2)?,
        severity: value(row, 3)?,
        events: json(row, 4)?,
        created_at: value(row, 5)?,
        created_by: row.get(6)?,
        updated_at: value(row, 7)?,
        cause: row.get(8)?,
        status: if closed_at.is_some() { IncidentStatus::Closed } else { IncidentStatus::Open },
        closed_at: if closed_at.is_some() { Some(value(row, 9)?) } else { None },
        closed_by: row.get(10)?,
        step_count: row.get(11)?,
    })
}

/// The columns in the order [`step`] takes them.
pub(super) const STEP_COLUMNS: &str = "number, kind, text, events, at, by";

pub(super) fn step(row: &Row<'_>) -> rusqlite::Result<Step> {
    Ok(Step {
        number: row.get(0)?,
        kind: value(row, 1)?,
        text: row.get(2)?,
        events: json(row, 3)?,
        at: value(row, 4)?,
        by: row.get(5)?,
    })
}

pub(super) fn one(connection: &Connection, id: &str) -> rusqlite::Result<Option<Incident>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM incidents WHERE id = ?1"))?
        .query_row([id], incident)
        .optional()
}

pub(super) fn steps(connection: &Connection, id: &str) -> rusqlite::Result<Vec<Step>> {
    connection
        .prepare_cached(&format!("SELECT {STEP_COLUMNS} FROM steps WHERE incident = ?1 ORDER BY number"))?
        .query_map([id], step)?
        .collect()
}

/// Adds a row for `incident`; whether it is open or closed is in its fields.
pub(super) fn insert(connection: &Connection, incident: &Incident) -> rusqlite::Result<()> {
    let Incident { title, description, created_by, cause, closed_by, .. } = incident;
    connection
        .prepare_cached(
            "INSERT INTO incidents (id, title, description, severity, events, created_at, created_by, updated_at, \
             cause, closed_at, closed_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            incident.id.to_string(),
            title,
            description,
            word(&incident.severity),
            text(&incident.events),
            incident.created_at.to_string(),
            created_by,
            incident.updated_at.to_string(),
            cause,
            incident.closed_at.map(|at| at.to_string()),
            closed_by,
        ))?;
    Ok(())
}

pub(super) fn insert_step(connection: &Connection, incident: &str, step: &Step) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO steps (incident, number, kind, text, events, at, by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            incident,
            step.number,
            word(&step.kind),
            &step.text,
            text(&step.events),
            step.at.to_string(),
            &step.by,
        ))?;
    Ok(())
}

/// An enum or an id as its plain text.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        _ => unreachable!("only what is written as a string is a word"),
    }
}

fn text(events: &[u64]) -> String {
    serde_json::to_string(events).expect("numbers are JSON")
}

fn value<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = String::column_result(row.get_ref(column)?).map_err(|error| failed(column, error))?;
    serde_json::from_value(Value::String(text)).map_err(|error| failed(column, error))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = String::column_result(row.get_ref(column)?).map_err(|error| failed(column, error))?;
    serde_json::from_str(&text).map_err(|error| failed(column, error))
}

fn failed(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::Other(Box::new(error))),
    )
}
