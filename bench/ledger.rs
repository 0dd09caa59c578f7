//! The ledger beside what limits it: raw SQLite with the same rows and batches, raw fdatasync, raw SHA-256.
//!
//! Each pair is measured in turns in one run, so that a busy machine slows both. `OSMODA_BENCH_EVENTS` sets the
//! length of the ledger that is verified and searched (1,000,000), `OSMODA_BENCH_DIR` the disk (the system's
//! temporary folder).

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints what it measures")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agentd::ledger::Engine;
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Clock, Entropy, Timestamp};
use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio::time::Instant;

const BATCH: usize = 128;
const PRODUCERS: usize = 64;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let folder = match std::env::var_os("OSMODA_BENCH_DIR") {
        Some(disk) => tempfile::tempdir_in(disk).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let length = std::env::var("OSMODA_BENCH_EVENTS").map_or(1_000_000, |text| text.parse().unwrap());
    println!("{:<46} {:>12} {:>12} {:>7}  target", "", "ours", "beside it", "ratio");
    let engine = Arc::new(open(folder.path()).await);
    let raw = Raw::open(folder.path());
    batches(&engine, &raw).await;
    producers(&engine).await;
    single(&engine, &raw, folder.path()).await;
    fill(&engine, length).await;
    verification(&engine).await;
    searches(&engine).await;
    engine.close().await;
}

/// Events per second at 128 a commit while the writer never waits for work: two callers, so that one batch is
/// checked while the other is committed.
async fn batches(engine: &Arc<Engine>, raw: &Raw) {
    const BATCHES: usize = 40;
    let (mut ours, mut beside) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for _ in 0..2 {
            let engine = Arc::clone(engine);
            tasks.spawn(async move {
                for _ in 0..BATCHES / 2 {
                    engine.append(events(BATCH)).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        ours += start.elapsed();
        let start = Instant::now();
        (0..BATCHES).for_each(|_| raw.insert(BATCH));
        beside += start.elapsed();
    }
    let rate = |time: Duration| (ROUNDS * BATCHES * BATCH) as f64 / time.as_secs_f64();
    line("events/s, 128 a commit | raw SQLite", rate(ours), Some(rate(beside)), ">= 0.8 x");
}

/// Events per second, 64 callers with one event each.
async fn producers(engine: &Arc<Engine>) {
    const EACH: usize = 500;
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for _ in 0..PRODUCERS {
            let engine = Arc::clone(engine);
            tasks.spawn(async move {
                for _ in 0..EACH {
                    engine.append(events(1)).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        best = best.min(start.elapsed());
    }
    let rate = (PRODUCERS * EACH) as f64 / best.as_secs_f64();
    line("events/s, 64 producers of single events", rate, None, ">= 20000");
}

/// Median microseconds of one durable append beside one 4 KiB overwrite with fdatasync, and beside raw SQLite.
async fn single(engine: &Engine, raw: &Raw, folder: &Path) {
    let file = File::create(folder.join("fdatasync")).unwrap();
    file.write_all_at(&[0; 1 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let (mut ours, mut beside, mut sqlite) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..1000 {
        let event = events(1);
        let start = Instant::now();
        engine.append(event).await.unwrap();
        ours.push(start.elapsed());
        let start = Instant::now();
        file.write_all_at(&[7; 4096], n % 256 * 4096).unwrap();
        file.sync_data().unwrap();
        beside.push(start.elapsed());
        let start = Instant::now();
        raw.insert(1);
        sqlite.push(start.elapsed());
    }
    let [ours, beside, sqlite] =
        [&mut ours, &mut beside, &mut sqlite].map(|times| micros(quantile(times, 0.5)));
    line("one durable append, p50 us | fdatasync p50", ours, Some(beside), "decision 0007");
    line("one durable append, p50 us | raw SQLite p50", ours, Some(sqlite), "<= 1.3 x");
}

/// Events per second and core while a ledger is verified, beside SHA-256 over the same bytes: per event its row, its
/// leaf and one node of the tree.
async fn verification(engine: &Engine) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(3);
    let size = engine.head().await.unwrap().size;
    let sample = events(1).remove(0);
    let payload = osmoda_types::json::canonical(&Value::Object(sample.payload)).len();
    let row = vec![b'7'; 6 + 24 + sample.kind.len() + sample.actor.to_string().len() + payload + 64 + 5];
    let hash = |bytes: &[u8]| std::hint::black_box(Sha256::digest(std::hint::black_box(bytes)));
    let (mut ours, mut beside) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        let start = Instant::now();
        let verdict = engine.verify(serde_json::from_value(json!({})).unwrap()).await.unwrap();
        assert!(verdict.ok, "{}", verdict.finding);
        ours = ours.min(start.elapsed());
        let start = Instant::now();
        for _ in 0..size {
            hash(&row);
            hash(&row[..65]);
            hash(&row[..65]);
        }
        beside = beside.min(start.elapsed());
    }
    let rate = |time: Duration| size as f64 / time.as_secs_f64();
    line("verified events/s and core | SHA-256", rate(ours) / cores as f64, Some(rate(beside)), ">= 0.3 x");
}

/// Microseconds for a page of 100 events, at any place of the ledger.
async fn searches(engine: &Engine) {
    let size = engine.head().await.unwrap().size;
    for (name, filter) in [
        ("by a common type", json!({"type": "agentd.session.read"})),
        ("by a rare type", json!({"type": "agentd.rare"})),
        ("by a prefix of 40 types", json!({"type": "agentd."})),
        ("by actor", json!({"actor": "operator:root"})),
        ("by actor and prefix", json!({"actor": "agent:main", "type": "agentd.call."})),
        ("by actor and type that never meet", json!({"actor": "operator:root", "type": "agentd.rare"})),
        ("by time", json!({"since": "1h"})),
    ] {
        let mut times = Vec::new();
        for n in 0..300_u64 {
            let mut query = filter.clone();
            query["before_id"] = json!(size - n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size);
            let start = Instant::now();
            engine.log(serde_json::from_value(query).unwrap()).await.unwrap();
            times.push(start.elapsed());
        }
        line(&format!("/events/log {name}, p99 us"), micros(quantile(&mut times, 0.99)), None, "< 10000");
    }
}

/// Fills up to `length` events of many types and actors.
async fn fill(engine: &Engine, length: u64) {
    let mut seed = 7_u64;
    while engine.head().await.unwrap().size < length {
        let batch = (0..1000).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let kind = match seed >> 40 {
                n if n % 20_000 == 0 => "agentd.rare".to_owned(),
                n if n % 3 == 0 => "agentd.session.read".to_owned(),
                n => format!("agentd.call.{}", n % 40),
            };
            let actor =
                if kind == "agentd.rare" || seed >> 33 & 3 > 0 { "agent:main" } else { "operator:root" };
            event(&kind, actor)
        });
        engine.append(batch.collect()).await.unwrap();
    }
}

fn line(name: &str, ours: f64, beside: Option<f64>, target: &str) {
    match beside {
        Some(beside) => println!("{name:<46} {ours:>12.0} {beside:>12.0} {:>7.2}  {target}", ours / beside),
        None => println!("{name:<46} {ours:>12.0} {:>12} {:>7}  {target}", "", ""),
    }
}

fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "part lies in 0..1")]
    let place = (times.len() as f64 * part) as usize;
    times[place]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event("agentd.bench.measured", "agent:main")).collect()
}

/// An event with the payload of 255 bytes that the design's figures were measured with.
fn event(kind: &str, actor: &str) -> NewEvent {
    let payload = json!({"text": "x".repeat(255 - r#"{"text":"","v":1}"#.len()), "v": 1});
    serde_json::from_value(json!({"type": kind, "actor": actor, "payload": payload})).unwrap()
}

async fn open(folder: &Path) -> Engine {
    let machine = || "mach_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().ok();
    Engine::open(folder, machine, Arc::new(Ticking::default()), Arc::new(Zeros)).await
}

/// The same rows in the same table with the same indexes and pragmas, and nothing else.
struct Raw(Connection);

impl Raw {
    fn open(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("raw.db")).unwrap();
        let schema = include_str!("../rust/agentd/migrations/ledger/schema.sql");
        connection.execute_batch(schema).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
        Self(connection)
    }

    fn insert(&self, count: usize) {
        let payload = osmoda_types::json::canonical(&Value::Object(event("a", "agent:main").payload));
        let hash = "0".repeat(64);
        let transaction =
            rusqlite::Transaction::new_unchecked(&self.0, TransactionBehavior::Immediate).unwrap();
        for _ in 0..count {
            let sql = "INSERT INTO events (ts, type, actor, payload, prev_hash, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let mut insert = transaction.prepare_cached(sql).unwrap();
            let (ts, kind) = ("2026-11-24T08:30:00.000Z", "agentd.bench.measured");
            insert.execute((ts, kind, "agent:main", &payload, &hash, &hash)).unwrap();
        }
        transaction.commit().unwrap();
    }
}

/// A clock that moves a millisecond at each look.
#[derive(Default)]
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let millis = 1_795_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::from_millis(i64::try_from(millis).unwrap()).unwrap()
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}
