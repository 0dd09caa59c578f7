//! How a daemon other than agentd reaches the ledger: straight while agentd answers, through a durable, chained outbox
//! for what must go on without it.
//!
//! Every event has a place in one sequence (`epoch`, `seq`), and every post carries the chain's head after it, so a
//! repeated post is recognised and a changed past is refused. An epoch is one run of the daemon, or longer while rows
//! wait: then the sequence goes on where the last row ends.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use osmoda_client::{CallError, Client};
use osmoda_tlog::chain::{GENESIS, link_hash};
use osmoda_types::api::agentd::ledger::{
    AppendedEvent, EventsAppend, EventsAppendIn, EventsSource, EventsSourceIn,
};
use osmoda_types::ledger::{CallResult, MAX_BATCH, NewEvent, Outcome};
use osmoda_types::{Actor, Clock, Code, Daemon, Problem, RequestId, Text, Within, json};
use rusqlite::{Transaction, params};
use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::record::Recorder;
use crate::state::StateDb;
use crate::{Setup, problem};

/// What becomes of an event while agentd is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It is refused: nothing happens without its record.
    Refuse,
    /// It is kept here and delivered later: it tells what already happened, or what must go on.
    Keep,
    /// It is kept while there is room to spare: strangers can cause it, and must not push out what is kept above.
    Spare,
}

impl Urgency {
    /// How many rows may wait before an event of this kind is refused.
    fn room(self) -> u64 {
        match self {
            Self::Refuse => 0,
            Self::Keep => MOST_ROWS,
            Self::Spare => MOST_ROWS / 10,
        }
    }
}

/// The outbox of one daemon.
pub struct Outbox {
    source: Daemon,
    client: Client,
    db: Arc<StateDb>,
    clock: Arc<dyn Clock>,
    chain: Mutex<Chain>,
    pending: AtomicU64,
    wake: Notify,
    /// Intents of this run, until those of earlier runs are ended: they are not orphans.
    begun: std::sync::Mutex<Option<HashSet<RequestId>>>,
}

/// The end of the sequence, and what hangs in the air.
struct Chain {
    epoch: String,
    seq: u64,
    head: String,
    /// A post whose reply was lost and that was not kept: it is repeated before anything else.
    doubt: Option<Batch>,
}

#[derive(Clone)]
struct Batch {
    epoch: String,
    first_seq: u64,
    head: String,
    events: Vec<NewEvent>,
}

/// Longest wait for agentd before an event is kept or refused.
const POST_TIMEOUT: Duration = Duration::from_secs(2);
/// Between attempts to deliver what was kept.
const RETRY: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(5);
/// Rows that may wait, about 64 MiB.
const MOST_ROWS: u64 = 100_000;

impl Outbox {
    /// Opens the outbox of a daemon and begins to deliver what it kept. Intents of an earlier run without an outcome
    /// get the outcome `unknown`, unless `resolve` knows what became true.
    pub async fn open<C>(
        setup: &Setup<C>,
        resolve: impl Fn(&str, RequestId) -> CallResult + Send + Sync + 'static,
    ) -> Result<Arc<Self>, Problem> {
        let fresh = RequestId::new(setup.clock.as_ref(), setup.entropy.as_ref()).to_string();
        let fresh = fresh.trim_start_matches("req_").to_owned();
        let kept = setup.state.write(last_row).await.map_err(|error| problem::of_store(&error))?;
        let (chain, pending) = match kept {
            Some(row) => (Chain { epoch: row.epoch, seq: row.seq, head: row.head, doubt: None }, row.rows),
            None => (Chain { epoch: fresh, seq: 0, head: GENESIS.to_owned(), doubt: None }, 0),
        };
        let actor = Actor::Daemon(setup.daemon);
        let outbox = Arc::new(Self {
            source: setup.daemon,
            client: Client::new(setup.run_dir.clone()).actor(&actor),
            db: setup.state.clone(),
            clock: setup.clock.clone(),
            chain: Mutex::new(chain),
            pending: AtomicU64::new(pending),
            wake: Notify::new(),
            begun: std::sync::Mutex::new(Some(HashSet::new())),
        });
        tokio::spawn(outbox.clone().deliver(setup.shutdown.clone(), resolve));
        Ok(outbox)
    }

    async fn record_now(
        &self,
        events: Vec<NewEvent>,
        urgency: Urgency,
    ) -> Result<Vec<AppendedEvent>, Problem> {
        if let Some(begun) = &mut *self.begun() {
            begun.extend(events.iter().filter_map(intent_of));
        }
        let mut chain = self.chain.lock().await;
        if self.pending.load(Ordering::Relaxed) > 0 {
            return self.away(&mut chain, events, urgency).await;
        }
        if let Some(doubt) = chain.doubt.clone() {
            if self.post(&doubt).await.is_err() {
                return self.away(&mut chain, events, urgency).await;
            }
            self.settle(&mut chain, doubt).await?;
            // What settled it may wait in the outbox now, and nothing overtakes that.
            if self.pending.load(Ordering::Relaxed) > 0 {
                return self.away(&mut chain, events, urgency).await;
            }
        }
        let batch = chain.batch(events);
        match self.post(&batch).await {
            Ok(recorded) => {
                chain.advance(&batch);
                Ok(recorded)
            }
            Err(Failure::Refused(problem)) => Err(problem),
            Err(Failure::Absent) => self.away(&mut chain, batch.events, urgency).await,
            Err(Failure::Doubt) => {
                if urgency == Urgency::Refuse {
                    chain.doubt = Some(batch);
                    return Err(Code::LedgerUnavailable.into());
                }
                self.away(&mut chain, batch.events, urgency).await
            }
        }
    }

    /// agentd is away: refuse, or keep durably in order.
    async fn away(
        &self,
        chain: &mut Chain,
        mut events: Vec<NewEvent>,
        urgency: Urgency,
    ) -> Result<Vec<AppendedEvent>, Problem> {
        // Somebody waits for agentd: look again now, it may be back.
        self.wake.notify_one();
        if self.pending.load(Ordering::Relaxed) >= urgency.room() {
            return Err(Code::LedgerUnavailable.into());
        }
        if let Some(doubt) = chain.doubt.take() {
            let unfinished = self.failed_intents(&doubt);
            events.splice(0..0, doubt.events.into_iter().chain(unfinished));
        }
        let batch = chain.batch(events);
        let (rows, now) = (batch.rows(&chain.head), self.clock.now().as_millis());
        let count = rows.len() as u64;
        self.db.write(move |tx| insert(tx, &rows, now)).await.map_err(|error| problem::of_store(&error))?;
        chain.advance(&batch);
        self.pending.fetch_add(count, Ordering::Relaxed);
        Ok(Vec::new())
    }

    /// A post in doubt was recorded after all, but its caller was told that nothing would happen: its intents failed.
    async fn settle(&self, chain: &mut Chain, doubt: Batch) -> Result<(), Problem> {
        chain.doubt = None;
        chain.advance(&doubt);
        let unfinished = self.failed_intents(&doubt);
        if unfinished.is_empty() {
            return Ok(());
        }
        let batch = chain.batch(unfinished);
        match self.post(&batch).await {
            Ok(_) => {
                chain.advance(&batch);
                Ok(())
            }
            Err(_) => self.away(chain, batch.events, Urgency::Keep).await.map(|_| ()),
        }
    }

    fn failed_intents(&self, doubt: &Batch) -> Vec<NewEvent> {
        let outcome = |event: &NewEvent| {
            let (call, id) = (event.kind.strip_suffix(".intent")?, intent_of(event)?);
            Some(self.ended(call, event.actor.clone(), id, CallResult::Failed, Code::LedgerUnavailable))
        };
        doubt.events.iter().filter_map(outcome).collect()
    }

    fn ended(
        &self,
        call: &str,
        actor: Actor,
        request_id: RequestId,
        result: CallResult,
        code: Code,
    ) -> NewEvent {
        let code = (result != CallResult::Ok).then_some(code);
        let outcome = Outcome {
            v: 1,
            request_id,
            result,
            status: None,
            code,
            result_digest: None,
            duration_ms: None,
            undo: None,
            at: self.clock.now(),
        };
        NewEvent::new(format!("{call}.outcome"), actor, &outcome)
    }

    async fn post(&self, batch: &Batch) -> Result<Vec<AppendedEvent>, Failure> {
        let input = EventsAppendIn {
            source: Text::new(self.source.name()).expect("a daemon's name is short"),
            epoch: Text::new(batch.epoch.clone()).expect("an epoch is a ULID"),
            first_seq: Within::new(batch.first_seq).expect("sequence numbers start at 1"),
            head: Text::new(batch.head.clone()).expect("a head is 64 hex digits"),
            events: batch.events.clone(),
        };
        match tokio::time::timeout(POST_TIMEOUT, self.client.send::<EventsAppend>(&input)).await {
            Ok(Ok(out)) => Ok(out.events),
            Ok(Err(CallError::Absent { .. })) => Err(Failure::Absent),
            Ok(Err(CallError::Problem(problem))) => Err(match problem.code {
                Code::InternalPanic | Code::InternalBug | Code::OutcomeUnknown | Code::RequestTimeout => {
                    Failure::Doubt
                }
                // The ledger says that it did not take them.
                _ if problem.status >= 500 => Failure::Absent,
                _ => Failure::Refused(*problem),
            }),
            Ok(Err(_)) | Err(_) => Err(Failure::Doubt),
        }
    }

    /// Delivers kept rows in order; first of all ends what an earlier run left open.
    async fn deliver(
        self: Arc<Self>,
        shutdown: CancellationToken,
        resolve: impl Fn(&str, RequestId) -> CallResult + Send + Sync,
    ) {
        let mut unresolved = true;
        let mut pause = *RETRY.start();
        loop {
            let waits = unresolved || self.pending.load(Ordering::Relaxed) > 0;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause), if waits => {}
            }
            let delivered = self.deliver_rows().await;
            if delivered && unresolved {
                unresolved = self.end_open_intents(&resolve).await.is_err();
            }
            pause = if delivered && !unresolved { *RETRY.start() } else { (pause * 2).min(*RETRY.end()) };
        }
    }

    /// Whether nothing waits any more.
    async fn deliver_rows(&self) -> bool {
        loop {
            // Held while rows are on their way, so that nothing overtakes them.
            let _chain = self.chain.lock().await;
            let rows = match self.db.write(first_rows).await {
                Ok(rows) => rows,
                Err(_) => return false,
            };
            let Some(batch) = Batch::of_rows(rows) else {
                self.pending.store(0, Ordering::Relaxed);
                return true;
            };
            let last = match self.post(&batch).await {
                Ok(_) => batch.first_seq + batch.events.len() as u64 - 1,
                // agentd has more than we remember of a post whose reply was lost.
                Err(Failure::Refused(problem))
                    if problem.expected.is_some_and(|next| next > batch.first_seq) =>
                {
                    problem.expected.unwrap_or(1) - 1
                }
                Err(Failure::Refused(problem)) => {
                    tracing::error!(
                        code = problem.code.as_str(),
                        detail = problem.detail,
                        "the ledger refuses the outbox; it is kept as evidence"
                    );
                    return false;
                }
                Err(Failure::Absent | Failure::Doubt) => return false,
            };
            match self.db.write(move |tx| delete_to(tx, last)).await {
                Ok(left) => self.pending.store(left, Ordering::Relaxed),
                Err(_) => return false,
            }
        }
    }

    async fn end_open_intents(
        &self,
        resolve: &(impl Fn(&str, RequestId) -> CallResult + Send + Sync),
    ) -> Result<(), ()> {
        let source =
            EventsSourceIn { source: Text::new(self.source.name()).expect("a daemon's name is short") };
        let asked = tokio::time::timeout(POST_TIMEOUT, self.client.send::<EventsSource>(&source)).await;
        let known = asked.map_err(|_| ())?.map_err(|_| ())?;
        let begun = self.begun().clone().unwrap_or_default();
        let open = known.open_intents.into_iter().filter(|open| !begun.contains(&open.request_id));
        let actor = Actor::Daemon(self.source);
        let ended = open.map(|open| {
            let result = resolve(&open.call, open.request_id);
            self.ended(&open.call, actor.clone(), open.request_id, result, Code::OutcomeUnknown)
        });
        let ended: Vec<NewEvent> = ended.collect();
        for part in ended.chunks(MAX_BATCH) {
            self.record_now(part.to_vec(), Urgency::Keep).await.map_err(|_| ())?;
        }
        // From here on an open intent can only be ours.
        *self.begun() = None;
        Ok(())
    }

    fn begun(&self) -> std::sync::MutexGuard<'_, Option<HashSet<RequestId>>> {
        self.begun.lock().expect("nothing panics while it holds this lock")
    }
}

impl Recorder for Outbox {
    fn record(
        &self,
        events: Vec<NewEvent>,
        urgency: Urgency,
    ) -> BoxFuture<'_, Result<Vec<AppendedEvent>, Problem>> {
        self.record_now(events, urgency).boxed()
    }

    fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }
}

/// Why a post gave no answer to use.
enum Failure {
    /// agentd does not take it: not there, or cannot write. Certainly not recorded.
    Absent,
    /// It may or may not be recorded.
    Doubt,
    /// It is wrong and will never be taken.
    Refused(Problem),
}

impl Chain {
    fn batch(&self, events: Vec<NewEvent>) -> Batch {
        let mut batch =
            Batch { epoch: self.epoch.clone(), first_seq: self.seq + 1, head: String::new(), events };
        batch.head = batch.rows(&self.head).pop().map_or_else(|| self.head.clone(), |row| row.head);
        batch
    }

    fn advance(&mut self, batch: &Batch) {
        self.seq = batch.first_seq + batch.events.len() as u64 - 1;
        self.head.clone_from(&batch.head);
    }
}

/// An event with its place in the sequence.
struct Row {
    seq: u64,
    epoch: String,
    kind: String,
    actor: String,
    payload: String,
    head: String,
}

impl Batch {
    /// The events as rows that continue the chain at `head`.
    fn rows(&self, head: &str) -> Vec<Row> {
        let mut head = head.to_owned();
        let row = |(seq, event): (u64, &NewEvent)| {
            let (actor, payload) =
                (event.actor.to_string(), json::canonical(&Value::Object(event.payload.clone())));
            head = json::hex(link_hash(seq, &event.kind, &actor, &payload, &head).as_ref());
            Row {
                seq,
                epoch: self.epoch.clone(),
                kind: event.kind.clone(),
                actor,
                payload,
                head: head.clone(),
            }
        };
        (self.first_seq..).zip(&self.events).map(row).collect()
    }

    fn of_rows(rows: Vec<Row>) -> Option<Self> {
        let (first, last) = (rows.first()?, rows.last()?);
        let (epoch, first_seq, head) = (first.epoch.clone(), first.seq, last.head.clone());
        let event = |row: &Row| {
            let payload = match json::parse(row.payload.as_bytes()) {
                Ok(Value::Object(payload)) => payload,
                _ => return None,
            };
            Some(NewEvent { kind: row.kind.clone(), actor: row.actor.parse().ok()?, payload })
        };
        let events = rows.iter().map_while(event).collect();
        Some(Self { epoch, first_seq, head, events })
    }
}

/// Where the sequence ends and how many rows wait.
struct Kept {
    seq: u64,
    epoch: String,
    head: String,
    rows: u64,
}

fn last_row(tx: &Transaction<'_>) -> rusqlite::Result<Option<Kept>> {
    let rows = tx.query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, i64>(0))?;
    let mut last = tx.prepare("SELECT seq, epoch, head FROM outbox ORDER BY seq DESC LIMIT 1")?;
    let mut found = last.query_map([], |row| {
        Ok(Kept {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            epoch: row.get(1)?,
            head: row.get(2)?,
            rows: rows.unsigned_abs(),
        })
    })?;
    found.next().transpose()
}

fn first_rows(tx: &Transaction<'_>) -> rusqlite::Result<Vec<Row>> {
    let mut rows =
        tx.prepare_cached("SELECT seq, epoch, type, actor, payload, head FROM outbox ORDER BY seq LIMIT ?1")?;
    let rows = rows.query_map([MAX_BATCH], |row| {
        Ok(Row {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            epoch: row.get(1)?,
            kind: row.get(2)?,
            actor: row.get(3)?,
            payload: row.get(4)?,
            head: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn insert(tx: &Transaction<'_>, rows: &[Row], at_ms: i64) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO outbox (seq, epoch, type, actor, payload, head, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for row in rows {
        insert.execute(params![
            row.seq.cast_signed(),
            row.epoch,
            row.kind,
            row.actor,
            row.payload,
            row.head,
            at_ms
        ])?;
    }
    Ok(())
}

/// Removes what is recorded; how many rows are left.
fn delete_to(tx: &Transaction<'_>, seq: u64) -> rusqlite::Result<u64> {
    tx.execute("DELETE FROM outbox WHERE seq <= ?1", [seq.cast_signed()])?;
    tx.query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn intent_of(event: &NewEvent) -> Option<RequestId> {
    event.kind.strip_suffix(".intent")?;
    event.payload.get("request_id")?.as_str()?.parse().ok()
}
