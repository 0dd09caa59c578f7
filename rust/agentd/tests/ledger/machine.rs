//! A ledger in a temporary folder, with a clock that the test sets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use agentd::ledger::{Engine, LedgerError};
use http_body_util::BodyExt;
use osmoda_tlog::chunk::Chunk;
use osmoda_tlog::export::{Header, Line};
use osmoda_types::api::agentd::ledger::LedgerExportLine;
use osmoda_types::ledger::{Event, NewEvent};
use osmoda_types::{Actor, Clock, Daemon, Entropy, MachineId, Principal, Ring, Timestamp};
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) const MACHINE: &str = "mach_01kaq3v8e2m6zr0t5h9xw4c7yd";
pub(crate) const START: &str = "2026-11-24T08:30:00.000Z";

#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) folder: PathBuf,
    pub(crate) clock: Arc<SetClock>,
}

impl Machine {
    pub(crate) fn at(folder: &Path) -> Self {
        let start: Timestamp = START.parse().expect("a time");
        Self { folder: folder.to_owned(), clock: Arc::new(SetClock(AtomicI64::new(start.as_millis()))) }
    }

    pub(crate) async fn open(&self) -> Engine {
        let id = || Some(MACHINE.parse::<MachineId>().expect("an id"));
        Engine::open(&self.folder, id, self.clock.clone(), Arc::new(Counting::default())).await
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("ledger").join(name)
    }

    /// A connection that may do anything to the file, as root may.
    pub(crate) fn root(&self) -> Connection {
        let connection = Connection::open(self.file("ledger.db")).expect("it opens");
        connection
            .execute_batch("DROP TRIGGER events_never_change; DROP TRIGGER events_never_go")
            .expect("the guards go");
        connection
    }

    /// Rewrites `hash` and `prev_hash` of every event from `id` on, as a forger would.
    pub(crate) fn rechain(connection: &Connection, id: u64) {
        let size: u64 = connection.query_row("SELECT max(id) FROM events", [], |row| row.get(0)).unwrap();
        for id in id..=size {
            let sql = "SELECT hash FROM events WHERE id = ?1 - 1";
            let before: String = connection.query_row(sql, [id], |row| row.get(0)).unwrap();
            let sql = "SELECT ts, type, actor, payload FROM events WHERE id = ?1";
            let hash = connection
                .query_row(sql, [id], |row| {
                    let text = |column| row.get::<_, String>(column);
                    Ok(osmoda_tlog::chain::row_hash(id, &text(0)?, &text(1)?, &text(2)?, &text(3)?, &before))
                })
                .unwrap();
            let hash = osmoda_tlog::to_hex(&hash);
            connection
                .execute("UPDATE events SET prev_hash = ?2, hash = ?3 WHERE id = ?1", (id, before, hash))
                .unwrap();
        }
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
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).expect("within the years of the ledger")
    }
}

#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.0.fetch_add(1, Ordering::SeqCst).to_le_bytes()[0]);
    }
}

/// The input or output of a call, from its JSON.
pub(crate) fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the wire shape")
}

pub(crate) fn event(kind: &str, actor: &str, payload: Value) -> NewEvent {
    let Value::Object(payload) = payload else { panic!("a payload is an object") };
    NewEvent { kind: kind.to_owned(), actor: actor.parse().expect("an actor"), payload }
}

/// `count` events of agentd's own.
pub(crate) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|n| event("agentd.test.counted", "agent:main", json!({"n": n}))).collect()
}

pub(crate) fn principal(daemon: Daemon) -> Principal {
    Principal {
        ring: Ring::Zero,
        actor: Actor::Daemon(daemon),
        uid: 0,
        gid: 0,
        session: None,
        tool: None,
        tainted: false,
        on_behalf: None,
    }
}

/// Every event there is, oldest first.
pub(crate) async fn all(engine: &Engine) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.id);
        let page = engine.log(of(json!({"after_id": after, "limit": 1000}))).await.expect("a page");
        events.extend(page.events);
        if page.next.is_none() {
            return events;
        }
    }
}

/// Header and lines of a whole export, as a verifier takes them.
pub(crate) async fn export(engine: &Engine, since: Option<&str>) -> Result<(Header, Chunk), LedgerError> {
    let response = engine.export(of(json!({"since": since})), CancellationToken::new()).await?;
    let body = response.into_body().collect().await.expect("it does not break off").to_bytes();
    let mut lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().expect("a first line");
    let published: LedgerExportLine = serde_json::from_slice(first).expect("the wire shape");
    assert_eq!(serde_json::to_value(&published).unwrap(), serde_json::from_slice::<Value>(first).unwrap());
    let Line::Export(header) = Line::parse(first).unwrap() else { panic!("a header first") };
    let mut chunk = Chunk::new();
    lines.for_each(|line| chunk.push_line(line));
    Ok((header, chunk))
}

/// The ledger's own verdict is that it is whole.
pub(crate) async fn assert_whole(engine: &Engine) {
    let verdict = engine.verify(of(json!({}))).await.expect("a verdict");
    assert!(verdict.ok, "{}", verdict.finding);
    assert_eq!(verdict.verified_to, engine.head().await.expect("a head").size);
}
