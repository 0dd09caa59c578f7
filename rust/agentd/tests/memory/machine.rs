//! A memory in a temporary folder, with a clock that the test sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use agentd::memory::Memory;
use osmoda_types::api::agentd::memory::{MemoryListOut, MemoryRecallOut, MemoryStoreOut};
use osmoda_types::{Actor, Clock, Entropy, Principal, Ring, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) const START: &str = "2026-11-24T08:30:00.000Z";

#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) folder: PathBuf,
    pub(crate) clock: Arc<SetClock>,
    entropy: Arc<Counting>,
}

impl Machine {
    pub(crate) fn at(folder: &Path) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let clock = Arc::new(SetClock(AtomicI64::new(start.as_millis())));
        Self { folder: folder.to_owned(), clock, entropy: Arc::default() }
    }

    pub(crate) async fn open(&self) -> Memory {
        let memory = Memory::open(&self.folder, self.clock.clone(), self.entropy.clone()).await;
        until("the first comparison ends", async || {
            memory.health().await.index.checked_at.is_some() || memory.check().code.is_some()
        })
        .await;
        memory
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.join("memory").join(path)
    }

    /// Writes a file as an editor does.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.folder.join("agentd/memory.db")
    }

    /// Every Markdown file there is.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.join("memory")];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).unwrap() {
                let item = item.unwrap();
                if item.file_type().unwrap().is_dir() {
                    folders.push(item.path());
                } else {
                    files.push(item.path());
                }
            }
        }
        files
    }
}

pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    pub(crate) fn step(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
        let count = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        let end = buffer.len() - count.len();
        buffer[end..].copy_from_slice(&count);
    }
}

pub(crate) fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn agent(session: &str) -> Principal {
    Principal {
        ring: Ring::Zero,
        actor: Actor::Agent("main".into()),
        uid: 0,
        gid: 0,
        session: Some(session.to_owned()),
        tool: Some("memory_store".into()),
        tainted: false,
        on_behalf: None,
    }
}

pub(crate) async fn store(memory: &Memory, input: Value) -> MemoryStoreOut {
    memory.store(&agent("s1"), of(input)).await.unwrap()
}

pub(crate) async fn recall(memory: &Memory, query: &str) -> MemoryRecallOut {
    memory.recall(of(json!({"query": query}))).await.unwrap()
}

/// The summaries that are found, the best first.
pub(crate) async fn found(memory: &Memory, query: &str) -> Vec<String> {
    recall(memory, query).await.memories.into_iter().map(|memory| memory.summary).collect()
}

pub(crate) async fn list(memory: &Memory, input: Value) -> MemoryListOut {
    memory.list(of(input)).await.unwrap()
}

/// Waits until it is so; nobody helps meanwhile.
pub(crate) async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let wait = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("{what}"));
}
