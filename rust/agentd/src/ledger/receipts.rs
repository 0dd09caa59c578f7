//! `GET /receipts`: outcomes joined with their intents, as they stand in the ledger.

use osmoda_tlog::chain::Row;
use osmoda_types::api::agentd::receipt::{Receipt, ReceiptGetOut, ReceiptId, ReceiptListIn, ReceiptListOut};
use osmoda_types::ledger::{Intent, Outcome};
use osmoda_types::{Limit, Text};
use rusqlite::{Connection, OptionalExtension};

use super::log::count_before;
use super::merge::{self, Span};
use super::rows::{self, COLUMNS};
use super::{Engine, LedgerError};

impl Engine {
    /// The receipts asked for, newest first.
    ///
    /// # Errors
    /// [`LedgerError::Field`] for an `after` that is no cursor, [`LedgerError::State`].
    pub async fn receipts(&self, input: ReceiptListIn) -> Result<ReceiptListOut, LedgerError> {
        let before = match input.after.as_deref().map(str::parse::<u64>) {
            None => u64::MAX,
            Some(Ok(id)) => id,
            Some(Err(_)) => return Err(LedgerError::field("/after", "is not the next of a page")),
        };
        let now = self.now();
        self.read(move |connection| {
            let size = rows::size(connection)?;
            let after = match input.since {
                Some(since) => {
                    let since = since.resolve(now);
                    count_before(connection, size, |ts| ts < since)?
                }
                None => 0,
            };
            let span = Span { after, before: before.min(size + 1), oldest_first: false };
            let actor = input.actor.map(Text::into_inner);
            let kinds = outcomes(connection, actor.as_deref(), input.kind.as_deref().unwrap_or("."))?;
            let limit = Limit::or(input.limit, DEFAULT_LIMIT);
            page(connection, actor.as_deref(), &kinds, span, limit)
        })
        .await
    }

    /// One receipt with its events; `None` where the event is no outcome.
    ///
    /// # Errors
    /// [`LedgerError::State`].
    pub async fn receipt(&self, id: ReceiptId) -> Result<Option<ReceiptGetOut>, LedgerError> {
        self.read(move |connection| {
            let Some(row) = rows::one(connection, id.event())? else { return Ok(None) };
            let Some((receipt, intent)) = receipt(connection, &row)? else { return Ok(None) };
            let intent = intent.map(rows::event).transpose()?;
            Ok(Some(ReceiptGetOut { receipt, intent, outcome: rows::event(row)? }))
        })
        .await
    }
}

/// The types of outcomes of the calls that `call` names: one, those with its prefix, or all for a lone dot.
fn outcomes(connection: &Connection, actor: Option<&str>, call: &str) -> rusqlite::Result<Vec<String>> {
    if !call.ends_with('.') {
        return Ok(vec![format!("{call}{OUTCOME}")]);
    }
    let mut kinds = merge::kinds(connection, actor, if call == "." { "" } else { call })?;
    kinds.retain(|kind| kind.ends_with(OUTCOME));
    Ok(kinds)
}

fn page(
    connection: &Connection,
    actor: Option<&str>,
    kinds: &[String],
    mut span: Span,
    limit: usize,
) -> rusqlite::Result<ReceiptListOut> {
    let mut receipts = Vec::new();
    loop {
        // One more than the page takes tells whether there is a next one.
        let wanted = limit - receipts.len() + 1;
        let ids = merge::of_kinds(connection, actor, kinds, span, wanted)?;
        let whole = ids.len() < wanted;
        for (at, id) in ids.iter().enumerate() {
            span = span.beyond(*id);
            // An event that somebody made unreadable, or that only bears the name, is no receipt.
            if let Some(row) = rows::one(connection, *id)?
                && let Some((receipt, _)) = receipt(connection, &row)?
            {
                receipts.push(receipt);
            }
            if receipts.len() == limit {
                let more =
                    at + 1 < ids.len() || !merge::of_kinds(connection, actor, kinds, span, 1)?.is_empty();
                return Ok(ReceiptListOut { receipts, next: more.then(|| id.to_string()) });
            }
        }
        if whole {
            return Ok(ReceiptListOut { receipts, next: None });
        }
    }
}

/// The receipt of an outcome, and its intent.
fn receipt(connection: &Connection, row: &Row) -> rusqlite::Result<Option<(Receipt, Option<Row>)>> {
    let Some(call) = row.kind.strip_suffix(OUTCOME) else { return Ok(None) };
    let Ok(outcome) = serde_json::from_str::<Outcome>(&row.payload) else { return Ok(None) };
    let (Some(id), Ok(ts)) = (ReceiptId::of(row.id), row.ts.parse()) else { return Ok(None) };
    let intent = intent(connection, call, row.id, &outcome.request_id.to_string())?;
    let said = intent.as_ref().and_then(|intent| serde_json::from_str::<Intent>(&intent.payload).ok());
    let summary = match &said {
        Some(Intent { tool: Some(tool), method, path, .. }) => format!("{tool}: {method} {path}"),
        Some(Intent { tool: None, method, path, .. }) => format!("{method} {path}"),
        None => call.to_owned(),
    };
    let receipt = Receipt {
        id,
        kind: call.to_owned(),
        ts,
        // An outcome that agentd wrote for a call which a crash cut off is still the caller's.
        actor: intent.as_ref().map_or(&row.actor, |intent| &intent.actor).clone(),
        summary,
        result: outcome.result,
        status: outcome.status,
        code: outcome.code.map(|code| code.as_str().to_owned()),
        request_id: outcome.request_id,
        tool: said.as_ref().and_then(|intent| intent.tool.clone()),
        effect: said.as_ref().map(|intent| intent.effect.clone()),
        duration_ms: outcome.duration_ms,
        intent_id: intent.as_ref().map(|intent| intent.id),
        outcome_id: row.id,
    };
    Ok(Some((receipt, intent)))
}

/// The nearest intent of this request before the outcome.
fn intent(connection: &Connection, call: &str, before: u64, request: &str) -> rusqlite::Result<Option<Row>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT {COLUMNS} FROM events WHERE type = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3) \
         WHERE instr(payload, ?4) > 0 LIMIT 1"
    );
    connection
        .prepare_cached(&sql)?
        .query_row((format!("{call}.intent"), before, INTENTS_SEARCHED, format!("\"{request}\"")), rows::read)
        .optional()
}

const OUTCOME: &str = ".outcome";
const DEFAULT_LIMIT: usize = 100;
/// Calls of one kind that may begin between an intent and its outcome before the two are not joined any more.
const INTENTS_SEARCHED: u64 = 2048;
