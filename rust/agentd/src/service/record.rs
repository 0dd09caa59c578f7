//! Who the machine is and what befell it: incidents, receipts, the agent card and backups as calls.

use std::sync::Arc;

use osmoda_runtime::{Context, Service};
use osmoda_types::api::agentd::backup::{
    Backup, BackupCreate, BackupList, BackupRestore, BackupRestoreIn, BackupRestoreOut, BackupVerify,
    BackupVerifyIn, BackupVerifyOut,
};
use osmoda_types::api::agentd::card::{AgentCard, AgentCardGenerate, AgentCardGenerateIn, Card};
use osmoda_types::api::agentd::incident::{
    Incident, IncidentClose, IncidentCloseIn, IncidentCreate, IncidentCreateIn, IncidentGet, IncidentList,
    IncidentStep, IncidentStepIn, IncidentStepOut,
};
use osmoda_types::api::agentd::receipt::{ReceiptGet, ReceiptGetIn, ReceiptGetOut, ReceiptList};
use osmoda_types::ledger::Severity;
use osmoda_types::{Code, Empty, Problem, Text};

use super::Agentd;
use crate::incidents::{self, New};

pub(super) fn serve(service: Service<Agentd>) -> Service<Agentd> {
    service
        .on::<IncidentCreate, _, _>(incident_create)
        .on::<IncidentStep, _, _>(incident_step)
        .on::<IncidentClose, _, _>(incident_close)
        .on::<IncidentGet, _, _>(|agentd, _, input| async move { Ok(agentd.incidents.get(input.id).await?) })
        .on::<IncidentList, _, _>(|agentd, _, input| async move { Ok(agentd.incidents.list(input).await?) })
        .on::<ReceiptList, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.receipts(input).await?) })
        .on::<ReceiptGet, _, _>(receipt_get)
        .on::<AgentCard, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.cards.read().await?) })
        .on::<AgentCardGenerate, _, _>(card_generate)
        .on::<BackupCreate, _, _>(backup_create)
        .on::<BackupVerify, _, _>(backup_verify)
        .on::<BackupRestore, _, _>(backup_restore)
        .on::<BackupList, _, _>(|agentd, _, input| async move { Ok(agentd.backups.list(input).await?) })
}

async fn incident_create(
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

async fn incident_step(
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

async fn incident_close(
    agentd: Arc<Agentd>,
    context: Context,
    input: IncidentCloseIn,
) -> Result<Incident, Problem> {
    let cause = input.cause.into_inner();
    let (incident, fact) = agentd.incidents.conclude(&context.principal.actor, input.id, cause).await?;
    context.fact(incidents::CLOSED, &fact);
    Ok(incident)
}

async fn receipt_get(agentd: Arc<Agentd>, _: Context, input: ReceiptGetIn) -> Result<ReceiptGetOut, Problem> {
    let receipt = agentd.ledger.receipt(input.id).await?;
    receipt.ok_or_else(|| Problem::new(Code::ReceiptNotFound))
}

async fn card_generate(
    agentd: Arc<Agentd>,
    context: Context,
    input: AgentCardGenerateIn,
) -> Result<Card, Problem> {
    let (card, fact) = agentd.cards.generate((agentd.machine_id)(), input).await?;
    context.fact("agentd.card.generated", &fact);
    Ok(card)
}

async fn backup_create(agentd: Arc<Agentd>, context: Context, _: Empty) -> Result<Backup, Problem> {
    let (backup, fact) = agentd.backups.create((agentd.machine_id)()).await?;
    context.fact("agentd.backup.created", &fact);
    Ok(backup)
}

async fn backup_verify(
    agentd: Arc<Agentd>,
    _: Context,
    input: BackupVerifyIn,
) -> Result<BackupVerifyOut, Problem> {
    Ok(agentd.backups.verify(&agentd.ledger, (agentd.machine_id)(), input.id).await?)
}

async fn backup_restore(
    agentd: Arc<Agentd>,
    context: Context,
    input: BackupRestoreIn,
) -> Result<BackupRestoreOut, Problem> {
    let asked = (context.principal.actor.clone(), context.request_id);
    let (ledger, here) = (&agentd.ledger, (agentd.machine_id)());
    let restored = agentd
        .backups
        .restore(ledger, &agentd.incidents, here, input.id, input.accept_unrecorded, asked)
        .await?;
    let (files, incidents, ledger) = (restored.files, restored.incidents, restored.ledger);
    Ok(BackupRestoreOut { id: input.id, files, incidents, ledger })
}
