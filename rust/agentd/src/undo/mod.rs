//! The undo journal: what a change needs to be taken back, kept before it is made.
//!
//! One file per change in `<state>/agentd/undo/`, named by its id, and beside it what a file held. An entry is durable
//! before its change, so a crash between them leaves an entry that changes nothing when it is taken back.

mod keep;
mod revert;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use agentd_root::Act;
use agentd_root::file::Looks;
use osmoda_runtime::Context;
use osmoda_store::{Error, atomic_write, private_folder};
use osmoda_types::api::agentd::firewall::OpenPorts;
use osmoda_types::api::agentd::sysctl::SysctlKey;
use osmoda_types::{Actor, Code, MemoryId, Problem, RequestId, Timestamp, UndoId, UnitName};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::blocking::blocking;

pub(crate) use revert::undo;

/// What was changed, with what was there before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A file was written, made or deleted.
    File {
        /// The file.
        path: String,
        /// What stood there; its bytes are beside the entry.
        before: Option<Kept>,
        /// Digest of what stands there since; none where nothing does.
        after: Option<String>,
    },
    /// A file has another name.
    Moved {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
        /// Its inode.
        ino: u64,
        /// Its size.
        size: u64,
        /// When its content was last changed, in nanoseconds since 1970.
        mtime_ns: i64,
    },
    /// A unit was started or stopped.
    Unit {
        /// The unit.
        unit: UnitName,
        /// Its state before, as systemd calls it.
        before: String,
        /// What was done.
        act: Act,
    },
    /// Something was remembered.
    Remembered {
        /// The memory.
        memory: MemoryId,
        /// `sha256:` of its file.
        digest: String,
    },
    /// Something was forgotten; its file's bytes are beside the entry.
    Forgotten {
        /// The memory.
        memory: MemoryId,
        /// Where its file was, from the memory folder.
        path: String,
    },
    /// A parameter of the kernel was set.
    Sysctl {
        /// Which.
        key: SysctlKey,
        /// Its value before.
        before: String,
        /// Its value since.
        after: String,
    },
    /// The firewall was opened or closed.
    Firewall {
        /// The opening before.
        before: Option<OpenPorts>,
        /// The opening since.
        after: Option<OpenPorts>,
    },
}

/// A file as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// `sha256:` of its bytes.
    pub(crate) digest: String,
    /// Owner, mode and times.
    pub(crate) looks: Looks,
}

/// One change that can be taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) v: u32,
    pub(crate) undo: UndoId,
    pub(crate) request_id: RequestId,
    pub(crate) actor: Actor,
    pub(crate) at: Timestamp,
    pub(crate) change: Change,
}

/// The journal of this machine.
pub(crate) struct Journal {
    folder: PathBuf,
    /// When old entries were last looked for.
    swept: Mutex<Option<Timestamp>>,
}

/// Entries are kept for a week.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Reading the whole folder is not for every change.
const SWEPT: Duration = Duration::from_secs(3600);

impl Journal {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, swept: Mutex::new(None) }
    }

    /// Makes a change after its entry is durable; without one nothing is changed. An entry stays if the change took place
    /// or nobody knows, and its id is for the outcome.
    pub(crate) async fn around<T>(
        &self,
        context: &Context,
        change: Change,
        kept: Option<NamedTempFile>,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<(T, UndoId), Problem> {
        let undo = self.record(context, change, kept).await?;
        match work.await {
            Ok(done) => Ok((done, undo)),
            Err(problem) => {
                if problem.code != Code::OutcomeUnknown {
                    self.forget(undo).await;
                }
                Err(problem)
            }
        }
    }

    /// For a change of which only its end tells what was before: a crash in between leaves it without an entry.
    pub(crate) async fn after(&self, context: &Context, change: Change) -> Result<(), Problem> {
        context.undone_by(self.record(context, change, None).await?);
        Ok(())
    }

    /// Makes an entry durable.
    async fn record(
        &self,
        context: &Context,
        change: Change,
        kept: Option<NamedTempFile>,
    ) -> Result<UndoId, Problem> {
        let (undo, now) = (context.new_undo(), context.now());
        let actor = context.principal.actor.clone();
        let entry = Entry { v: 1, undo, request_id: context.request_id, actor, at: now, change };
        let folder = self.folder.clone();
        let oldest = self.sweeps(now).then(|| now.minus(KEPT));
        blocking(move || {
            let failed = |error| Error::io(&folder, error);
            private_folder(&folder)?;
            if let Some(kept) = kept {
                kept.persist(bytes_of(&folder, undo)).map_err(|error| failed(error.error))?;
            }
            let text = serde_json::to_vec(&entry).expect("an entry is plain data");
            atomic_write(&entry_of(&folder, undo), &text, 0o600)?;
            oldest.map_or(Ok(()), |oldest| forget_before(&folder, oldest)).map_err(failed)
        })
        .await?;
        Ok(undo)
    }

    /// Whether old entries are looked for now.
    fn sweeps(&self, now: Timestamp) -> bool {
        let mut swept = self.swept.lock().expect("nothing panics while it holds this lock");
        let due = swept.is_none_or(|last| last <= now.minus(SWEPT));
        if due {
            *swept = Some(now);
        }
        due
    }

    /// Removes an entry.
    pub(crate) async fn forget(&self, undo: UndoId) {
        let folder = self.folder.clone();
        if let Err(problem) = blocking(move || remove(&folder, undo)).await {
            tracing::warn!(undo = %undo, detail = problem.detail, "an entry of the undo journal cannot be removed");
        }
    }

    /// One entry.
    pub(crate) async fn get(&self, undo: UndoId) -> Result<Entry, Problem> {
        let path = entry_of(&self.folder, undo);
        let read = blocking(move || match fs::read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        let text = read.await?.ok_or_else(|| Problem::new(Code::UndoNotFound).detail(undo.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| {
            Problem::new(Code::StateCorrupt).detail(format!("entry {undo} of the undo journal: {error}"))
        })
    }

    /// Ids of the entries since then, newest first.
    pub(crate) async fn since(&self, since: Timestamp) -> Result<Vec<UndoId>, Problem> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut ids = ids(&folder).map_err(|error| Error::io(&folder, error))?;
            ids.retain(|id| id.made_at().is_some_and(|at| at >= since));
            ids.sort_unstable_by(|a, b| b.cmp(a));
            Ok::<_, Error>(ids)
        })
        .await
    }

    /// The bytes that were kept with an entry, in memory.
    pub(crate) async fn bytes(&self, undo: UndoId) -> Result<Vec<u8>, Problem> {
        let path = bytes_of(&self.folder, undo);
        blocking(move || fs::read(&path).map_err(|error| Error::io(&path, error))).await
    }

    /// The bytes that were kept with an entry, as a file.
    pub(crate) async fn file(&self, undo: UndoId) -> Result<std::os::fd::OwnedFd, Problem> {
        let path = bytes_of(&self.folder, undo);
        blocking(move || fs::File::open(path).map(Into::into)).await
    }
}

fn entry_of(folder: &Path, undo: UndoId) -> PathBuf {
    folder.join(format!("{undo}.json"))
}

fn bytes_of(folder: &Path, undo: UndoId) -> PathBuf {
    folder.join(format!("{undo}.bytes"))
}

fn ids(folder: &Path) -> io::Result<Vec<UndoId>> {
    let id = |name: &str| name.strip_suffix(".json")?.parse::<UndoId>().ok();
    Ok(names(folder)?.iter().filter_map(|name| id(name)).collect())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Removes entries, and what a daemon that was killed kept for an entry it never wrote.
fn forget_before(folder: &Path, oldest: Timestamp) -> io::Result<()> {
    for name in names(folder)? {
        match name.rsplit_once('.').and_then(|(id, _)| id.parse::<UndoId>().ok()) {
            Some(id) if id.made_at().is_some_and(|at| at < oldest) => remove(folder, id)?,
            Some(_) => {}
            None => {
                let path = folder.join(&name);
                let changed = fs::metadata(&path).map_or(i64::MAX, |meta| meta.mtime() * 1000);
                if changed < oldest.as_millis() {
                    fs::remove_file(path)?;
                }
            }
        }
    }
    Ok(())
}

/// The entry first: bytes without an entry are nothing, an entry without bytes could not be taken back.
fn remove(folder: &Path, undo: UndoId) -> io::Result<()> {
    for path in [entry_of(folder, undo), bytes_of(folder, undo)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
