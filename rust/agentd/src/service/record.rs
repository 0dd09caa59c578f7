//! What befell the machine: incidents and receipts as calls.

use std::sync::Arc;

use osmoda_runtime::Context;
use osmoda_types::api::agentd::incident::{
    Incident, IncidentCloseIn, IncidentCreateIn, IncidentStepIn, IncidentStepOut,
};
use osmoda_types::api::agentd::receipt::{ReceiptGetIn, ReceiptGetOut};
use osmoda_types::ledger::Severity;
use osmoda_types::{Code, Problem, Text};

use super::Agentd;
use crate::incidents::{self, New};

pub(super) async fn incident_create(
    agentd: Arc<Agentd>,
    context: Context,
    input: IncidentCreateIn,
) -> Result<Incident, Problem> {
    let new = New {
        events: incidents::links(&input.events, agentd.ledger.size())?,
        title: input.title.into_inner(),
        description: input.description.map(Text::into_inner).unwrap_or_default(),
        severity: input.severity.unwrap_or(Severity::Warning),
    };
    let (incident, fact) = agentd.incidents.open(&context.principal.actor, new).await?;
    context.fact(incidents::OPENED, &fact);
    Ok(incident)
}

pub(super) async fn incident_step(
    agentd: Arc<Agentd>,
    context: Context,
    input: IncidentStepIn,
) -> Result<IncidentStepOut, Problem> {
    let events = incidents::links(&input.events, agentd.ledger.size())?;
    let by = &context.principal.actor;
    let text = input.text.into_inner();
    let (step, fact) = agentd.incidents.extend(by, input.id, input.kind, text, events).await?;
    context.fact(incidents::EXTENDED, &fact);
    Ok(IncidentStepOut { id: input.id, step })
}

pub(super) async fn incident_close(
    agentd: Arc<Agentd>,
    context: Context,
    input: IncidentCloseIn,
) -> Result<Incident, Problem> {
    let cause = input.cause.into_inner();
    let (incident, fact) = agentd.incidents.conclude(&context.principal.actor, input.id, cause).await?;
    context.fact(incidents::CLOSED, &fact);
    Ok(incident)
}

pub(super) async fn receipt_get(
    agentd: Arc<Agentd>,
    _: Context,
    input: ReceiptGetIn,
) -> Result<ReceiptGetOut, Problem> {
    let receipt = agentd.ledger.receipt(input.id).await?;
    receipt.ok_or_else(|| Problem::new(Code::ReceiptNotFound))
}
