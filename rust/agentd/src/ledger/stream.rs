//! `GET /events/stream`: events as they are committed, as Server-Sent Events.
//!
//! Nothing is queued for a reader: it is told that there is something new, and reads it from the database at its own
//! pace. A slow reader costs nothing and loses nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use osmoda_types::Limit;
use osmoda_types::api::agentd::ledger::{EventId, EventsStreamIn};
use osmoda_types::ledger::Event;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::engine::Shared;
use super::log::page;
use super::merge::{Filter, Span};
use super::{Engine, LedgerError, rows};

impl Engine {
    /// The events after `after_id`, after the `Last-Event-ID` in `headers`, or after the newest: those there are and
    /// those to come. Ends with `event: end` after `limit` events, after `wait_secs`, or when `stop` fires.
    ///
    /// # Errors
    /// [`LedgerError::Field`] for a malformed `Last-Event-ID`, [`LedgerError::State`].
    pub async fn stream(
        &self,
        input: EventsStreamIn,
        headers: &HeaderMap,
        stop: CancellationToken,
    ) -> Result<Response, LedgerError> {
        let resumed = match headers.get("last-event-id") {
            Some(id) => Some(
                id.to_str()
                    .ok()
                    .and_then(|id| id.parse::<u64>().ok())
                    .ok_or_else(|| LedgerError::field("/Last-Event-ID", "is not the id of an event"))?,
            ),
            None => None,
        };
        let size = self.read(rows::size).await?;
        let asked = resumed.or(input.after_id.map(EventId::get)).unwrap_or(size);
        let filter = Filter { kind: input.kind.map(|kind| kind.into_inner()), actor: None };
        let mut left = input.limit.map_or(u64::MAX, Limit::get);
        let end = input.wait_secs.map(|secs| Instant::now() + Duration::from_secs(secs.get()));
        let shared = Arc::clone(&self.shared);
        let messages = async_stream::stream! {
            let mut position = shared.position.subscribe();
            let mut last = asked.min(size);
            if asked > size {
                // The reader knows a longer ledger than this one.
                yield message(Message::default().event("gap").json_data(json!({"from": asked, "to": size})));
            }
            loop {
                position.mark_unchanged();
                let Ok((events, seen)) = next(&shared, filter.clone(), last, left).await else { return };
                last = seen;
                let idle = events.is_empty();
                for event in events {
                    left -= 1;
                    let data = Message::default().id(event.id.to_string()).event(&event.kind).json_data(&event);
                    yield message(data);
                }
                if left == 0 {
                    break;
                }
                if idle {
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => break,
                        changed = position.changed() => if changed.is_err() { break },
                    }
                } else if stop.is_cancelled() || end.is_some_and(|end| Instant::now() >= end) {
                    break;
                }
            }
            yield message(Ok(Message::default().event("end").data("{}")));
        };
        Ok(Sse::new(messages).keep_alive(KeepAlive::new().text("keepalive")).into_response())
    }
}

/// Some events after `after`, and the id up to which there is none left.
async fn next(
    shared: &Shared,
    filter: Filter,
    after: u64,
    limit: u64,
) -> Result<(Vec<Event>, u64), LedgerError> {
    shared
        .read(move |connection| {
            let size = rows::size(connection)?.max(after);
            let span = Span { after, before: size + 1, oldest_first: true };
            let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(RUN);
            let page = page(connection, &filter, span, limit, None)?;
            Ok((page.events, page.next.unwrap_or(size)))
        })
        .await
}

fn message(message: Result<Message, axum::Error>) -> Result<Message, Infallible> {
    Ok(message.expect("events are JSON already"))
}

/// Events read at once.
const RUN: usize = 128;
