//! The backups of this machine: one at a time, what was asked for and what a crash left to be done.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use osmoda_store::{Error, private_folder};
use osmoda_types::api::agentd::backup::{Backup, BackupVerifyOut, RestoredLedger};
use osmoda_types::api::agentd::ledger::EventsLogIn;
use osmoda_types::health::{Check, Status};
use osmoda_types::ledger::{BackupCreated, BackupRestored, NewEvent};
use osmoda_types::{Actor, BackupId, Clock, Code, Entropy, Limit, MachineId, RequestId, Text, Timestamp};
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::create::{self, Keys};
use super::journal::{Journal, LedgerStep};
use super::manifest::Header;
use super::open::{self, Opened};
use super::place::{Place, SNAPSHOT};
use super::stop::{self, Stop};
use super::{BackupConfig, BackupError, restore};
use crate::incidents::Incidents;
use crate::ledger::Engine;

/// Makes, checks and restores backups.
pub struct Backups {
    pub(super) place: Place,
    config: BackupConfig,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Held by the work itself, also when its caller stopped waiting.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Why a restore is not over, and since when.
    trouble: Mutex<(Option<Code>, Timestamp)>,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Files that were put back.
    pub files: u64,
    /// Incidents that changed.
    pub incidents: u64,
    /// What becomes of the ledger.
    pub ledger: RestoredLedger,
}

impl Backups {
    /// Of the state below `root`, where agentd's own folder is `own`.
    pub fn new(
        root: &Path,
        own: &Path,
        config: BackupConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let place = Place::new(root, own, &config);
        let trouble = Mutex::new((None, clock.now()));
        Self { place, config, clock, entropy, busy: Arc::default(), trouble }
    }

    /// How the last restore is, for `/health`.
    pub fn check(&self) -> Check {
        let (code, since) = *self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        Check {
            name: "restore".to_owned(),
            status: if code.is_some() { Status::Degraded } else { Status::Ok },
            code,
            since,
            remedy: code.map(|code| format!("{}; then start agentd again", code.next_step())),
        }
    }

    /// For the start of agentd, before the ledger is opened: removes what was left unfinished, and installs the ledger of
    /// a restore that waits for it.
    pub async fn before_the_ledger(&self) {
        let place = self.place.clone();
        let begun = move || {
            let mut journal = Journal::read(&place)?;
            restore::tidy(&place, journal.as_ref());
            journal.as_mut().map_or(Ok(()), |journal| restore::ledger(&place, journal))
        };
        let done = tokio::task::spawn_blocking(begun).await.unwrap_or_else(|_| Err(Error::Closed.into()));
        self.note(done.as_ref().err());
    }

    /// For the start of agentd, before the first call: completes a restore that a crash cut off, or that waited.
    pub async fn complete(&self, ledger: &Engine, incidents: &Incidents) {
        let place = self.place.clone();
        let journal = tokio::task::spawn_blocking(move || Journal::read(&place)).await;
        let completed = match journal.unwrap_or(Err(Error::Closed)) {
            Ok(None) => return,
            Ok(Some(journal)) if matches!(journal.ledger, LedgerStep::Out | LedgerStep::In) => return,
            Ok(Some(journal)) => self.apply(&journal, ledger, incidents, true).await.map(drop),
            Err(error) => Err(error.into()),
        };
        self.note(completed.as_ref().err());
    }

    fn note(&self, error: Option<&BackupError>) {
        if let Some(error) = error {
            tracing::error!(error = %osmoda_types::chain(error), "a restore could not be completed");
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
                (Some(error.code()), self.clock.now());
        }
    }

    /// Makes a backup; the second half of the answer is the fact for the ledger.
    ///
    /// # Errors
    /// [`BackupError::Busy`], [`BackupError::AgeAbsent`], [`BackupError::State`] and others.
    pub async fn create(&self, of: Option<MachineId>) -> Result<(Backup, BackupCreated), BackupError> {
        let machine_id = of.ok_or(BackupError::NoMachineId)?;
        let header = Header {
            v: 1,
            id: BackupId::new(self.clock.as_ref(), self.entropy.as_ref()),
            machine_id,
            created_at: self.clock.now(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let (place, declared) = (self.place.clone(), self.config.recipients.clone());
        let make = move |stop: &Stop| create::create(&place, &header, Keys::of(&declared, &place)?, stop);
        let backup = work(self.begin()?, make).await?;
        let note = backup.note.clone().ok_or(BackupError::Stopped)?;
        let fact = BackupCreated {
            v: 1,
            backup: backup.id,
            digest: note.digest,
            size_bytes: backup.size_bytes,
            files: note.files,
            ledger_size: note.ledger_size,
            own_key: note.own_key,
            recipients: note.recipients,
        };
        Ok((backup, fact))
    }

    /// Checks a backup without touching anything. A backup that is not whole is an answer.
    ///
    /// # Errors
    /// [`BackupError::NotFound`], [`BackupError::Locked`], [`BackupError::AgeAbsent`], [`BackupError::State`].
    pub async fn verify(
        &self,
        ledger: &Engine,
        here: Option<MachineId>,
        id: BackupId,
    ) -> Result<BackupVerifyOut, BackupError> {
        let busy = self.begin()?;
        let known = recorded(ledger, id).await?;
        let (place, identities) = (self.place.clone(), self.identities());
        let opened = work(busy, move |stop| {
            let folder = tempfile::Builder::new().prefix(SNAPSHOT).tempdir_in(&place.own);
            let folder = folder.map_err(|error| Error::io(&place.own, error))?;
            let opened = inspect(&place, id, known.as_deref(), &identities, folder.path(), stop)?;
            Ok((opened, known.is_some()))
        });
        let mut answer = BackupVerifyOut {
            id,
            ok: false,
            code: None,
            finding: String::new(),
            recorded: false,
            machine_id: None,
            files: 0,
            bytes: 0,
            databases: Vec::new(),
            ledger_size: 0,
        };
        match opened.await {
            Ok(((opened, _), recorded)) => {
                answer.recorded = recorded;
                answer.machine_id = Some(opened.header.machine_id);
                answer.ledger_size = opened.ledger.map_or(0, |ledger| ledger.size);
                (answer.files, answer.bytes, answer.databases) =
                    (opened.files, opened.bytes, opened.databases);
                if here == Some(opened.header.machine_id) {
                    answer.ok = true;
                    let (files, size) = (answer.files, answer.ledger_size);
                    answer.finding = format!("whole: {files} files, the ledger verified to {size}");
                } else {
                    let foreign = BackupError::Foreign { of: opened.header.machine_id };
                    (answer.code, answer.finding) = (Some(foreign.code()), foreign.to_string());
                }
            }
            Err(BackupError::Damaged { finding }) => {
                (answer.code, answer.finding) = (Some(Code::BackupDamaged), finding);
            }
            Err(error) => return Err(error),
        }
        Ok(answer)
    }

    /// Merges a backup of this machine into the state, after all of it was verified.
    ///
    /// # Errors
    /// Every [`BackupError`]; before the merge begins, nothing was touched.
    pub async fn restore(
        &self,
        ledger: &Engine,
        incidents: &Incidents,
        here: Option<MachineId>,
        id: BackupId,
        accept_unrecorded: bool,
        asked: (Actor, RequestId),
    ) -> Result<Restored, BackupError> {
        let busy = self.begin()?;
        if self.place.journal().exists() {
            return Err(BackupError::Busy { what: "a restore waits for the next start of agentd" });
        }
        let known = recorded(ledger, id).await?;
        if !self.place.file(id).is_file() {
            return Err(BackupError::NotFound);
        }
        if known.is_none() && !accept_unrecorded {
            return Err(BackupError::Unrecorded);
        }
        let here = here.ok_or(BackupError::NoMachineId)?;
        let (first, bare) = ledger.beginning().await?;
        let (place, identities) = (self.place.clone(), self.identities());
        let journal = work(busy, move |stop| {
            let staged = Staged::new(place.staged(id))?;
            let (opened, digest) = inspect(&place, id, known.as_deref(), &identities, &staged.0, stop)?;
            if opened.header.machine_id != here {
                return Err(BackupError::Foreign { of: opened.header.machine_id });
            }
            let other = opened.ledger.is_some_and(|ledger| Some(ledger.beginning) != first);
            let ledger = if bare && other { LedgerStep::Out } else { LedgerStep::Keep };
            let (asked_by, request_id) = asked;
            let journal = Journal { v: 1, backup: id, digest, asked_by, request_id, ledger };
            staged.commit(&place, &journal)?;
            Ok(journal)
        });
        let journal = journal.await?;
        let (files, incidents) = self.apply(&journal, ledger, incidents, false).await?;
        let ledger = match journal.ledger {
            LedgerStep::Out => RestoredLedger::InstalledAtNextStart,
            _ => RestoredLedger::Kept,
        };
        Ok(Restored { files, incidents, ledger })
    }

    /// What the journal says, from any state of it; ends it unless the ledger waits for the next start.
    async fn apply(
        &self,
        journal: &Journal,
        ledger: &Engine,
        incidents: &Incidents,
        at_start: bool,
    ) -> Result<(u64, u64), BackupError> {
        let (place, id) = (self.place.clone(), journal.backup);
        let files = blocking(move || restore::files(&place, id)).await?;
        let database = self.place.staged(id).join("agentd/incidents.db");
        let united = if database.exists() { incidents.unite(&database).await? } else { 0 };
        if journal.ledger == LedgerStep::Out {
            return Ok((files, united));
        }
        let fact = BackupRestored {
            v: 1,
            backup: id,
            digest: journal.digest.clone(),
            asked_by: journal.asked_by.clone(),
            request_id: journal.request_id,
            files,
            incidents: united,
            ledger_installed: journal.ledger == LedgerStep::Installed,
            at_start,
        };
        // In the ledger before it is forgotten here: a crash between the two records it twice, never not at all.
        ledger.append(vec![NewEvent::new("agentd.backup.restored", journal.asked_by.clone(), &fact)]).await?;
        let (place, journal) = (self.place.clone(), journal.clone());
        blocking(move || Ok(journal.end(&place)?)).await?;
        Ok((files, united))
    }

    fn begin(&self) -> Result<OwnedMutexGuard<()>, BackupError> {
        let busy = BackupError::Busy { what: "another backup or restore is under way" };
        self.busy.clone().try_lock_owned().map_err(|_| busy)
    }

    /// What may open a backup here: the declared identity, and this machine's own key.
    fn identities(&self) -> Vec<PathBuf> {
        let declared = self.config.identity_file.iter().cloned();
        declared.chain([self.place.key()]).filter(|path| path.is_file()).collect()
    }
}

/// Opens and checks the file of a backup into `into`; answers what is in it, and its digest. Blocks.
fn inspect(
    place: &Place,
    id: BackupId,
    known: Option<&str>,
    identities: &[PathBuf],
    into: &Path,
    stop: &Stop,
) -> Result<(Opened, String), BackupError> {
    let file = place.file(id);
    if !file.is_file() {
        return Err(BackupError::NotFound);
    }
    super::age::present()?;
    let (digest, _) = create::digest(&file, stop)?;
    if known.is_some_and(|known| known != digest) {
        return Err(BackupError::damaged("the file is not the one that the ledger says was made"));
    }
    if identities.is_empty() {
        return Err(BackupError::Locked);
    }
    let opened = open::open(&file, identities, into, stop)?;
    if opened.header.id != id {
        return Err(BackupError::damaged("the file bears the name of another backup"));
    }
    Ok((opened, digest))
}

/// The digest under which the ledger knows the backup.
async fn recorded(ledger: &Engine, id: BackupId) -> Result<Option<String>, BackupError> {
    let mut query = EventsLogIn {
        kind: Text::new("agentd.backup.created").ok(),
        q: Text::new(id.to_string()).ok(),
        limit: Limit::new(1),
        ..EventsLogIn::default()
    };
    loop {
        let page = ledger.log(query.clone()).await?;
        let of = |payload: &Value| payload["backup"] == id.to_string();
        if let Some(event) = page.events.iter().find(|event| of(&event.payload)) {
            return Ok(event.payload["digest"].as_str().map(str::to_owned));
        }
        match page.next {
            Some(next) => query.after = Text::new(next).ok(),
            None => return Ok(None),
        }
    }
}

/// A folder with an opened backup; removed unless a journal speaks of it.
struct Staged(PathBuf);

impl Staged {
    fn new(path: PathBuf) -> Result<Self, BackupError> {
        let _ = std::fs::remove_dir_all(&path);
        private_folder(&path)?;
        Ok(Self(path))
    }

    /// From here on the restore is completed, by this process or the next.
    fn commit(self, place: &Place, journal: &Journal) -> Result<(), BackupError> {
        let failed = |error: rustix::io::Errno| Error::io(&self.0, error.into());
        let folder = std::fs::File::open(&self.0).map_err(|error| Error::io(&self.0, error))?;
        rustix::fs::syncfs(&folder).map_err(failed)?;
        journal.write(place)?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `work` on a blocking thread, told to end when the caller stops waiting; nothing else begins before it has.
async fn work<T: Send + 'static>(
    busy: OwnedMutexGuard<()>,
    work: impl FnOnce(&Stop) -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    let (waiting, stop) = stop::pair();
    let done = blocking(move || {
        let _busy = busy;
        work(&stop)
    })
    .await;
    drop(waiting);
    done
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| BackupError::Stopped)?
}
