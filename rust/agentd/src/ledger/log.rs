//! `GET /events/log`: a page of events.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use osmoda_types::api::agentd::ledger::{EventId, EventsLogIn, EventsLogOut};
use osmoda_types::ledger::Event;
use osmoda_types::{Limit, Timestamp};
use rusqlite::Connection;

use super::merge::{self, Filter, Span};
use super::rows::{self, damaged};
use super::{Engine, LedgerError};

impl Engine {
    /// The events asked for: newest first, or oldest first after `after_id`. A page ends early, with a `next`, when
    /// it holds 4 MiB of payload or when 16 MiB were searched for `q`.
    ///
    /// # Errors
    /// [`LedgerError::Field`] for an `after` that is no cursor, [`LedgerError::State`].
    pub async fn log(&self, input: EventsLogIn) -> Result<EventsLogOut, LedgerError> {
        let cursor = match input.after.as_deref().map(str::parse::<u64>) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Err(LedgerError::field("/after", "is not the next of a page")),
        };
        let now = self.now();
        let page = self
            .read(move |connection| {
                let size = rows::size(connection)?;
                let mut span = Span {
                    after: input.after_id.map_or(0, EventId::get),
                    before: input.before_id.map_or(u64::MAX, EventId::get).min(size + 1),
                    oldest_first: input.after_id.is_some(),
                };
                if let Some(cursor) = cursor {
                    span = span.beyond(cursor);
                }
                if let Some(since) = input.since {
                    let since = since.resolve(now);
                    span.after = span.after.max(count_before(connection, size, |ts| ts < since)?);
                }
                if let Some(until) = input.until {
                    let until = until.resolve(now);
                    span.before = span.before.min(count_before(connection, size, |ts| ts <= until)? + 1);
                }
                let filter = Filter {
                    kind: input.kind.map(|kind| kind.into_inner()),
                    actor: input.actor.map(|actor| actor.into_inner()),
                };
                let limit = input.limit.map_or(DEFAULT_LIMIT, Limit::get);
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                page(connection, &filter, span, limit, input.q.as_deref())
            })
            .await?;
        Ok(EventsLogOut { events: page.events, next: page.next.map(|id| id.to_string()) })
    }

    /// One event, if there are so many.
    ///
    /// # Errors
    /// [`LedgerError::State`].
    pub async fn event(&self, id: u64) -> Result<Option<Event>, LedgerError> {
        self.read(move |connection| rows::one(connection, id)?.map(rows::event).transpose()).await
    }
}

/// The same page as `application/x-ndjson`: one event a line. Its last id, as `after_id` or `before_id`, is the
/// cursor.
pub fn json_lines(page: &EventsLogOut) -> Response {
    let mut body = Vec::new();
    for event in &page.events {
        serde_json::to_writer(&mut body, event).expect("an event was read from JSON");
        body.push(b'\n');
    }
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Events, and where to go on if there may be more.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    pub(super) next: Option<u64>,
}

pub(super) fn page(
    connection: &Connection,
    filter: &Filter,
    span: Span,
    limit: usize,
    text: Option<&str>,
) -> rusqlite::Result<Page> {
    let mut events = Vec::new();
    let (mut searched, mut bytes) = (0, 0);
    let mut rest = span;
    loop {
        // One more than the page takes tells whether there is a next one.
        let wanted = if text.is_some() { 1000 } else { limit - events.len() + 1 };
        let ids = merge::ids(connection, filter, rest, wanted)?;
        if ids.is_empty() {
            return Ok(Page { events, next: None });
        }
        for (at, &id) in ids.iter().enumerate() {
            rest = rest.beyond(id);
            let Some(row) = rows::one(connection, id)? else { continue };
            searched += row.payload.len() + ROW_BYTES;
            if text.is_none_or(|text| row.payload.contains(text)) {
                bytes += row.payload.len();
                events.push(rows::event(row)?);
            }
            if events.len() == limit || bytes >= PAGE_BYTES || searched >= SEARCHED_BYTES {
                let more = at + 1 < ids.len() || !merge::ids(connection, filter, rest, 1)?.is_empty();
                return Ok(Page { events, next: more.then_some(id) });
            }
        }
    }
}

/// How many events stand before the first whose time is not `earlier`: times never fall, so halving finds it.
pub(super) fn count_before(
    connection: &Connection,
    size: u64,
    earlier: impl Fn(Timestamp) -> bool,
) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached("SELECT ts FROM events WHERE id = ?1")?;
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let ts: String = statement.query_row([middle + 1], |row| row.get(0))?;
        if earlier(ts.parse().map_err(|_| damaged())?) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

const DEFAULT_LIMIT: u64 = 100;
const PAGE_BYTES: usize = 4 << 20;
const SEARCHED_BYTES: usize = 16 << 20;
/// What a row costs beside its payload.
const ROW_BYTES: usize = 256;
