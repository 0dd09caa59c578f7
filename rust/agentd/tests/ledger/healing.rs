//! State that cannot be used: degraded with a code and a remedy, nothing lost, and well again by itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use agentd::ledger::{Engine, LedgerError};
use osmoda_types::api::agentd::ledger::EventsAppend;
use osmoda_types::health::Status;
use osmoda_types::{Endpoint, MachineId, Problem};
use rusqlite::Connection;
use serde_json::json;

use crate::ground::Ground;
use crate::machine::{Counting, MACHINE, Machine, assert_whole, event, events, of};

fn code(engine: &Engine) -> Option<&'static str> {
    let check = engine.check();
    assert_eq!(check.status == Status::Degraded, check.code.is_some());
    assert_eq!(check.code.is_some(), check.remedy.is_some());
    check.code.map(|code| code.as_str())
}

async fn refusal(engine: &Engine) -> &'static str {
    let code = Problem::from(engine.append(events(1)).await.expect_err("it is refused")).code;
    assert!(EventsAppend::CALL.errors.contains(&code), "{code:?} is not among those the call may answer");
    code.as_str()
}

/// Waits until the ledger says of itself that it is well; nobody calls it meanwhile.
async fn well(engine: &Engine) {
    let well = async {
        while code(engine).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), well).await.expect("it heals");
}

#[tokio::test]
async fn a_full_disk_refuses_with_its_code_and_heals_without_a_call() {
    let Some(ground) = Ground::mount(2 << 20) else { return };
    let machine = Machine::at(ground.path());
    let engine = machine.open().await;
    let large = "x".repeat(60_000);
    let mut recorded = 1;
    let error = loop {
        match engine.append(vec![event("agentd.large", "agent:main", json!({"large": large}))]).await {
            Ok(appended) => recorded = appended[0].id,
            Err(error) => break Problem::from(error),
        }
    };
    assert_eq!((error.code.as_str(), error.status, code(&engine)), ("state.full", 507, Some("state.full")));
    assert_eq!(engine.head().await.unwrap().size, recorded, "reading goes on");
    ground.remount("size=64m");
    well(&engine).await;
    // What came in between is not a reason to lose track of the clock.
    machine.clock.step(2 * 3_600_000);
    assert_eq!(engine.append(events(1)).await.unwrap()[0].id, recorded + 2);
    assert_whole(&engine).await;
}

#[tokio::test]
async fn a_read_only_disk_is_read_and_taken_into_use_when_it_can_be_written() {
    let Some(ground) = Ground::mount(8 << 20) else { return };
    let machine = Machine::at(ground.path());
    let engine = machine.open().await;
    engine.append(events(5)).await.unwrap();
    engine.close().await;
    ground.remount("ro");
    let engine = machine.open().await;
    assert_eq!(code(&engine), Some("state.unwritable"));
    assert_eq!(refusal(&engine).await, "state.unwritable");
    assert_eq!(engine.log(of(json!({}))).await.unwrap().events.len(), 6);
    ground.remount("rw");
    well(&engine).await;
    assert_eq!(engine.append(events(1)).await.unwrap()[0].id, 7);
    assert_eq!(engine.head().await.unwrap().size, 7, "readers of the read-only file do not stay");
    assert_eq!(engine.log(of(json!({}))).await.unwrap().events.len(), 7);
    assert_whole(&engine).await;
}

#[tokio::test]
async fn a_damaged_file_is_kept_and_a_restored_one_is_taken_into_use() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    machine.open().await.close().await;
    let good = fs::read(machine.file("ledger.db")).unwrap();
    fs::write(machine.file("ledger.db"), b"rubbish".repeat(2000)).unwrap();
    let engine = machine.open().await;
    assert_eq!(code(&engine), Some("state.corrupt"));
    assert_eq!(refusal(&engine).await, "state.corrupt");
    assert_eq!(Problem::from(engine.head().await.unwrap_err()).code.as_str(), "state.corrupt");
    assert_eq!(fs::read(machine.file("ledger.db")).unwrap(), b"rubbish".repeat(2000));
    fs::write(machine.file("ledger.db"), good).unwrap();
    well(&engine).await;
    engine.append(events(1)).await.unwrap();
    assert_whole(&engine).await;
}

#[tokio::test]
async fn a_ledger_whose_events_are_gone_is_not_begun_again() {
    type Vanish = fn(&Machine);
    let ways: [(&str, Vanish); 3] = [
        ("emptied", |machine| fs::write(machine.file("ledger.db"), b"").unwrap()),
        ("removed", |machine| fs::remove_file(machine.file("ledger.db")).unwrap()),
        ("without rows", |machine| machine.root().execute_batch("DELETE FROM events").unwrap()),
    ];
    for (way, vanish) in ways {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::at(folder.path());
        let engine = machine.open().await;
        engine.append(events(5)).await.unwrap();
        engine.close().await;
        let kept =
            ["signer.key", "checkpoints.jsonl"].map(|name| (name, fs::read(machine.file(name)).unwrap()));
        let good = fs::read(machine.file("ledger.db")).unwrap();
        vanish(&machine);

        let engine = machine.open().await;
        assert_eq!(code(&engine), Some("state.corrupt"), "{way}");
        assert_eq!(refusal(&engine).await, "state.corrupt", "{way}");
        assert!(engine.checkpoint().await.is_err(), "{way}");
        if way == "emptied" {
            assert_eq!(Problem::from(engine.head().await.unwrap_err()).code.as_str(), "state.corrupt");
        }
        for (name, content) in &kept {
            assert_eq!(&fs::read(machine.file(name)).unwrap(), content, "{way}: {name}");
        }
        fs::write(machine.file("ledger.db"), good).unwrap();
        well(&engine).await;
        assert_eq!(engine.append(events(1)).await.unwrap()[0].id, 7, "{way}");
        assert_whole(&engine).await;
    }
}

#[tokio::test]
async fn a_newer_ledger_is_read_but_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    machine.open().await.close().await;
    let newer = "UPDATE meta SET value = 99 WHERE key = 'min_reader'; PRAGMA user_version = 99";
    Connection::open(machine.file("ledger.db")).unwrap().execute_batch(newer).unwrap();
    let engine = machine.open().await;
    assert_eq!(code(&engine), Some("state.newer_schema"));
    assert_eq!(refusal(&engine).await, "state.newer_schema");
    assert_eq!(engine.head().await.unwrap().size, 1);
}

#[tokio::test]
async fn a_lost_key_stops_signing_and_not_recording() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    machine.open().await.close().await;
    fs::rename(machine.file("signer.key"), machine.file("elsewhere")).unwrap();
    let engine = machine.open().await;
    assert_eq!(code(&engine), Some("state.corrupt"));
    engine.append(events(1)).await.unwrap();
    assert!(matches!(engine.checkpoint().await, Err(LedgerError::NoSigner)));
    assert!(!machine.file("signer.key").exists(), "a new key would hide that the old one is gone");
    engine.close().await;

    fs::rename(machine.file("elsewhere"), machine.file("signer.key")).unwrap();
    let engine = machine.open().await;
    assert_eq!(code(&engine), None);
    assert_eq!(engine.checkpoint().await.unwrap().size, 2);
}

#[tokio::test]
async fn a_key_that_was_open_to_others_is_closed_to_them_and_signs() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    machine.open().await.close().await;
    let key = machine.file("signer.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o666)).unwrap();
    let engine = machine.open().await;
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((code(&engine), engine.checkpoint().await.unwrap().size), (None, 1));
}

#[tokio::test]
async fn without_a_machine_id_no_ledger_begins() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let file = machine.folder.join("machine-id");
    let id = {
        let file = file.clone();
        move || fs::read_to_string(&file).ok()?.parse::<MachineId>().ok()
    };
    let engine =
        Engine::open(&machine.folder, id, machine.clock.clone(), std::sync::Arc::new(Counting::default()))
            .await;
    assert_eq!(code(&engine), Some("state.unwritable"));
    assert!(engine.append(events(1)).await.is_err());
    fs::write(file, MACHINE).unwrap();
    well(&engine).await;
    assert_eq!(engine.append(events(1)).await.unwrap()[0].id, 2);
}
