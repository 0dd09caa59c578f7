//! Finding the ids that a filter admits, in order and from indexes alone.
//!
//! An index gives the ids of one type, or of one actor's type, already sorted. A prefix or an actor alone spans
//! several types; these are found by skipping through the index, and their lists are merged. What a list can add to
//! the page shrinks with every list before it, so the work follows the page and not the ledger.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// Exact, or a prefix when it ends in a dot.
    pub(super) kind: Option<String>,
    pub(super) actor: Option<String>,
}

/// A stretch of ids and the end to begin at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Only ids above.
    pub(super) after: u64,
    /// Only ids below.
    pub(super) before: u64,
    pub(super) oldest_first: bool,
}

impl Span {
    /// What remains when everything up to `id`, seen from its beginning, is done.
    pub(super) fn beyond(self, id: u64) -> Self {
        if self.oldest_first {
            Self { after: self.after.max(id), ..self }
        } else {
            Self { before: self.before.min(id), ..self }
        }
    }

    /// What can still come before `id`.
    fn up_to(self, id: u64) -> Self {
        if self.oldest_first {
            Self { before: self.before.min(id), ..self }
        } else {
            Self { after: self.after.max(id), ..self }
        }
    }
}

/// The first `limit` ids of `span` that `filter` admits, in the order of the span.
pub(super) fn ids(
    connection: &Connection,
    filter: &Filter,
    span: Span,
    limit: usize,
) -> rusqlite::Result<Vec<u64>> {
    let actor = filter.actor.as_deref();
    let kinds = match &filter.kind {
        Some(kind) if !kind.ends_with('.') => vec![kind.clone()],
        None if actor.is_none() => return list(connection, None, None, span, limit),
        prefix => kinds(connection, actor, prefix.as_deref().unwrap_or(""))?,
    };
    of_kinds(connection, actor, &kinds, span, limit)
}

/// The first `limit` ids of `span` that are of one of `kinds`, and of `actor` where one is given.
pub(super) fn of_kinds(
    connection: &Connection,
    actor: Option<&str>,
    kinds: &[String],
    mut span: Span,
    limit: usize,
) -> rusqlite::Result<Vec<u64>> {
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(list(connection, actor, Some(kind), span, limit)?);
        found.sort_unstable();
        if !span.oldest_first {
            found.reverse();
        }
        found.truncate(limit);
        if found.len() == limit
            && let Some(last) = found.last()
        {
            span = span.up_to(*last);
        }
    }
    Ok(found)
}

/// The types there are below a prefix, of one actor or of all.
pub(super) fn kinds(
    connection: &Connection,
    actor: Option<&str>,
    prefix: &str,
) -> rusqlite::Result<Vec<String>> {
    let of = if actor.is_some() { "actor = ?2 AND" } else { "" };
    let sql = format!("SELECT min(type) FROM events WHERE {of} type > ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut kinds = Vec::new();
    let mut last = prefix.to_owned();
    loop {
        let parameters = [Some(last.as_str()), actor].into_iter().flatten();
        let next: Option<String> = statement.query_row(params_from_iter(parameters), |row| row.get(0))?;
        match next {
            Some(kind) if kind.starts_with(prefix) => {
                kinds.push(kind.clone());
                last = kind;
            }
            _ => return Ok(kinds),
        }
    }
}

fn list(
    connection: &Connection,
    actor: Option<&str>,
    kind: Option<&str>,
    span: Span,
    limit: usize,
) -> rusqlite::Result<Vec<u64>> {
    let order = if span.oldest_first { "ASC" } else { "DESC" };
    let by_kind = if kind.is_some() { "AND type = ?4" } else { "" };
    let by_actor = if actor.is_some() { "AND actor = ?5" } else { "" };
    let sql = format!(
        "SELECT id FROM events WHERE id > ?1 AND id < ?2 {by_kind} {by_actor} ORDER BY id {order} LIMIT ?3"
    );
    let integer = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let text = |text: &str| Value::Text(text.to_owned());
    let limit = integer(limit as u64);
    let bounds = [integer(span.after), integer(span.before), limit];
    let parameters = bounds.into_iter().chain(kind.map(text)).chain(actor.map(text));
    connection.prepare_cached(&sql)?.query_map(params_from_iter(parameters), |row| row.get(0))?.collect()
}
