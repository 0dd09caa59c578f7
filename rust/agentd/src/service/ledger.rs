//! The ledger's calls, and what people are told.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::header;
use osmoda_runtime::{Context, Service};
use osmoda_types::api::agentd::ledger::{
    EventProof, EventsAppend, EventsLog, EventsLogIn, EventsSource, EventsStream, LedgerCheckpoint,
    LedgerConsistency, LedgerExport, LedgerHead, LedgerVerify, NotifySend, NotifySendIn, NotifySendOut,
};
use osmoda_types::ledger::{Alert, Severity};
use osmoda_types::{Empty, Problem, Text};

use super::Agentd;
use crate::ledger;

pub(super) fn serve(service: Service<Agentd>) -> Service<Agentd> {
    service
        .stream::<EventsLog, _, _>(events_log)
        .stream::<EventsStream, _, _>(|agentd, context, input| async move {
            Ok(agentd.ledger.stream(input, &context.headers, context.shutdown).await?)
        })
        .stream::<LedgerExport, _, _>(|agentd, context, input| async move {
            Ok(agentd.ledger.export(input, context.shutdown).await?)
        })
        .on::<EventProof, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.proof(input).await?) })
        .on::<LedgerHead, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.ledger.head().await?) })
        .on::<LedgerCheckpoint, _, _>(
            |agentd, _, Empty {}| async move { Ok(agentd.ledger.checkpoint().await?) },
        )
        .on::<LedgerVerify, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.verify(input).await?) })
        .on::<LedgerConsistency, _, _>(|agentd, _, input| async move {
            Ok(agentd.ledger.consistency(input).await?)
        })
        .on::<EventsAppend, _, _>(|agentd, context, input| async move {
            Ok(agentd.ledger.absorb(&context.principal, input).await?)
        })
        .on::<NotifySend, _, _>(notify_send)
        .on::<EventsSource, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.source(input).await?) })
}

/// One object, or a line for each event where the caller asks for lines.
async fn events_log(agentd: Arc<Agentd>, context: Context, input: EventsLogIn) -> Result<Response, Problem> {
    let page = agentd.ledger.log(input).await?;
    let accept =
        context.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/x-ndjson") {
        Ok(ledger::json_lines(&page))
    } else {
        Ok(axum::Json(page).into_response())
    }
}

/// The alert and the outcome of the call that raised it are one commit.
async fn notify_send(
    _: Arc<Agentd>,
    context: Context,
    input: NotifySendIn,
) -> Result<NotifySendOut, Problem> {
    let alert = Alert {
        v: 1,
        source: context.principal.actor.to_string(),
        severity: input.severity.unwrap_or(Severity::Info),
        title: input.title.into_inner(),
        detail: input.detail.map(Text::into_inner).unwrap_or_default(),
        links: input.links.into_inner().into_iter().map(Text::into_inner).collect(),
    };
    context.fact("agentd.alert.raised", &alert);
    Ok(NotifySendOut { channels: vec!["ledger".into()] })
}
