//! The real agentd over HTTP, in one run: `/health` beside bare axum serving the same bytes on the same kind of socket,
//! events of daemons beside `/health`, and a call that changes something beside fdatasync and raw SQLite.
//!
//! Usage: `http AGENTD_BINARY`; prints rates, latencies and their ratios with the target beside each.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use osmoda_tlog::chain::{GENESIS, link_hash};
use osmoda_tlog::to_hex;
use osmoda_types::Daemon;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

/// Clients that call as fast as they are answered, each on a connection of its own.
const CLIENTS: usize = 50;
/// Daemons that post events: all but agentd.
const DAEMONS: usize = 8;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;

struct Load {
    per_sec: f64,
    p50_us: f64,
    p99_us: f64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "bare") {
        let mut path =
            || PathBuf::from(arguments.next().expect("the peer is started with its socket and its body"));
        return serve_bare(path(), std::fs::read(path()).expect("the body to serve").into()).await;
    }
    let Some(agentd) = std::env::args().skip(1).find(|arg| !arg.starts_with("--")) else {
        print("skipped: give the path of the agentd to measure");
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (ours, bare) = (dir.path().join("agentd.sock"), dir.path().join("bare.sock"));
    let mut daemon = start(&agentd, &ours, dir.path());
    let body = wait_for(&ours).await;
    // A process of its own, as agentd is.
    std::fs::write(dir.path().join("body"), &body).expect("a writable folder");
    let own = std::env::current_exe().expect("this program");
    let peer = Command::new(own).arg("bare").arg(&bare).arg(dir.path().join("body")).spawn();
    let mut peer = peer.expect("this program again");
    wait_for(&bare).await;

    let mut bed = Bed::open(dir.path());
    let (mut loads, mut alone, mut appended, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        loads.push((load(&ours, CLIENTS).await, load(&bare, CLIENTS).await));
        alone.push((load(&ours, 1).await, load(&bare, 1).await));
        let health = load(&ours, DAEMONS).await.per_sec;
        appended.push([1, 8].map(|events| (events, health)));
        for (n, (events, rate)) in appended[round].iter_mut().enumerate() {
            *rate = append(&ours, 2 * round + n, *events).await / *rate;
        }
        changes.push(change(&ours, &mut bed).await);
    }
    report(&format!("/health, {CLIENTS} clients"), &loads);
    report("/health, 1 client", &alone);
    for n in 0..2 {
        let events = appended[0][n].0;
        let ratio = median(appended.iter().map(|round| round[n].1));
        print(&format!(
            "POST /events, {DAEMONS} daemons, {events} a post: events/s = {ratio:.2} of the /health rate of as many clients (target >= 0.4)"
        ));
    }
    let [call, sync, commits] = [0, 1, 2].map(|n| median(changes.iter().map(|round| round[n])));
    print(&format!(
        "a change call: p50 {call:.0} us beside fdatasync {sync:.0} us = {:.2}; beside its two commits in raw SQLite {commits:.0} us = {:.2} (decision 0007: <= 2)",
        call / sync,
        call / commits
    ));
    for child in [&mut daemon, &mut peer] {
        child.kill().expect("our own child");
        child.wait().expect("our own child");
    }
}

/// Events a second that eight daemons append, `batch` a post, each waiting for its answer before it sends the next.
async fn append(socket: &Path, round: usize, batch: usize) -> f64 {
    let until = Instant::now() + ROUND;
    let mut sources = Vec::new();
    for daemon in Daemon::ALL.iter().filter(|daemon| **daemon != Daemon::Agentd) {
        let (name, stream) = (daemon.name(), UnixStream::connect(socket).await.expect("a serving socket"));
        // One epoch a round, as if the daemon had been restarted.
        let epoch = format!("01kaq3v8e2m6zr0t5h9xw4c7{round:02}");
        sources.push(tokio::spawn(async move {
            let mut client = Client::over(stream).await;
            let (kind, actor) = (format!("{name}.bench.done"), format!("daemon:{name}"));
            let events = vec![json!({"type": kind, "actor": actor, "payload": {"v": 1}}); batch];
            let (mut seq, mut head) = (0_u32, GENESIS.to_owned());
            while Instant::now() < until {
                let first_seq = seq + 1;
                for _ in 0..batch {
                    seq += 1;
                    head = to_hex(&link_hash(seq.into(), &kind, &actor, r#"{"v":1}"#, &head));
                }
                let post = json!({"source": name, "epoch": epoch, "first_seq": first_seq, "head": head, "events": events});
                client.post("/events", &actor, &post).await;
            }
            f64::from(seq)
        }));
    }
    let mut events = 0.0;
    for source in sources {
        events += source.await.expect("a source");
    }
    events / ROUND.as_secs_f64()
}

/// Microseconds of a call with an intent and an outcome, of an fdatasync, and of the call's commits in raw SQLite, in turns.
async fn change(socket: &Path, bed: &mut Bed) -> [f64; 3] {
    let mut client = Client::over(UnixStream::connect(socket).await.expect("a serving socket")).await;
    let mut took = [const { Vec::new() }; 3];
    for _ in 0..400 {
        let started = Instant::now();
        client.post("/notify", "agent:bench", &json!({"title": "bench"})).await;
        took[0].push(started.elapsed());
        let started = Instant::now();
        bed.fdatasync();
        took[1].push(started.elapsed());
        let started = Instant::now();
        bed.commit(&["agentd.notify.intent"]);
        bed.commit(&["agentd.alert.raised", "agentd.notify.outcome"]);
        took[2].push(started.elapsed());
    }
    took.map(|times| median(times.iter().map(|time| time.as_secs_f64() * 1e6)))
}

/// The disk without us: a file to sync, and the ledger's table in raw SQLite.
struct Bed {
    file: std::fs::File,
    ledger: Connection,
}

impl Bed {
    fn open(dir: &Path) -> Self {
        let file = std::fs::File::create(dir.join("sync")).expect("a writable folder");
        let ledger = Connection::open(dir.join("raw.db")).expect("a writable folder");
        let schema = include_str!("../rust/agentd/migrations/ledger/schema.sql");
        let pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
        ledger.execute_batch(&format!("{pragmas}{schema}")).expect("SQLite");
        Self { file, ledger }
    }

    /// Overwrites 4 KiB and waits until the disk has it.
    fn fdatasync(&self) {
        self.file.write_all_at(&[7; 4096], 0).and_then(|()| self.file.sync_data()).expect("a disk");
    }

    fn commit(&mut self, kinds: &[&str]) {
        let transaction =
            self.ledger.transaction_with_behavior(TransactionBehavior::Immediate).expect("SQLite");
        for kind in kinds {
            let sql = "INSERT INTO events (ts, type, actor, payload, prev_hash, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
            let row = ("2026-11-24T08:30:00.000Z", kind, "agent:bench", "x".repeat(400), "0".repeat(64));
            transaction.prepare_cached(sql).and_then(|mut insert| insert.execute(row)).expect("SQLite");
        }
        transaction.commit().expect("SQLite");
    }
}

fn report(name: &str, rounds: &[(Load, Load)]) {
    let best = |value: fn(&Load) -> f64| {
        (
            median(rounds.iter().map(|(ours, _)| value(ours))),
            median(rounds.iter().map(|(_, bare)| value(bare))),
        )
    };
    let (rate, bare_rate) = best(|load| load.per_sec);
    let (p50, bare_p50) = best(|load| load.p50_us);
    let (p99, bare_p99) = best(|load| load.p99_us);
    print(&format!(
        "{name}: {rate:.0}/s beside {bare_rate:.0}/s bare axum = {:.2} (target >= 0.5)",
        rate / bare_rate
    ));
    print(&format!(
        "{name}: p50 {p50:.0} us beside {bare_p50:.0} us; p99 {p99:.0} us beside {bare_p99:.0} us = {:.2} (target <= 3)",
        p99 / bare_p99
    ));
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn start(agentd: &str, socket: &Path, state: &Path) -> Child {
    Command::new(agentd)
        .arg("--socket")
        .arg(socket)
        .arg("--state-dir")
        .arg(state.join("state"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the agentd to measure")
}

async fn wait_for(socket: &PathBuf) -> Bytes {
    loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Client::over(stream).await.health().await,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn serve_bare(socket: PathBuf, body: Bytes) {
    let listener = UnixListener::bind(socket).expect("a free path");
    let answer = move || std::future::ready(([("content-type", "application/json")], body.clone()));
    axum::serve(listener, Router::new().route("/health", get(answer))).await.expect("axum");
}

async fn load(socket: &Path, clients: usize) -> Load {
    let until = Instant::now() + ROUND;
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let stream = UnixStream::connect(socket).await.expect("a serving socket");
        tasks.push(tokio::spawn(async move {
            let mut client = Client::over(stream).await;
            let mut took = Vec::new();
            while Instant::now() < until {
                let started = Instant::now();
                client.health().await;
                took.push(started.elapsed().as_secs_f64() * 1e6);
            }
            took
        }));
    }
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await.expect("a client"));
    }
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took[(took.len() - 1) * part / 100];
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    Load { per_sec: took.len() as f64 / ROUND.as_secs_f64(), p50_us: at(50), p99_us: at(99) }
}

struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Client {
    async fn over(stream: UnixStream) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Self { sender }
    }

    async fn health(&mut self) -> Bytes {
        let request = http::Request::get("/health").header("host", "l");
        self.answer(request.body(Full::default()).expect("a request")).await
    }

    async fn post(&mut self, path: &str, actor: &str, body: &Value) -> Bytes {
        let request = http::Request::post(path).header("host", "l").header("x-osmoda-actor", actor);
        let request = request.header("content-type", "application/json");
        self.answer(request.body(Full::new(body.to_string().into())).expect("a request")).await
    }

    async fn answer(&mut self, request: http::Request<Full<Bytes>>) -> Bytes {
        self.sender.ready().await.expect("a connection");
        let response = self.sender.send_request(request).await.expect("an answer");
        assert!(response.status().is_success());
        response.into_body().collect().await.expect("a body").to_bytes()
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints what it found")]
fn print(line: &str) {
    println!("{line}");
}
