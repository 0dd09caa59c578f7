//! agentd's endpoints: which part answers which call.

mod hands;
mod ledger;
mod machine;
mod memory;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentd_root::Hands;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use osmoda_runtime::{Bound, Context, Recorder, Service, Setup, StartError, Urgency};
use osmoda_types::api::agentd::ledger::AppendedEvent;
use osmoda_types::api::agentd::system::{SystemHealth, SystemHealthOut};
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Daemon, Empty, MachineId, Problem, chain};

use crate::Config;
use crate::backup::Backups;
use crate::card::Cards;
use crate::files::Files;
use crate::identity::machine_id;
use crate::incidents::Incidents;
use crate::ledger::Engine;
use crate::memory::Memory;
use crate::system::Machine;
use crate::telemetry::Ring;
use crate::undo::Journal;
use crate::units::Units;

/// agentd's state.
pub(crate) struct Agentd {
    machine: Machine,
    /// The last day; none where its file can neither be opened nor made.
    telemetry: Option<Arc<Ring>>,
    pub(crate) ledger: Arc<Engine>,
    pub(crate) hands: Hands,
    pub(crate) files: Files,
    pub(crate) units: Units,
    pub(crate) journal: Arc<Journal>,
    pub(crate) memory: Arc<Memory>,
    incidents: Arc<Incidents>,
    cards: Cards,
    backups: Backups,
    /// Of the machine; none where it cannot be read or made.
    machine_id: Box<dyn Fn() -> Option<MachineId> + Send + Sync>,
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
    let memory = Memory::open(&setup.state_root, setup.clock.clone(), setup.entropy.clone()).await;
    let memory = Arc::new(memory);
    let telemetry = machine::open_telemetry(setup.state_dir.join("telemetry.ring")).await;
    let machine = match &telemetry {
        Some(ring) => Machine::keeping(ring.clone(), setup.clock.clone()).await,
        None => Machine::start().await,
    };
    let state = Arc::new(Agentd {
        machine,
        telemetry,
        ledger: ledger.clone(),
        units: Units::new(hands.clone(), journal.clone()),
        hands,
        files,
        journal,
        memory: memory.clone(),
        incidents: incidents.clone(),
        cards: Cards::new(&setup.state_dir, &setup.run_dir, setup.clock.clone(), setup.entropy.clone()),
        backups,
        machine_id: Box::new(id),
    });
    let service = Service::new(Daemon::Agentd, state).on::<SystemHealth, _, _>(health);
    let service = [machine::serve, hands::serve, memory::serve, record::serve, ledger::serve]
        .into_iter()
        .fold(service, |service, part| part(service));
    let watched = incidents.clone();
    let watching = tokio::spawn(async move { watched.watch().await });
    let closing = ledger.clone();
    Bound::new(&setup, service, Arc::new(Own(ledger)), async move {
        watching.abort();
        incidents.close().await;
        memory.close().await;
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
    let checks =
        vec![agentd.ledger.check(), agentd.memory.check(), agentd.incidents.check(), agentd.backups.check()];
    let daemon = context.health(checks);
    let machine = agentd.machine.health(daemon.uptime_secs)?;
    Ok(SystemHealthOut { daemon, machine })
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
