//! A state folder with a ledger and incidents, and a clock that goes on by a second at each look.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use agentd::backup::{BackupConfig, Backups};
use agentd::incidents::{Incidents, New};
use agentd::ledger::Engine;
use osmoda_runtime::SystemEntropy;
use osmoda_types::api::agentd::incident::Incident;
use osmoda_types::ledger::{IncidentOpened, Severity};
use osmoda_types::{Actor, Clock, Entropy, MachineId, Timestamp};
use tempfile::TempDir;

pub(crate) const MACHINE: &str = "mach_01kaq3v8e2m6zr0t5h9xw4c7yd";

pub(crate) struct Ground {
    folder: TempDir,
    clock: Arc<Ticking>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("state/agentd")).unwrap();
        let clock = Arc::new(Ticking(AtomicI64::new(1_795_000_000_000)));
        Self { folder, clock }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn own(&self) -> PathBuf {
        self.root().join("agentd")
    }

    pub(crate) fn incidents(&self) -> Incidents {
        Incidents::new(&self.own(), self.clock.clone(), entropy())
    }

    pub(crate) async fn ledger(&self) -> Engine {
        let id = || Some(MACHINE.parse::<MachineId>().unwrap());
        Engine::open(&self.root(), id, self.clock.clone(), entropy()).await
    }

    pub(crate) fn backups(&self, config: BackupConfig) -> Backups {
        Backups::new(&self.root(), &self.own(), config, self.clock.clone(), entropy())
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

pub(crate) struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1000, Ordering::SeqCst)).unwrap()
    }
}

pub(crate) fn agent() -> Actor {
    Actor::Agent("main".into())
}

pub(crate) async fn opened(incidents: &Incidents, title: &str) -> (Incident, IncidentOpened) {
    let new =
        New { title: title.into(), description: String::new(), severity: Severity::Warning, events: vec![1] };
    incidents.open(&agent(), new).await.unwrap()
}
