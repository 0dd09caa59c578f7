//! The memory as the rest of agentd sees it: always there, at worst degraded and saying why.
//!
//! The files are the truth, the index is derived: one that is damaged is put aside and built again, and what cannot
//! be written now is written when the cause is gone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use osmoda_store::{Error, Readers, Writer};
use osmoda_types::health::Check;
use osmoda_types::{Clock, Entropy};
use rusqlite::Connection;
use tokio::sync::{Mutex as Pen, MutexGuard, RwLock};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::condition::{Condition, Part};
use super::files::Tree;
use super::index::{Change, Indexer, Job, SCHEMA};
use super::keeper;

/// The memory of this machine. Dropping it stops the task behind it as [`close`](Self::close) does, unseen.
pub struct Memory {
    pub(super) shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    stop: DropGuard,
}

impl Memory {
    /// Opens `<state_dir>/memory/` and its index `<state_dir>/agentd/memory.db`, and compares them. Waits for that a
    /// second at the most; the rest goes on behind. Never fails: see [`check`](Self::check).
    pub async fn open(state_dir: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let database = state_dir.join("agentd").join("memory.db");
        let shared = Arc::new(Shared {
            tree: Tree::new(state_dir.join("memory")),
            readers: Mutex::new(Readers::new(&database, READERS)),
            database,
            condition: Condition::new(Arc::clone(&clock)),
            clock,
            entropy,
            slot: RwLock::new(Slot::Shut { why: Error::Closed, tried: None, damaged: false, old: None }),
            begun: Mutex::new(None),
            whole: Pen::new(()),
            sames: std::array::from_fn(|_| Pen::new(())),
            paths: std::array::from_fn(|_| Pen::new(())),
        });
        let mut now = shared.condition.watch();
        let stop = CancellationToken::new();
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&shared), stop.clone()));
        // What takes longer goes on behind; /memory/health says so.
        let _ = timeout(FIRST_CHECK, now.wait_for(|now| now.checks > 0)).await;
        Self { shared, keeper: Mutex::new(Some(keeper)), stop: stop.drop_guard() }
    }

    /// How the memory is, for `/health`.
    pub fn check(&self) -> Check {
        self.shared.condition.check()
    }

    /// Closes the index and refuses what comes later.
    pub async fn close(&self) {
        self.stop.token().cancel();
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            // It ends by itself; had it panicked, there would be nothing left to wait for.
            let _ = keeper.await;
        }
    }
}

/// What the calls and the keeper share.
pub(super) struct Shared {
    pub(super) tree: Tree,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) condition: Condition,
    database: PathBuf,
    readers: Mutex<Readers>,
    slot: RwLock<Slot>,
    /// When a damaged index was last put aside.
    begun: Mutex<Option<Instant>>,
    /// Held while everything is compared.
    pub(super) whole: Pen<()>,
    /// One text is stored by one call at a time.
    sames: [Pen<()>; STRIPES],
    /// One file is written or looked at by one call at a time. Taken after one of `sames`, never before.
    paths: [Pen<()>; STRIPES],
}

enum Slot {
    Open(Arc<Writer<Indexer>>),
    Shut { why: Error, tried: Option<Instant>, damaged: bool, old: Option<Arc<Writer<Indexer>>> },
    Closed,
}

impl Shared {
    pub(super) async fn same_pen(&self, sameness: [u8; 16]) -> MutexGuard<'_, ()> {
        self.sames[usize::from(sameness[0]) % STRIPES].lock().await
    }

    pub(super) async fn path_pen(&self, path: &str) -> MutexGuard<'_, ()> {
        let sum = path.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.paths[sum % STRIPES].lock().await
    }

    /// Works on the files on a blocking thread.
    pub(super) async fn files<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Tree) -> Result<T, Error> + Send + 'static,
    {
        let tree = self.tree.clone();
        let result = tokio::task::spawn_blocking(move || work(&tree)).await.unwrap_or(Err(Error::Closed));
        match &result {
            Ok(_) => {}
            Err(error) => self.condition.fails(Part::Files, error),
        }
        result
    }

    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = readers.read(query).await;
        match &result {
            Ok(_) => self.condition.works(Part::Read),
            // Closed by a new index that took the place of this one: nothing is wrong with it.
            Err(Error::Closed) => {}
            Err(error) => {
                self.condition.fails(Part::Read, error);
                if matches!(error, Error::Corrupt { .. }) {
                    self.shut(error, None).await;
                }
            }
        }
        result
    }

    /// Writes to the index. What cannot be written is made up for by a comparison of everything later.
    pub(super) async fn submit(&self, changes: Vec<Change>) -> Result<(), Error> {
        if changes.is_empty() { Ok(()) } else { self.write(Job::Changes(changes)).await.map(drop) }
    }

    /// As [`submit`](Self::submit), for any job.
    pub(super) async fn write(&self, job: Job) -> Result<bool, Error> {
        let submitted = match self.writer().await {
            Ok(writer) => {
                let submitted = writer.submit(job).await;
                match &submitted {
                    Ok(_) => self.condition.works(Part::Write),
                    Err(error) => {
                        self.condition.fails(Part::Write, error);
                        if !matches!(error, Error::Full { .. } | Error::Busy { .. }) {
                            self.shut(error, Some(writer)).await;
                        }
                    }
                }
                submitted
            }
            Err(error) => Err(error),
        };
        if submitted.is_err() {
            self.condition.behind(true);
        }
        submitted
    }

    /// Takes the index out of use after a failure; the next use opens it again, or a new one if it is damaged.
    async fn shut(&self, error: &Error, failed: Option<Arc<Writer<Indexer>>>) {
        let mut slot = self.slot.write().await;
        if let Slot::Open(current) = &*slot
            && failed.is_none_or(|failed| Arc::ptr_eq(current, &failed))
        {
            let damaged = matches!(error, Error::Corrupt { .. });
            let old = Some(Arc::clone(current));
            *slot = Slot::Shut { why: error.clone(), tried: Some(Instant::now()), damaged, old };
        }
    }

    /// Takes the index away and begins a new, empty one.
    pub(super) async fn begin_anew(&self) -> Result<(), Error> {
        let mut slot = self.slot.write().await;
        match std::mem::replace(&mut *slot, Slot::Closed) {
            Slot::Open(writer) | Slot::Shut { old: Some(writer), .. } => writer.close().await,
            Slot::Shut { .. } => {}
            Slot::Closed => return Err(Error::Closed),
        }
        let database = self.database.clone();
        let removed = blocking(move || remove(&database)).await;
        let why = removed.clone().err().unwrap_or(Error::Closed);
        *slot = Slot::Shut { why, tried: None, damaged: false, old: None };
        drop(slot);
        removed?;
        self.anew();
        self.writer().await.map(drop)
    }

    /// What was known of the index is of another one.
    fn anew(&self) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *readers, Readers::new(&self.database, READERS)).close();
        drop(readers);
        self.condition.checking(true);
        self.condition.behind(true);
    }

    /// Whether the index file is still there; one that somebody removed is begun anew.
    pub(super) fn index_is_there(&self) -> bool {
        self.database.exists()
    }

    pub(super) async fn close(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).close();
        let slot = std::mem::replace(&mut *self.slot.write().await, Slot::Closed);
        if let Slot::Open(writer) | Slot::Shut { old: Some(writer), .. } = slot {
            writer.close().await;
        }
    }

    pub(super) async fn writer(&self) -> Result<Arc<Writer<Indexer>>, Error> {
        if let Slot::Open(writer) = &*self.slot.read().await {
            return Ok(Arc::clone(writer));
        }
        let mut slot = self.slot.write().await;
        let damaged = match &mut *slot {
            Slot::Open(writer) => return Ok(Arc::clone(writer)),
            Slot::Closed => return Err(Error::Closed),
            Slot::Shut { why, tried: Some(tried), .. } if tried.elapsed() < RETRY => return Err(why.clone()),
            Slot::Shut { old, damaged, .. } => {
                if let Some(old) = old.take() {
                    old.close().await;
                }
                *damaged
            }
        };
        match self.start(damaged).await {
            Ok(writer) => {
                self.condition.works(Part::Write);
                *slot = Slot::Open(Arc::clone(&writer));
                Ok(writer)
            }
            Err(why) => {
                self.condition.fails(Part::Write, &why);
                let damaged = damaged || matches!(why, Error::Corrupt { .. });
                *slot = Slot::Shut { why: why.clone(), tried: Some(Instant::now()), damaged, old: None };
                Err(why)
            }
        }
    }

    async fn start(&self, damaged: bool) -> Result<Arc<Writer<Indexer>>, Error> {
        let database = self.database.clone();
        let opened = match damaged {
            true => Err(Error::Corrupt { path: database.clone(), source: Arc::new(Damaged) }),
            false => blocking(move || open(&database)).await,
        };
        let connection = match opened {
            Ok(connection) => connection,
            Err(error @ Error::Corrupt { .. }) => {
                if !self.may_begin() {
                    return Err(error);
                }
                tracing::warn!(path = %self.database.display(), "the index of the memory is put aside and built again");
                let database = self.database.clone();
                let connection = blocking(move || {
                    put_aside(&database)?;
                    open(&database)
                })
                .await?;
                self.anew();
                connection
            }
            Err(error) => return Err(error),
        };
        let writer = Writer::start("memory-writer", &self.database, connection, Indexer);
        writer.map(Arc::new).map_err(|error| Error::io(&self.database, error))
    }

    fn may_begin(&self) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let may = begun.is_none_or(|begun| begun.elapsed() >= ANEW_AT_MOST_EACH);
        if may {
            *begun = Some(Instant::now());
        }
        may
    }
}

#[derive(Debug, thiserror::Error)]
#[error("reading or writing it failed")]
struct Damaged;

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
}

/// Opens the index. It is derived, so a commit need not wait for the disk: what a power cut takes from it is found by
/// the comparison at the next start.
fn open(database: &Path) -> Result<Connection, Error> {
    if let Some(folder) = database.parent() {
        osmoda_store::private_folder(folder)?;
    }
    let connection = osmoda_store::open(database, SCHEMA)?;
    let failed = |error| match Error::sqlite(database, error) {
        // A database without our tables is none of ours.
        Error::Sql { path, source } => Error::Corrupt { path, source },
        other => other,
    };
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
    let probe =
        "SELECT (SELECT count(*) FROM meta) + (SELECT count(*) FROM (SELECT rowid FROM words LIMIT 1))";
    connection.query_row(probe, [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    Ok(connection)
}

/// Keeps the index beside under another name, with its log: the last one that was put aside.
fn put_aside(database: &Path) -> Result<(), Error> {
    let aside = beside(database, ".damaged");
    remove(&aside)?;
    for end in ENDS {
        let from = beside(database, end);
        match fs::rename(&from, beside(&aside, end)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(&from, error)),
            _ => {}
        }
    }
    Ok(())
}

fn remove(database: &Path) -> Result<(), Error> {
    for end in ENDS {
        let file = beside(database, end);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(&file, error)),
            _ => {}
        }
    }
    Ok(())
}

fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The files of one database. The main one goes last, so that a log never meets another database.
const ENDS: [&str; 3] = ["-wal", "-shm", ""];
/// Between attempts to open.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// An index that is damaged again and again is not built again and again.
const ANEW_AT_MOST_EACH: Duration = Duration::from_secs(60);
/// How long opening waits for the first comparison.
const FIRST_CHECK: Duration = Duration::from_secs(1);
const READERS: usize = 4;
const STRIPES: usize = 64;
