//! The undo journal: what a change needs to be taken back, kept before it is made.
//!
//! One file per change in `<state>/agentd/undo/`, named by its id, and beside it what a file held. An entry is durable
//! before its change, so a crash between them leaves an entry that changes nothing when it is taken back.

mod revert;

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentd_root::Act;
use agentd_root::file::Looks;
use osmoda_runtime::Context;
use osmoda_store::Error;
use osmoda_types::api::agentd::firewall::OpenPorts;
use osmoda_types::api::agentd::sysctl::SysctlKey;
use osmoda_types::{Actor, Code, MemoryId, Problem, RequestId, Timestamp, UndoId, UnitName};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::files::blocking;

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
        /// Which it is.
        ino: u64,
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
}

/// Entries are kept for a week.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

impl Journal {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Makes an entry durable. Without this nothing is changed.
    pub(crate) async fn record(
        &self,
        context: &Context,
        undo: UndoId,
        change: Change,
        blob: Option<NamedTempFile>,
    ) -> Result<(), Problem> {
        let principal = &context.principal;
        let entry = Entry {
            v: 1,
            undo,
            request_id: context.request_id,
            actor: principal.actor.clone(),
            at: context.now(),
            change,
        };
        let (folder, oldest) = (self.folder.clone(), context.now().minus(KEPT));
        blocking(move || {
            let failed = |error| Error::io(&folder, error);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
            if let Some(blob) = blob {
                blob.persist(blob_of(&folder, undo)).map_err(|error| failed(error.error))?;
            }
            let text = serde_json::to_vec(&entry).expect("an entry is plain data");
            osmoda_store::atomic_write(&entry_of(&folder, undo), &text, 0o600)?;
            forget_before(&folder, oldest).map_err(failed)
        })
        .await
    }

    /// Bytes to be kept with an entry.
    pub(crate) async fn kept(&self, bytes: Vec<u8>) -> Result<NamedTempFile, Problem> {
        let folder = self.folder.clone();
        blocking(move || {
            let kept = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).and_then(|()| {
                let mut file = NamedTempFile::new_in(&folder)?;
                file.write_all(&bytes)?;
                file.as_file().sync_data()?;
                Ok(file)
            });
            kept.map_err(|error| Error::io(&folder, error))
        })
        .await
    }

    /// A change that failed needs no entry; one of unknown outcome keeps it.
    pub(crate) async fn drop_failed(&self, undo: UndoId, problem: &Problem) {
        if problem.code != Code::OutcomeUnknown {
            self.forget(undo).await;
        }
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
        let path = blob_of(&self.folder, undo);
        blocking(move || fs::read(&path).map_err(|error| Error::io(&path, error))).await
    }

    /// The bytes that were kept with an entry.
    pub(crate) async fn blob(&self, undo: UndoId) -> Result<std::os::fd::OwnedFd, Problem> {
        let path = blob_of(&self.folder, undo);
        blocking(move || fs::File::open(path).map(Into::into)).await
    }
}

fn entry_of(folder: &Path, undo: UndoId) -> PathBuf {
    folder.join(format!("{undo}.json"))
}

fn blob_of(folder: &Path, undo: UndoId) -> PathBuf {
    folder.join(format!("{undo}.bytes"))
}

fn ids(folder: &Path) -> io::Result<Vec<UndoId>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut ids: Vec<UndoId> = Vec::new();
    for entry in entries {
        ids.extend(
            entry?.file_name().to_str().and_then(|name| name.strip_suffix(".json")?.parse::<UndoId>().ok()),
        );
    }
    Ok(ids)
}

fn forget_before(folder: &Path, oldest: Timestamp) -> io::Result<()> {
    for id in ids(folder)?.into_iter().filter(|id: &UndoId| id.made_at().is_some_and(|at| at < oldest)) {
        remove(folder, id)?;
    }
    Ok(())
}

/// The entry first: bytes without an entry are nothing, an entry without bytes could not be taken back.
fn remove(folder: &Path, undo: UndoId) -> io::Result<()> {
    for path in [entry_of(folder, undo), blob_of(folder, undo)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
