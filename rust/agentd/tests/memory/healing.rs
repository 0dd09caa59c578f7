//! State that cannot be used: degraded with a code and a remedy, nothing lost, and well again by itself.

use std::fs;

use agentd::memory::Memory;
use osmoda_types::Endpoint;
use osmoda_types::Problem;
use osmoda_types::api::agentd::memory::{IndexState, MemoryStore};
use osmoda_types::health::Status;
use rusqlite::Connection;
use serde_json::json;

use crate::ground::Ground;
use crate::machine::{Machine, agent, found, of, recall, store, until};

fn code(memory: &Memory) -> Option<&'static str> {
    let check = memory.check();
    assert_eq!(check.status == Status::Degraded, check.code.is_some());
    assert_eq!(check.code.is_some(), check.remedy.is_some());
    check.code.map(|code| code.as_str())
}

async fn refusal(memory: &Memory) -> &'static str {
    let refused = memory.store(&agent("s"), of(json!({"summary": "refused"}))).await;
    let code = Problem::from(refused.expect_err("it is refused")).code;
    assert!(MemoryStore::CALL.errors.contains(&code), "{code:?} is not among those the call may answer");
    code.as_str()
}

async fn well(memory: &Memory) {
    until("it heals", async || {
        let health = memory.health().await;
        code(memory).is_none() && health.index.state == IndexState::Ready && health.status == Status::Ok
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_with_its_code_keeps_nothing_half_and_heals() {
    let Some(ground) = Ground::mount(3 << 20) else { return };
    let machine = Machine::at(ground.path());
    let memory = machine.open().await;
    let detail = "many different words ".repeat(2500);
    let mut stored = 0;
    let error = loop {
        let input = of(json!({"summary": format!("large {stored}"), "detail": detail}));
        match memory.store(&agent("s"), input).await {
            Ok(_) => stored += 1,
            Err(error) => break Problem::from(error),
        }
    };
    assert_eq!((error.code.as_str(), error.status), ("state.full", 507));
    assert_eq!(code(&memory), Some("state.full"));
    assert_eq!(machine.files().len(), stored, "a refused memory leaves no file");
    assert_eq!(memory.health().await.collection_size, stored as u64, "reading goes on");
    ground.remount("size=64m");
    well(&memory).await;
    store(&memory, json!({"summary": "it fits again"})).await;
    assert_eq!(memory.health().await.collection_size, stored as u64 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_is_read_and_taken_into_use_when_it_can_be_written() {
    let Some(ground) = Ground::mount(16 << 20) else { return };
    let machine = Machine::at(ground.path());
    let memory = machine.open().await;
    store(&memory, json!({"summary": "written before"})).await;
    memory.close().await;
    ground.remount("ro");
    let memory = machine.open().await;
    assert_eq!(code(&memory), Some("state.unwritable"));
    assert_eq!(refusal(&memory).await, "state.unwritable");
    assert_eq!(found(&memory, "before").await, ["written before"]);
    ground.remount("rw");
    well(&memory).await;
    store(&memory, json!({"summary": "written after"})).await;
    assert_eq!(found(&memory, "written").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_kept_beside_and_built_again() {
    type Damage = fn(&Machine);
    let ways: [(&str, Damage); 4] = [
        ("rubbish", |machine| fs::write(machine.index(), b"rubbish".repeat(2000)).unwrap()),
        ("another database", |machine| {
            fs::remove_file(machine.index()).unwrap();
            let other = "CREATE TABLE meta (key, value); PRAGMA user_version = 1";
            Connection::open(machine.index()).unwrap().execute_batch(other).unwrap();
        }),
        ("emptied", |machine| fs::write(machine.index(), b"").unwrap()),
        ("a hole in its middle", |machine| {
            let mut bytes = fs::read(machine.index()).unwrap();
            let middle = bytes.len() / 8;
            bytes[middle..].fill(0x5a);
            fs::write(machine.index(), bytes).unwrap();
        }),
    ];
    for (way, damage) in ways {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::at(folder.path());
        let memory = machine.open().await;
        for n in 0..100 {
            store(&memory, json!({"summary": format!("fact {n} stays"), "detail": "x ".repeat(500)})).await;
        }
        memory.close().await;
        damage(&machine);
        let memory = machine.open().await;
        let _ = memory.recall(of(json!({"query": "stays"}))).await;
        well(&memory).await;
        until(way, async || found(&memory, "stays").await.len() == 10).await;
        assert_eq!(memory.health().await.collection_size, 100, "{way}");
        store(&memory, json!({"summary": "one more"})).await;
        let aside = machine.folder.join("agentd/memory.db.damaged");
        assert_eq!(aside.exists(), way != "emptied", "{way}: the damaged file is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_taken_away_while_it_runs_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    store(&memory, json!({"summary": "still here"})).await;
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", machine.index().display()));
    }
    until("there is an index again", async || machine.index().exists()).await;
    well(&memory).await;
    assert_eq!(found(&memory, "here").await, ["still here"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_index_is_read_but_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    store(&memory, json!({"summary": "of the future"})).await;
    memory.close().await;
    let newer = "UPDATE meta SET value = 99 WHERE key = 'min_reader'; PRAGMA user_version = 99";
    Connection::open(machine.index()).unwrap().execute_batch(newer).unwrap();
    let memory = machine.open().await;
    assert_eq!((code(&memory), refusal(&memory).await), (Some("state.newer_schema"), "state.newer_schema"));
    assert_eq!(recall(&memory, "future").await.memories.len(), 1);
    assert_eq!(machine.files().len(), 1);
    let older = "UPDATE meta SET value = 1 WHERE key = 'min_reader'; PRAGMA user_version = 1";
    Connection::open(machine.index()).unwrap().execute_batch(older).unwrap();
    well(&memory).await;
    store(&memory, json!({"summary": "of now"})).await;
}
