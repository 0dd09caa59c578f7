//! agentd's own events: ids, times, chain, keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use agentd::ledger::LedgerError;
use osmoda_tlog::chain::{GENESIS, row_hash};
use osmoda_tlog::to_hex;
use osmoda_types::health::Status;
use serde_json::json;
use tokio::task::JoinSet;

use crate::machine::{MACHINE, Machine, START, all, assert_whole, event, events, of};

#[tokio::test]
async fn event_1_names_the_machine_and_the_first_signer() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    assert_eq!(engine.check().status, Status::Ok);
    let first = &all(&engine).await[0];
    let signer = engine.checkpoint().await.unwrap().signer;
    assert_eq!(
        (first.id, first.kind.as_str(), first.actor.as_str()),
        (1, "agentd.ledger.created", "daemon:agentd")
    );
    let origin = format!("osmoda/{MACHINE}/ledger");
    assert_eq!(first.payload, json!({"v": 1, "machine_id": MACHINE, "origin": origin, "signer": signer}));
    assert_eq!(first.prev_hash, GENESIS);
    let mode = |name: &str| fs::metadata(machine.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ledger.db"), mode("signer.key"), mode("")), (0o600, 0o600, 0o700));
}

#[tokio::test]
async fn an_answer_carries_the_ids_and_hashes_that_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let appended = engine.append(events(3)).await.unwrap();
    let stored = all(&engine).await;
    for (appended, stored) in appended.iter().zip(&stored[1..]) {
        assert_eq!((appended.seq, appended.id, &appended.hash), (stored.id, stored.id, &stored.hash));
        let payload = osmoda_types::json::canonical(&stored.payload);
        let ts = stored.ts.to_string();
        let hash = row_hash(stored.id, &ts, &stored.kind, &stored.actor, &payload, &stored.prev_hash);
        assert_eq!(stored.hash, to_hex(&hash));
    }
    assert_eq!(appended.iter().map(|event| event.id).collect::<Vec<_>>(), [2, 3, 4]);
}

#[tokio::test]
async fn a_refused_event_takes_its_whole_batch_with_it_and_leaves_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let mut batch = events(2);
    batch.push(event("keyd.wallet.sent", "agent:main", json!({})));
    assert!(matches!(engine.append(batch).await, Err(LedgerError::ForeignType { at: 2 })));
    assert_eq!(engine.append(events(1)).await.unwrap()[0].id, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(Machine::at(folder.path()).open().await);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            for count in 1..=10 {
                let appended = engine.append(events(count)).await.unwrap();
                assert!(appended.windows(2).all(|pair| pair[1].id == pair[0].id + 1));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(engine.head().await.unwrap().size, 1 + 64 * 55);
    assert_whole(&engine).await;
}

#[tokio::test]
async fn a_ledger_goes_on_where_it_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    engine.append(events(600)).await.unwrap();
    let before = engine.head().await.unwrap();
    engine.close().await;
    assert!(engine.append(events(1)).await.is_err());
    let engine = machine.open().await;
    assert_eq!(engine.head().await.unwrap().root, before.root);
    assert_eq!(engine.append(events(1)).await.unwrap()[0].id, before.size + 1);
    assert_whole(&engine).await;
}

#[tokio::test]
async fn times_never_fall_and_a_jumping_clock_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    let hour = 3_600_000;
    for step in [5, -500, -10 * hour, 1, 30 * hour, 1] {
        machine.clock.step(step);
        engine.append(events(1)).await.unwrap();
    }
    let stored = all(&engine).await;
    assert!(stored.is_sorted_by_key(|event| event.ts), "{stored:#?}");
    assert_eq!(stored[1].ts.to_string(), "2026-11-24T08:30:00.005Z");
    let jumps: Vec<_> = stored.iter().filter(|event| event.kind == "agentd.clock.jumped").collect();
    assert_eq!(jumps.len(), 2);
    assert_eq!(jumps[0].payload["from"], "2026-11-24T08:30:00.005Z");
    assert_eq!(jumps[0].payload["to"], "2026-11-23T22:29:59.505Z");
    assert_eq!(jumps[1].payload["to"], "2026-11-25T04:29:59.506Z");
    assert_whole(&engine).await;
}

#[tokio::test]
async fn a_clock_that_lies_behind_the_ledger_at_start_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    machine.open().await.close().await;
    machine.clock.step(-86_400_000);
    let engine = machine.open().await;
    engine.append(events(1)).await.unwrap();
    let stored = all(&engine).await;
    assert_eq!(stored[1].kind, "agentd.clock.jumped");
    assert_eq!(stored[2].ts.to_string(), START);
}

#[tokio::test]
async fn calls_of_a_process_that_died_end_as_unknown_with_one_alert() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    let request = |n: u32| format!("req_01kaq3v8e2m6zr0t5h9xw4c7y{n}");
    for n in 0..3 {
        let payload = json!({"v": 1, "request_id": request(n)});
        engine.append(vec![event("agentd.service.restart.intent", "agent:main", payload)]).await.unwrap();
    }
    let outcome = json!({"v": 1, "request_id": request(1), "result": "ok"});
    engine.append(vec![event("agentd.service.restart.outcome", "agent:main", outcome)]).await.unwrap();
    engine.close().await;

    let engine = machine.open().await;
    let page = engine.log(of(json!({"after_id": 5}))).await.unwrap();
    let written: Vec<_> = page.events.iter().map(|event| event.kind.as_str()).collect();
    let outcome = "agentd.service.restart.outcome";
    assert_eq!(written, [outcome, outcome, "agentd.alert.raised"]);
    assert_eq!(page.events[0].payload["request_id"], request(0));
    assert_eq!(page.events[1].payload["request_id"], request(2));
    assert_eq!(page.events[0].payload["result"], "unknown");
    assert_eq!(page.events[2].payload["links"], json!(["2", "4"]));
    engine.close().await;

    let engine = machine.open().await;
    assert_eq!(engine.head().await.unwrap().size, 8, "nothing is open any more");
}
