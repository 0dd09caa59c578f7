//! agentd's endpoints: which part answers which call.

mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentd_root::{Act, Hands};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header;
use osmoda_runtime::{Bound, Context, Recorder, Service, Setup, StartError, Urgency};
use osmoda_types::api::agentd::backup::{BackupCreate, BackupList, BackupRestore, BackupVerify};
use osmoda_types::api::agentd::card::{AgentCard, AgentCardGenerate};
use osmoda_types::api::agentd::file::{FileDelete, FileList, FileMove, FileRead, FileSearch, FileWrite};
use osmoda_types::api::agentd::incident::{
    IncidentClose, IncidentCreate, IncidentGet, IncidentList, IncidentStep,
};
use osmoda_types::api::agentd::ledger::{
    AppendedEvent, EventProof, EventsAppend, EventsLog, EventsLogIn, EventsSource, EventsStream,
    LedgerCheckpoint, LedgerConsistency, LedgerExport, LedgerHead, LedgerVerify, NotifySend, NotifySendIn,
    NotifySendOut,
};
use osmoda_types::api::agentd::receipt::{ReceiptGet, ReceiptList};
use osmoda_types::api::agentd::service::{
    JournalLogs, ServiceActIn, ServiceActOut, ServiceGet, ServiceReload, ServiceRestart, ServiceStart,
    ServiceStatus, ServiceStop,
};
use osmoda_types::api::agentd::shell::ShellExec;
use osmoda_types::api::agentd::system::{SystemDiscover, SystemHealth, SystemHealthOut, SystemQuery};
use osmoda_types::api::agentd::undo::Undo;
use osmoda_types::ledger::{Alert, NewEvent, Severity};
use osmoda_types::{Daemon, Empty, MachineId, Problem, Text, chain};

use crate::Config;
use crate::backup::Backups;
use crate::card::Cards;
use crate::files::Files;
use crate::identity::machine_id;
use crate::incidents::Incidents;
use crate::ledger::{self, Engine};
use crate::shell;
use crate::system::Machine;
use crate::undo::{self, Journal};
use crate::units::Units;

/// agentd's state.
pub(crate) struct Agentd {
    machine: Machine,
    pub(crate) ledger: Arc<Engine>,
    pub(crate) hands: Hands,
    pub(crate) files: Files,
    pub(crate) journal: Arc<Journal>,
    incidents: Arc<Incidents>,
    cards: Cards,
    backups: Backups,
    /// Of the machine; none where it cannot be read or made.
    machine_id: Box<dyn Fn() -> Option<MachineId> + Send + Sync>,
    pub(crate) units: Units,
}

/// Opens agentd's state and says who answers which call.
///
/// # Errors
/// Only for a build whose handlers and catalogue differ; trouble with the state makes agentd degraded.
pub async fn bind(setup: Setup<Config>) -> Result<Bound, StartError> {
    let id = {
        let (dir, clock, entropy) = (setup.state_dir.clone(), setup.clock.clone(), setup.entropy.clone());
        move || machine_id(&dir, clock.as_ref(), entropy.as_ref())
    };
    let (clock, entropy) = (setup.clock.clone(), setup.entropy.clone());
    let backups =
        Backups::new(&setup.state_root, &setup.state_dir, setup.config.backup.clone(), clock, entropy);
    backups.before_the_ledger().await;
    let ledger =
        Engine::open(&setup.state_root, id.clone(), setup.clock.clone(), setup.entropy.clone()).await;
    let ledger = Arc::new(ledger);
    let hands = setup.config.hands(vec![own(&setup.state_root, &setup.run_dir)]);
    let journal = Arc::new(Journal::new(setup.state_dir.join("undo")));
    let files = Files::new(hands.clone(), journal.clone(), setup.state_root.clone());
    let incidents = Arc::new(Incidents::new(&setup.state_dir, setup.clock.clone(), setup.entropy.clone()));
    if let Err(error) = incidents.settle(&ledger).await {
        tracing::warn!(error = %chain(&error), "incidents cannot be used");
    }
    backups.complete(&ledger, &incidents).await;
    let state = Arc::new(Agentd {
        machine: Machine::start().await,
        ledger: ledger.clone(),
        units: Units::new(hands.clone()),
        hands,
        files,
        journal,
        incidents: incidents.clone(),
        cards: Cards::new(&setup.state_dir, &setup.run_dir, setup.clock.clone(), setup.entropy.clone()),
        backups,
        machine_id: Box::new(id),
    });
    let service = Service::new(Daemon::Agentd, state)
        .on::<SystemHealth, _, _>(health)
        .on::<SystemQuery, _, _>(|agentd, _, input| async move { Ok(agentd.machine.query(input).await?) })
        .on::<SystemDiscover, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.discover().await?) })
        .on::<ServiceStatus, _, _>(|agentd, _, input| async move { agentd.units.status(input).await })
        .on::<ServiceGet, _, _>(
            |agentd, _, input| async move { agentd.units.get(&input.unit, input.lines).await },
        )
        .on::<ServiceStart, _, _>(|agentd, context, input| act(agentd, context, input, Act::Start))
        .on::<ServiceStop, _, _>(|agentd, context, input| act(agentd, context, input, Act::Stop))
        .on::<ServiceRestart, _, _>(|agentd, context, input| act(agentd, context, input, Act::Restart))
        .on::<ServiceReload, _, _>(|agentd, context, input| act(agentd, context, input, Act::Reload))
        .on::<JournalLogs, _, _>(|agentd, context, input| async move {
            Ok(agentd.units.journal.logs(input, context.now()).await?)
        })
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
        .on::<FileRead, _, _>(|agentd, _, input| async move { agentd.files.read(input).await })
        .on::<FileWrite, _, _>(
            |agentd, context, input| async move { agentd.files.write(&context, input).await },
        )
        .on::<FileDelete, _, _>(
            |agentd, context, input| async move { agentd.files.delete(&context, input).await },
        )
        .on::<FileMove, _, _>(
            |agentd, context, input| async move { agentd.files.rename(&context, input).await },
        )
        .on::<FileList, _, _>(|agentd, _, input| async move { agentd.files.list(input).await })
        .on::<FileSearch, _, _>(|agentd, _, input| async move { agentd.files.search(input).await })
        .on::<ShellExec, _, _>(|agentd, context, input| async move {
            shell::exec(&agentd.hands, &context, input).await
        })
        .on::<Undo, _, _>(|agentd, context, input| async move { undo::undo(&agentd, &context, input).await })
        .on::<EventsSource, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.source(input).await?) })
        .on::<IncidentCreate, _, _>(record::incident_create)
        .on::<IncidentStep, _, _>(record::incident_step)
        .on::<IncidentClose, _, _>(record::incident_close)
        .on::<IncidentGet, _, _>(|agentd, _, input| async move { Ok(agentd.incidents.get(input.id).await?) })
        .on::<IncidentList, _, _>(|agentd, _, input| async move { Ok(agentd.incidents.list(input).await?) })
        .on::<ReceiptList, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.receipts(input).await?) })
        .on::<ReceiptGet, _, _>(record::receipt_get)
        .on::<AgentCard, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.cards.read().await?) })
        .on::<AgentCardGenerate, _, _>(record::card_generate)
        .on::<BackupCreate, _, _>(record::backup_create)
        .on::<BackupVerify, _, _>(record::backup_verify)
        .on::<BackupRestore, _, _>(record::backup_restore)
        .on::<BackupList, _, _>(|agentd, _, input| async move { Ok(agentd.backups.list(input).await?) });
    let watched = incidents.clone();
    let watching = tokio::spawn(async move { watched.watch().await });
    let closing = ledger.clone();
    Bound::new(&setup, service, Arc::new(Own(ledger)), async move {
        watching.abort();
        incidents.close().await;
        closing.close().await;
    })
}

/// What is osModa's own: the state, and where everything lies in one folder (`osmoda up --dir`) that folder.
fn own(state_root: &Path, run_dir: &Path) -> PathBuf {
    match (state_root.parent(), run_dir.parent()) {
        (Some(dir), Some(same)) if dir == same => dir.to_owned(),
        _ => state_root.to_owned(),
    }
}

async fn health(agentd: Arc<Agentd>, context: Context, _: Empty) -> Result<SystemHealthOut, Problem> {
    let daemon =
        context.health(vec![agentd.ledger.check(), agentd.incidents.check(), agentd.backups.check()]);
    let machine = agentd.machine.health(daemon.uptime_secs)?;
    Ok(SystemHealthOut { daemon, machine })
}

async fn act(
    agentd: Arc<Agentd>,
    context: Context,
    ServiceActIn { unit }: ServiceActIn,
    act: Act,
) -> Result<ServiceActOut, Problem> {
    agentd.units.act(&context, &unit, act).await
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

/// agentd records into its own ledger: it is there or nothing is.
struct Own(Arc<Engine>);

impl Recorder for Own {
    fn record(
        &self,
        events: Vec<NewEvent>,
        _: Urgency,
    ) -> BoxFuture<'_, Result<Vec<AppendedEvent>, Problem>> {
        async move { Ok(self.0.append(events).await?) }.boxed()
    }
}
