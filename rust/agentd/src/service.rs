//! agentd's endpoints: which part answers which call.

use std::sync::Arc;

use agentd_root::{Act, Hands};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header;
use osmoda_runtime::{Bound, Context, Recorder, Service, Setup, StartError, Urgency};
use osmoda_types::api::agentd::ledger::{
    AppendedEvent, EventProof, EventsAppend, EventsLog, EventsLogIn, EventsSource, EventsStream,
    LedgerCheckpoint, LedgerConsistency, LedgerExport, LedgerHead, LedgerVerify, NotifySend, NotifySendIn,
    NotifySendOut,
};
use osmoda_types::api::agentd::service::{
    JournalLogs, ServiceActIn, ServiceActOut, ServiceGet, ServiceReload, ServiceRestart, ServiceStart,
    ServiceStatus, ServiceStop,
};
use osmoda_types::api::agentd::system::{SystemDiscover, SystemHealth, SystemHealthOut, SystemQuery};
use osmoda_types::ledger::{Alert, NewEvent, Severity};
use osmoda_types::{Daemon, Empty, Problem, Text};

use crate::identity::machine_id;
use crate::ledger::{self, Engine};
use crate::system::Machine;
use crate::units::Units;

/// agentd's state.
struct Agentd {
    machine: Machine,
    ledger: Arc<Engine>,
    units: Units,
}

/// Opens agentd's state and says who answers which call.
///
/// # Errors
/// Only for a build whose handlers and catalogue differ; trouble with the state makes agentd degraded.
pub async fn bind(setup: Setup<Empty>) -> Result<Bound, StartError> {
    let id = {
        let (dir, clock, entropy) = (setup.state_dir.clone(), setup.clock.clone(), setup.entropy.clone());
        move || machine_id(&dir, clock.as_ref(), entropy.as_ref())
    };
    let ledger = Engine::open(&setup.state_root, id, setup.clock.clone(), setup.entropy.clone()).await;
    let ledger = Arc::new(ledger);
    let hands = Hands::Here(Arc::default());
    let units = Units::new(hands);
    let state = Arc::new(Agentd { machine: Machine::start().await, ledger: ledger.clone(), units });
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
        .on::<EventsSource, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.source(input).await?) });
    let closing = ledger.clone();
    Bound::new(&setup, service, Arc::new(Own(ledger)), async move { closing.close().await })
}

async fn health(agentd: Arc<Agentd>, context: Context, _: Empty) -> Result<SystemHealthOut, Problem> {
    let daemon = context.health(vec![agentd.ledger.check()]);
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
