//! agentd's endpoints: which part answers which call.

use std::path::PathBuf;
use std::sync::Arc;

use agentd_root::Hands;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header;
use osmoda_runtime::{Bound, Context, Recorder, Service, Setup, StartError, Urgency};
use osmoda_types::api::agentd::firewall::{FirewallAllow, FirewallList, FirewallRevoke};
use osmoda_types::api::agentd::ledger::{
    AppendedEvent, EventProof, EventsAppend, EventsLog, EventsLogIn, EventsSource, EventsStream,
    LedgerCheckpoint, LedgerConsistency, LedgerExport, LedgerHead, LedgerVerify, NotifySend, NotifySendIn,
    NotifySendOut,
};
use osmoda_types::api::agentd::network::NetworkInfo;
use osmoda_types::api::agentd::process::ProcessSignal;
use osmoda_types::api::agentd::security::SecurityScore;
use osmoda_types::api::agentd::sysctl::{SysctlGet, SysctlSet};
use osmoda_types::api::agentd::system::{SystemDiscover, SystemHealth, SystemHealthOut, SystemQuery};
use osmoda_types::api::agentd::telemetry::{TelemetryWindow, TelemetryWindowIn, TelemetryWindowOut};
use osmoda_types::api::agentd::users::UserList;
use osmoda_types::ledger::{Alert, NewEvent, Severity};
use osmoda_types::{Code, Daemon, Empty, Problem, Text};

use crate::control::{firewall, signal, sysctl};
use crate::identity::machine_id;
use crate::ledger::{self, Engine};
use crate::network;
use crate::system::Machine;
use crate::telemetry::{self, Ring};

/// agentd's state.
struct Agentd {
    machine: Machine,
    ledger: Arc<Engine>,
    hands: Hands,
    /// The last day; none where its file can neither be opened nor made.
    telemetry: Option<Arc<Ring>>,
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
    let telemetry = open_telemetry(setup.state_dir.join("telemetry.ring")).await;
    let machine = match &telemetry {
        Some(ring) => Machine::keeping(ring.clone(), setup.clock.clone()).await,
        None => Machine::start().await,
    };
    let state =
        Arc::new(Agentd { machine, ledger: ledger.clone(), hands: Hands::Here(Arc::default()), telemetry });
    let service = Service::new(Daemon::Agentd, state)
        .on::<SystemHealth, _, _>(health)
        .on::<SystemQuery, _, _>(|agentd, _, input| async move { Ok(agentd.machine.query(input).await?) })
        .on::<SystemDiscover, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.discover().await?) })
        .on::<NetworkInfo, _, _>(|_, _, Empty {}| looked(network::info))
        .on::<UserList, _, _>(|agentd, _, input| async move { Ok(agentd.machine.users(input).await?) })
        .on::<SysctlGet, _, _>(|_, _, input| looked(move || sysctl::get(&input)))
        .on::<SysctlSet, _, _>(|agentd, context, input| async move {
            sysctl::set(&agentd.hands, &context, input).await
        })
        .on::<ProcessSignal, _, _>(|agentd, context, input| async move {
            signal::send(&agentd.hands, &context, agentd.machine.booted_at()?, input).await
        })
        .on::<FirewallList, _, _>(|agentd, _, Empty {}| async move { firewall::list(&agentd.hands).await })
        .on::<FirewallAllow, _, _>(|agentd, context, input| async move {
            firewall::allow(&agentd.hands, &context, input).await
        })
        .on::<FirewallRevoke, _, _>(|agentd, context, input| async move {
            firewall::revoke(&agentd.hands, &context, input).await
        })
        .on::<SecurityScore, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.security().await?) })
        .on::<TelemetryWindow, _, _>(telemetry_window)
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

/// Without a file there is no yesterday; all else goes on.
async fn open_telemetry(path: PathBuf) -> Option<Arc<Ring>> {
    let opened = tokio::task::spawn_blocking(move || Ring::open(&path)).await;
    match opened.unwrap_or_else(|_| Err(std::io::Error::other("it ended early"))) {
        Ok(ring) => Some(Arc::new(ring)),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the telemetry cannot be kept");
            None
        }
    }
}

async fn telemetry_window(
    agentd: Arc<Agentd>,
    context: Context,
    input: TelemetryWindowIn,
) -> Result<TelemetryWindowOut, Problem> {
    let ring = agentd.telemetry.clone().ok_or(Code::StateUnwritable)?;
    looked(move || telemetry::window(&ring, context.now(), &input)).await
}

/// Looks where a look may wait for the kernel.
async fn looked<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| Err(Code::InternalPanic.into()))
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
