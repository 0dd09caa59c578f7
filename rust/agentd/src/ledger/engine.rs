//! The ledger as the rest of agentd sees it: always there, at worst degraded and saying why.
//!
//! A state directory that cannot be used is a condition, not an end: writes are refused with its code, opening is
//! tried again at most once a second, and work goes on when the cause is gone.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use osmoda_store::{Error, Readers, Writer};
use osmoda_tlog::checkpoint::ledger_origin;
use osmoda_tlog::note::Signer;
use osmoda_types::api::agentd::ledger::AppendedEvent;
use osmoda_types::health::Check;
use osmoda_types::ledger::{LedgerCreated, NewEvent};
use osmoda_types::{Actor, Clock, Daemon, Entropy, MachineId, Timestamp};
use rusqlite::Connection;
use tokio::sync::{Notify, RwLock, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::appender::{Appender, Job, Position, Reply};
use super::condition::{Condition, Part};
use super::door::admit_all;
use super::intents::{self, Open};
use super::schema::SCHEMA;
use super::{LedgerError, checkpoints, keeper, key, merge, rows, tree};

/// The ledger of this machine. Dropping it stops the task behind it as [`close`](Self::close) does, unseen.
pub struct Engine {
    pub(super) shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    stop: DropGuard,
}

impl Engine {
    /// Opens `<state_dir>/ledger/`, or begins a ledger there, for which it asks `machine_id`; without an id none is
    /// begun. Before it returns, agentd's own calls that a crash cut off have their outcome `unknown`. Never fails:
    /// see [`check`](Self::check).
    pub async fn open(
        state_dir: &Path,
        machine_id: impl Fn() -> Option<MachineId> + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let folder = state_dir.join("ledger");
        let database = folder.join("ledger.db");
        let shared = Arc::new(Shared {
            readers: Readers::new(&database, READERS),
            folder,
            database,
            machine_id: Box::new(machine_id),
            condition: Condition::new(Arc::clone(&clock)),
            clock,
            entropy,
            position: Arc::new(watch::Sender::new(Position::default())),
            unsigned: Arc::default(),
            slot: RwLock::new(Slot::Shut { why: Error::Closed, tried: None, old: None }),
            settled: AtomicBool::new(false),
        });
        // What is wrong is in the condition now, and the keeper goes on trying.
        let _ = shared.writer().await;
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&shared), stop.clone()));
        Self { shared, keeper: Mutex::new(Some(keeper)), stop: stop.drop_guard() }
    }

    /// Records agentd's own events, all or none, and answers when they are durable. `seq` of each is its id.
    ///
    /// # Errors
    /// [`LedgerError::ForeignType`], [`LedgerError::TooLarge`], [`LedgerError::Field`], [`LedgerError::State`].
    pub async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<AppendedEvent>, LedgerError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let job = Job::Record(admit_all(Daemon::Agentd, events)?);
        match self.shared.submit(job).await? {
            Reply::Recorded { events, .. } => Ok(events),
            Reply::Refused(error) => Err(error),
            Reply::Signed { .. } | Reply::Probed => unreachable!("the reply to another job"),
        }
    }

    /// How many events there are, which is the id of the last; 0 until the ledger was opened.
    pub fn size(&self) -> u64 {
        self.shared.position.borrow().size
    }

    /// Hash of event 1, which tells this ledger from every other, and whether nothing stands in it but what agentd
    /// writes when a ledger begins and when backups are asked for.
    ///
    /// # Errors
    /// [`LedgerError::State`].
    pub async fn beginning(&self) -> Result<(Option<String>, bool), LedgerError> {
        self.read(|connection| {
            let first = rows::one(connection, 1)?.map(|row| row.hash);
            let kinds = merge::kinds(connection, None, "")?;
            let bare = kinds.iter().all(|kind| OF_A_BEGINNING.iter().any(|start| kind.starts_with(start)));
            Ok((first, bare))
        })
        .await
    }

    /// How the ledger is, for `/health`.
    pub fn check(&self) -> Check {
        self.shared.condition.check()
    }

    /// Signs what is not signed yet, closes the database and refuses what comes later.
    pub async fn close(&self) {
        self.stop.token().cancel();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            // It ends by itself; had it panicked, there would be nothing left to wait for.
            let _ = keeper.await;
        }
    }

    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.shared.read(query).await
    }

    pub(super) async fn submit(&self, job: Job) -> Result<Reply, LedgerError> {
        self.shared.submit(job).await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

/// What the engine and its keeper share.
pub(super) struct Shared {
    folder: PathBuf,
    database: PathBuf,
    machine_id: Box<dyn Fn() -> Option<MachineId> + Send + Sync>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pub(super) position: Arc<watch::Sender<Position>>,
    pub(super) unsigned: Arc<Notify>,
    pub(super) condition: Condition,
    readers: Readers,
    slot: RwLock<Slot>,
    /// The open calls of the process before this one have their outcome.
    settled: AtomicBool,
}

enum Slot {
    Open(Arc<Writer<Appender>>),
    Shut {
        why: Error,
        tried: Option<Instant>,
        /// A writer that failed and may still hold the file.
        old: Option<Arc<Writer<Appender>>>,
    },
    Closed,
}

impl Shared {
    pub(super) fn checkpoints_file(&self) -> PathBuf {
        self.folder.join("checkpoints.jsonl")
    }

    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.readers.read(query).await.map_err(LedgerError::State);
        match &result {
            Ok(_) => self.condition.works(Part::Read),
            Err(error) => self.condition.fails(Part::Read, error),
        }
        result
    }

    pub(super) async fn submit(self: &Arc<Self>, job: Job) -> Result<Reply, LedgerError> {
        let writer = self.writer().await?;
        let error = match writer.submit(job).await {
            Ok(reply) => {
                self.condition.works(Part::Write);
                return Ok(reply);
            }
            Err(error) => error,
        };
        self.condition.fails(Part::Write, &LedgerError::State(error.clone()));
        // Room and locks come back by themselves; after anything else only a fresh look at the file is safe.
        if !matches!(error, Error::Full { .. } | Error::Busy { .. }) {
            let mut slot = self.slot.write().await;
            if matches!(&*slot, Slot::Open(current) if Arc::ptr_eq(current, &writer)) {
                *slot = Slot::Shut { why: error.clone(), tried: Some(Instant::now()), old: Some(writer) };
            }
        }
        Err(LedgerError::State(error))
    }

    /// Signs everything there is. Cheap when that is done already.
    pub(super) async fn sign(self: &Arc<Self>) -> Result<(u64, String), LedgerError> {
        match self.submit(Job::Sign).await? {
            Reply::Signed { size, note } => {
                self.condition.works(Part::Sign);
                Ok((size, note))
            }
            Reply::Refused(error) => {
                self.condition.fails(Part::Sign, &error);
                Err(error)
            }
            Reply::Recorded { .. } | Reply::Probed => unreachable!("the reply to another job"),
        }
    }

    pub(super) async fn close(&self) {
        self.readers.close();
        let slot = std::mem::replace(&mut *self.slot.write().await, Slot::Closed);
        if let Slot::Open(writer) | Slot::Shut { old: Some(writer), .. } = slot {
            writer.close().await;
        }
    }

    async fn writer(self: &Arc<Self>) -> Result<Arc<Writer<Appender>>, LedgerError> {
        if let Slot::Open(writer) = &*self.slot.read().await {
            return Ok(Arc::clone(writer));
        }
        let mut slot = self.slot.write().await;
        match &mut *slot {
            Slot::Open(writer) => return Ok(Arc::clone(writer)),
            Slot::Closed => return Err(LedgerError::State(Error::Closed)),
            Slot::Shut { why, tried: Some(tried), .. } if tried.elapsed() < RETRY => {
                return Err(LedgerError::State(why.clone()));
            }
            Slot::Shut { old, .. } => {
                if let Some(old) = old.take() {
                    old.close().await;
                }
            }
        }
        let (why, old) = match self.start().await {
            Ok(writer) => match self.settle(&writer).await {
                Ok(()) => {
                    self.condition.works(Part::Write);
                    *slot = Slot::Open(Arc::clone(&writer));
                    return Ok(writer);
                }
                Err(error) => (error, Some(writer)),
            },
            Err(error) => (error, None),
        };
        *slot = Slot::Shut { why: why.clone(), tried: Some(Instant::now()), old };
        let error = LedgerError::State(why);
        self.condition.fails(Part::Write, &error);
        Err(error)
    }

    async fn start(self: &Arc<Self>) -> Result<Arc<Writer<Appender>>, Error> {
        let shared = Arc::clone(self);
        let open = move || shared.open();
        let (writer, signs) = tokio::task::spawn_blocking(open).await.map_err(|_| Error::Closed)??;
        if signs {
            self.condition.works(Part::Sign);
        } else {
            self.condition.fails(Part::Sign, &LedgerError::NoSigner);
        }
        Ok(Arc::new(writer))
    }

    /// Opens the database and starts its writer; says whether it can sign. Blocks.
    fn open(&self) -> Result<(Writer<Appender>, bool), Error> {
        let failed = |error| Error::sqlite(&self.database, error);
        osmoda_store::private_folder(&self.folder)?;
        if std::fs::metadata(&self.database).map_or(true, |meta| meta.len() == 0) {
            self.nothing_was_signed()?;
        }
        let mut connection = osmoda_store::open(&self.database, SCHEMA)?;
        let signer = if rows::size(&connection).map_err(failed)? == 0 {
            self.nothing_was_signed()?;
            Some(self.first_signer()?.1)
        } else {
            trusted_signer(&mut connection, &self.key_file(), &self.checkpoints_file()).map_err(failed)?
        };
        let signs = signer.is_some();
        let (clock, position, unsigned) = (self.clock.clone(), self.position.clone(), self.unsigned.clone());
        let appender = Appender::load(&connection, signer, clock, position, unsigned).map_err(failed)?;
        let writer = Writer::start("ledger-writer", &self.database, connection, appender);
        Ok((writer.map_err(|error| Error::io(&self.database, error))?, signs))
    }

    /// Refuses to begin a ledger where one already was: its checkpoints are there and its events are gone. Beginning
    /// anew would sign a fork of it under the same name.
    fn nothing_was_signed(&self) -> Result<(), Error> {
        let signed = std::fs::metadata(self.checkpoints_file()).is_ok_and(|meta| meta.len() > 0);
        let gone =
            || std::io::Error::new(ErrorKind::NotFound, "the events are gone, their checkpoints are there");
        if signed {
            Err(Error::Corrupt { path: self.database.clone(), source: Arc::new(gone()) })
        } else {
            Ok(())
        }
    }

    /// Name and key of a ledger that begins.
    fn first_signer(&self) -> Result<(MachineId, Signer), Error> {
        let machine_id =
            (self.machine_id)().ok_or_else(|| Error::io(&self.folder, ErrorKind::NotFound.into()))?;
        let origin = ledger_origin(&machine_id.to_string());
        Ok((machine_id, key::read_or_make(&self.key_file(), &origin, self.entropy.as_ref())?))
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("signer.key")
    }

    /// Writes what must stand in the ledger before anyone else writes: event 1, and the outcomes that the process
    /// before this one owes.
    async fn settle(&self, writer: &Writer<Appender>) -> Result<(), Error> {
        let record = async |events| {
            let admitted = admit_all(Daemon::Agentd, events).expect("small payloads of agentd's own types");
            writer.submit(Job::Record(admitted)).await.map(drop)
        };
        let size = self.position.borrow().size;
        if size == 0 {
            let (machine_id, signer) = self.first_signer()?;
            let (origin, signer) = (signer.verifier().name().to_owned(), signer.verifier().to_string());
            let created = LedgerCreated { v: 1, machine_id, origin, signer };
            let agentd = Actor::Daemon(Daemon::Agentd);
            record(vec![NewEvent::new("agentd.ledger.created", agentd, &created)]).await?;
        }
        if !self.settled.load(Ordering::Acquire) {
            let open = self.readers.read(|connection| Ok(Open::load(connection)?.of(Daemon::Agentd))).await?;
            for events in intents::unknown(&open, self.clock.now()) {
                record(events).await?;
            }
            self.settled.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// The key in `key_file` if this ledger trusts it and still is what it signed last. A stale cache of the tree is
/// computed again before the ledger is doubted.
fn trusted_signer(
    connection: &mut Connection,
    key_file: &Path,
    checkpoints_file: &Path,
) -> rusqlite::Result<Option<Signer>> {
    let Ok(created) = key::created(connection) else { return Ok(None) };
    let Ok(Some(signer)) = key::read(key_file, &created.origin) else { return Ok(None) };
    if key::in_force(connection, rows::size(connection)?)? != *signer.verifier() {
        return Ok(None);
    }
    if !checkpoints::hold(connection, checkpoints_file)? {
        tree::rebuild(connection)?;
        if !checkpoints::hold(connection, checkpoints_file)? {
            return Ok(None);
        }
    }
    Ok(Some(signer))
}

/// Prefixes of the types in a ledger to which nothing of the machine's life was added yet.
const OF_A_BEGINNING: [&str; 5] =
    ["agentd.ledger.", "agentd.clock.", "agentd.session.", "agentd.alert.", "agentd.backup."];

/// Between attempts to open.
pub(super) const RETRY: Duration = Duration::from_secs(1);

const READERS: usize = 4;
