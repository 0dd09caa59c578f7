//! Events of other daemons: exactly once, in order, as one chain.

use agentd::ledger::{Engine, LedgerError};
use osmoda_tlog::chain::{GENESIS, link_hash};
use osmoda_tlog::to_hex;
use osmoda_types::api::agentd::ledger::EventsAppendOut;
use osmoda_types::{Daemon, Problem};
use serde_json::{Value, json};

use crate::machine::{Machine, all, assert_whole, event, events, of, principal};

const EPOCH: &str = "01kaq3v8e2m6zr0t5h9xw4c7yd";
const NEXT_EPOCH: &str = "01kaq3v8e2m6zr0t5h9xw4c7ye";

/// A daemon's outbox: numbered, chained events.
struct Outbox {
    daemon: Daemon,
    epoch: &'static str,
    events: Vec<Value>,
    heads: Vec<String>,
}

impl Outbox {
    fn new(daemon: Daemon, epoch: &'static str) -> Self {
        Self { daemon, epoch, events: Vec::new(), heads: vec![GENESIS.to_owned()] }
    }

    fn push(&mut self, noun: &str, payload: Value) {
        let kind = format!("{}.{noun}", self.daemon.name());
        let text = osmoda_types::json::canonical(&payload);
        let seq = self.events.len() as u64 + 1;
        let head = link_hash(seq, &kind, "agent:main", &text, self.heads.last().unwrap());
        self.heads.push(to_hex(&head));
        self.events.push(serde_json::to_value(event(&kind, "agent:main", payload)).unwrap());
    }

    fn with(mut self, count: usize) -> Self {
        for n in 0..count {
            self.push("test.counted", json!({"n": n}));
        }
        self
    }

    /// The events `first..=last` as they are posted.
    fn post(&self, first: usize, last: usize) -> Value {
        json!({"source": self.daemon.name(), "epoch": self.epoch, "first_seq": first,
            "head": self.heads[last], "events": self.events[first - 1..last]})
    }

    async fn send(&self, engine: &Engine, first: usize, last: usize) -> Result<EventsAppendOut, LedgerError> {
        engine.absorb(&principal(self.daemon), of(self.post(first, last))).await
    }
}

async fn size(engine: &Engine) -> u64 {
    engine.head().await.unwrap().size
}

#[tokio::test]
async fn a_repeated_post_is_answered_from_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    let outbox = Outbox::new(Daemon::Watch, EPOCH).with(5);
    let first = outbox.send(&engine, 1, 5).await.unwrap();
    assert_eq!(first.last_seq, 5);
    assert_eq!(first.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let before = size(&engine).await;
    assert_eq!(outbox.send(&engine, 1, 5).await.unwrap(), first);
    assert_eq!(outbox.send(&engine, 2, 3).await.unwrap().events, first.events[1..3]);
    engine.close().await;
    let engine = machine.open().await;
    assert_eq!(outbox.send(&engine, 1, 5).await.unwrap(), first);
    assert_eq!(size(&engine).await, before);
}

#[tokio::test]
async fn a_post_that_repeats_and_goes_on_writes_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let outbox = Outbox::new(Daemon::Watch, EPOCH).with(9);
    let first = outbox.send(&engine, 1, 3).await.unwrap();
    engine.append(events(2)).await.unwrap();
    let before = size(&engine).await;
    let more = outbox.send(&engine, 2, 9).await.unwrap();
    assert_eq!(more.events[..2], first.events[1..]);
    assert_eq!(size(&engine).await, before + 6);
    assert_eq!(outbox.send(&engine, 1, 9).await.unwrap().events[1..], more.events);
    assert_whole(&engine).await;
}

#[tokio::test]
async fn sources_between_each_other_keep_their_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    let watch = Outbox::new(Daemon::Watch, EPOCH).with(40);
    let mesh = Outbox::new(Daemon::Mesh, EPOCH).with(10);
    let mut answers = Vec::new();
    for n in (1..=40).step_by(2) {
        answers.extend(watch.send(&engine, n, n + 1).await.unwrap().events);
        if n % 4 == 1 {
            mesh.send(&engine, n / 4 + 1, n / 4 + 1).await.unwrap();
        }
    }
    engine.close().await;
    let engine = machine.open().await;
    assert_eq!(watch.send(&engine, 1, 40).await.unwrap().events, answers);
    for answer in &answers {
        let stored = &all(&engine).await[usize::try_from(answer.id).unwrap() - 1];
        assert_eq!((stored.id, &stored.hash), (answer.id, &answer.hash));
        assert_eq!(stored.payload["n"], answer.seq - 1);
    }
}

#[tokio::test]
async fn a_jump_is_refused_and_names_what_must_come() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let outbox = Outbox::new(Daemon::Watch, EPOCH).with(9);
    assert!(matches!(outbox.send(&engine, 2, 3).await, Err(LedgerError::Gap { expected: 1 })));
    outbox.send(&engine, 1, 3).await.unwrap();
    let gap = outbox.send(&engine, 5, 9).await.unwrap_err();
    let problem = Problem::from(gap);
    assert_eq!((problem.status, problem.code.as_str(), problem.expected), (409, "ledger.gap", Some(4)));
    outbox.send(&engine, 4, 9).await.unwrap();
}

#[tokio::test]
async fn a_changed_past_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let outbox = Outbox::new(Daemon::Watch, EPOCH).with(6);
    outbox.send(&engine, 1, 3).await.unwrap();
    let before = size(&engine).await;

    let mut changed = Outbox::new(Daemon::Watch, EPOCH).with(2);
    changed.push("test.counted", json!({"n": "other"}));
    let changed = changed.with(3);
    assert!(matches!(changed.send(&engine, 4, 6).await, Err(LedgerError::Fork)), "another chain");
    assert!(matches!(changed.send(&engine, 3, 3).await, Err(LedgerError::Fork)), "a repeat that differs");
    let mut wrong = outbox.post(4, 6);
    wrong["head"] = json!(outbox.heads[5]);
    let refused = engine.absorb(&principal(Daemon::Watch), of(wrong)).await;
    assert!(matches!(refused, Err(LedgerError::Fork)), "a head that is not of these events");
    assert_eq!(size(&engine).await, before);
    outbox.send(&engine, 4, 6).await.unwrap();
}

#[tokio::test]
async fn a_new_outbox_is_announced_and_ends_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let old = Outbox::new(Daemon::Watch, EPOCH).with(4);
    let new = Outbox::new(Daemon::Watch, NEXT_EPOCH).with(2);
    let first = old.send(&engine, 1, 3).await.unwrap();
    new.send(&engine, 1, 2).await.unwrap();
    let page = engine.log(of(json!({"type": "agentd.source.started", "limit": 1}))).await.unwrap();
    let expected =
        json!({"v": 1, "source": "watch", "epoch": NEXT_EPOCH, "previous": {"epoch": EPOCH, "last_seq": 3}});
    assert_eq!(page.events[0].payload, expected);
    assert_eq!(
        old.send(&engine, 1, 3).await.unwrap().events,
        first.events,
        "a late repeat is still answered"
    );
    assert!(matches!(old.send(&engine, 4, 4).await, Err(LedgerError::Fork)));
}

#[tokio::test]
async fn only_the_daemon_itself_appends_and_only_its_own_types() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let outbox = Outbox::new(Daemon::Watch, EPOCH).with(1);
    let refused = engine.absorb(&principal(Daemon::Mesh), of(outbox.post(1, 1))).await;
    assert!(matches!(refused, Err(LedgerError::NotTheSource)));
    let mut foreign = outbox.post(1, 1);
    foreign["events"][0]["type"] = json!("agentd.approval.decided");
    let refused = engine.absorb(&principal(Daemon::Watch), of(foreign)).await;
    assert!(matches!(refused, Err(LedgerError::ForeignType { at: 0 })));
}

#[tokio::test]
async fn a_source_learns_where_it_stands_and_which_calls_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    let nothing = engine.source(of(json!({"source": "watch"}))).await.unwrap();
    assert_eq!((nothing.epoch, nothing.last_seq, nothing.head.as_str()), (None, 0, GENESIS));

    let request = |n: u32| json!({"v": 1, "request_id": format!("req_01kaq3v8e2m6zr0t5h9xw4c7y{n}")});
    let mut outbox = Outbox::new(Daemon::Watch, EPOCH);
    outbox.push("switch.begin.intent", request(1));
    outbox.push("switch.begin.intent", request(2));
    outbox.push("switch.begin.outcome", request(1));
    outbox.send(&engine, 1, 3).await.unwrap();
    engine.close().await;

    let engine = machine.open().await;
    let known = engine.source(of(json!({"source": "watch"}))).await.unwrap();
    assert_eq!((known.epoch.as_deref(), known.last_seq, &known.head), (Some(EPOCH), 3, &outbox.heads[3]));
    assert_eq!(known.open_intents.len(), 1, "agentd resolves only its own");
    assert_eq!(known.open_intents[0].call, "watch.switch.begin");
    assert_eq!(known.open_intents[0].event_id, 4);
}
