//! What a daemon tells the ledger: intents before effects, outcomes after them, denials, and reads in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use osmoda_types::api::agentd::ledger::AppendedEvent;
use osmoda_types::ledger::{Denied, Intent, NewEvent, Outcome, ReadCall, SessionRead};
use osmoda_types::{Actor, Daemon, Principal, Problem};

use crate::outbox::Urgency;

/// Where events go: agentd's own ledger, or another daemon's outbox.
pub trait Recorder: Send + Sync + 'static {
    /// Makes the events durable, in this order and all or none; the answer names their places.
    fn record(
        &self,
        events: Vec<NewEvent>,
        urgency: Urgency,
    ) -> BoxFuture<'_, Result<Vec<AppendedEvent>, Problem>>;

    /// Events that are durable here but not yet in the ledger.
    fn pending(&self) -> u64 {
        0
    }
}

/// One daemon's voice in the ledger.
pub struct Record {
    daemon: Daemon,
    recorder: Arc<dyn Recorder>,
    reads: Mutex<HashMap<Reader, Vec<ReadCall>>>,
}

type Reader = (Actor, Option<String>);

/// Reads of one caller are written after this long at the latest.
pub(crate) const READS_EVERY: Duration = Duration::from_secs(60);
/// Or when there are so many; about 350 bytes each, within an event's 64 KiB.
const READS_AT: usize = 100;
/// Reads kept while the ledger cannot take them.
const READS_KEPT: usize = 4096;

impl Record {
    pub(crate) fn new(daemon: Daemon, recorder: Arc<dyn Recorder>) -> Self {
        Self { daemon, recorder, reads: Mutex::default() }
    }

    pub(crate) fn pending(&self) -> u64 {
        self.recorder.pending()
    }

    /// Records that a call will have an effect, after what its caller read before. Without this nothing happens.
    pub(crate) async fn intent(
        &self,
        call: &str,
        principal: &Principal,
        intent: &Intent,
    ) -> Result<(), Problem> {
        let reader = reader(principal);
        let read = self.lock().remove(&reader);
        let mut events: Vec<NewEvent> = read.iter().map(|calls| self.read_event(&reader, calls)).collect();
        events.push(NewEvent::new(format!("{call}.intent"), principal.actor.clone(), intent));
        let recorded = self.recorder.record(events, Urgency::Refuse).await;
        if recorded.is_err()
            && let Some(calls) = read
        {
            self.keep(reader, calls);
        }
        recorded.map(|_| ())
    }

    /// Records what became of an intent, with the facts it made.
    pub(crate) async fn outcome(
        &self,
        call: &str,
        principal: &Principal,
        outcome: &Outcome,
        mut facts: Vec<NewEvent>,
    ) -> Result<(), Problem> {
        facts.push(NewEvent::new(format!("{call}.outcome"), principal.actor.clone(), outcome));
        self.recorder.record(facts, Urgency::Keep).await.map(|_| ())
    }

    /// Records a call that was not let through.
    pub(crate) async fn denied(&self, call: &str, principal: &Principal, denied: &Denied) {
        let event = NewEvent::new(format!("{call}.denied"), principal.actor.clone(), denied);
        if let Err(problem) = self.recorder.record(vec![event], Urgency::Spare).await {
            tracing::warn!(code = problem.code.as_str(), call, "a denial could not be recorded");
        }
    }

    /// Notes a call that only looked.
    pub(crate) async fn read(&self, principal: &Principal, call: ReadCall) {
        let reader = reader(principal);
        let full = {
            let mut reads = self.lock();
            let calls = reads.entry(reader.clone()).or_default();
            calls.push(call);
            if calls.len() >= READS_AT { reads.remove(&reader) } else { None }
        };
        if let Some(calls) = full {
            self.write_reads(reader, calls).await;
        }
    }

    /// Writes all noted reads; called once a minute and at the end.
    pub(crate) async fn flush(&self) {
        let all = std::mem::take(&mut *self.lock());
        for (reader, calls) in all {
            self.write_reads(reader, calls).await;
        }
    }

    async fn write_reads(&self, reader: Reader, calls: Vec<ReadCall>) {
        for part in calls.chunks(READS_AT) {
            let event = self.read_event(&reader, part);
            if let Err(problem) = self.recorder.record(vec![event], Urgency::Refuse).await {
                tracing::debug!(code = problem.code.as_str(), "reads wait for the ledger");
                self.keep(reader.clone(), part.to_vec());
            }
        }
    }

    fn keep(&self, reader: Reader, mut calls: Vec<ReadCall>) {
        let mut reads = self.lock();
        let kept: usize = reads.values().map(Vec::len).sum();
        if kept + calls.len() > READS_KEPT {
            tracing::warn!(count = calls.len(), "reads were dropped: the ledger has been away for too long");
            return;
        }
        let newer = reads.entry(reader).or_default();
        calls.append(newer);
        *newer = calls;
    }

    fn read_event(&self, (actor, session): &Reader, calls: &[ReadCall]) -> NewEvent {
        let payload = SessionRead { v: 1, session: session.clone(), calls: calls.to_vec() };
        NewEvent::new(format!("{}.session.read", self.daemon.name()), actor.clone(), &payload)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Reader, Vec<ReadCall>>> {
        self.reads.lock().expect("nothing panics while it holds this lock")
    }
}

fn reader(principal: &Principal) -> Reader {
    (principal.actor.clone(), principal.session.clone())
}
