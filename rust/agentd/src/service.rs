//! agentd's endpoints: which part answers which call.

use std::sync::Arc;

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
use osmoda_types::api::agentd::memory::{
    MemoryForget, MemoryForgetIn, MemoryForgetOut, MemoryHealth, MemoryIngest, MemoryList, MemoryRecall,
    MemoryReindex, MemoryStore, MemoryStoreOut,
};
use osmoda_types::api::agentd::system::{SystemDiscover, SystemHealth, SystemHealthOut, SystemQuery};
use osmoda_types::ledger::{Alert, MemoryForgotten, MemoryStored, NewEvent, Severity};
use osmoda_types::{Daemon, Empty, Problem, Text};

use crate::identity::machine_id;
use crate::ledger::{self, Engine};
use crate::memory::Memory;
use crate::system::Machine;

/// agentd's state.
struct Agentd {
    machine: Machine,
    ledger: Arc<Engine>,
    memory: Arc<Memory>,
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
    let memory = Memory::open(&setup.state_root, setup.clock.clone(), setup.entropy.clone()).await;
    let memory = Arc::new(memory);
    let machine = Machine::start().await;
    let state = Arc::new(Agentd { machine, ledger: ledger.clone(), memory: memory.clone() });
    let service = Service::new(Daemon::Agentd, state)
        .on::<SystemHealth, _, _>(health)
        .on::<SystemQuery, _, _>(|agentd, _, input| async move { Ok(agentd.machine.query(input).await?) })
        .on::<SystemDiscover, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.discover().await?) })
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
        .on::<MemoryStore, _, _>(|agentd, context, input| async move {
            let stored = agentd.memory.store(&context.principal, input).await?;
            Ok(note_stored(&context, stored))
        })
        .on::<MemoryIngest, _, _>(|agentd, context, input| async move {
            let stored = agentd.memory.ingest(&context.principal, input).await?;
            Ok(note_stored(&context, stored))
        })
        .on::<MemoryRecall, _, _>(|agentd, _, input| async move { Ok(agentd.memory.recall(input).await?) })
        .on::<MemoryList, _, _>(|agentd, _, input| async move { Ok(agentd.memory.list(input).await?) })
        .on::<MemoryForget, _, _>(memory_forget)
        .on::<MemoryReindex, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.memory.reindex().await?) })
        .on::<MemoryHealth, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.memory.health().await) });
    let closing = ledger.clone();
    Bound::new(&setup, service, Arc::new(Own(ledger)), async move {
        memory.close().await;
        closing.close().await;
    })
}

async fn health(agentd: Arc<Agentd>, context: Context, _: Empty) -> Result<SystemHealthOut, Problem> {
    let daemon = context.health(vec![agentd.ledger.check(), agentd.memory.check()]);
    let machine = agentd.machine.health(daemon.uptime_secs)?;
    Ok(SystemHealthOut { daemon, machine })
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

/// The ledger names the memory; what it says stands in its file.
fn note_stored(context: &Context, stored: MemoryStoreOut) -> MemoryStoreOut {
    let MemoryStoreOut { id, merged, trusted, .. } = stored;
    context.fact("agentd.memory.stored", &MemoryStored { v: 1, id, merged, trusted });
    stored
}

async fn memory_forget(
    agentd: Arc<Agentd>,
    context: Context,
    input: MemoryForgetIn,
) -> Result<MemoryForgetOut, Problem> {
    let forgotten = agentd.memory.forget(input).await?;
    let (ids, kept) = (forgotten.out.ids.clone(), forgotten.kept);
    let fact = MemoryForgotten { v: 1, ids, kept, source: forgotten.source };
    context.fact("agentd.memory.forgotten", &fact);
    Ok(forgotten.out)
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
