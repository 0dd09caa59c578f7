//! What somebody who can write the file can do, and where it is found.

use agentd::ledger::LedgerError;
use osmoda_types::api::agentd::ledger::LedgerVerifyOut;
use osmoda_types::health::Status;
use rusqlite::Connection;
use serde_json::json;

use crate::machine::{Machine, events, of};

/// A closed ledger of 2,000 events with checkpoints, and the note kept elsewhere.
async fn ledger(machine: &Machine) -> String {
    let engine = machine.open().await;
    engine.append(events(999)).await.unwrap();
    let kept = engine.checkpoint().await.unwrap().note;
    engine.append(events(1000)).await.unwrap();
    engine.close().await;
    kept
}

async fn verdict_after(change: impl FnOnce(&Connection), against: bool) -> (LedgerVerifyOut, Status) {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let kept = ledger(&machine).await;
    change(&machine.root());
    let engine = machine.open().await;
    let against = if against { vec![kept] } else { Vec::new() };
    let verdict = engine.verify(of(json!({"against": against}))).await.unwrap();
    (verdict, engine.check().status)
}

#[tokio::test]
async fn an_untouched_ledger_is_whole_and_covered_by_the_note_kept_elsewhere() {
    let (verdict, status) = verdict_after(|_| {}, true).await;
    assert_eq!((verdict.ok, verdict.exit_code, verdict.verified_to), (true, 0, 2000));
    assert_eq!((verdict.witnessed_to, verdict.checkpoints, status), (1000, 3, Status::Ok));
}

#[tokio::test]
async fn each_change_of_a_row_is_found_at_its_id() {
    for (change, id) in [
        ("UPDATE events SET payload = replace(payload, '7', '8') WHERE id = 709", 709),
        ("UPDATE events SET payload = CAST(payload AS BLOB) || x'ff' WHERE id = 709", 709),
        ("UPDATE events SET ts = '2026-11-24T08:30:00.001Z' WHERE id = 2", 2),
        ("UPDATE events SET hash = upper(hash) WHERE id = 1500", 1500),
        ("DELETE FROM events WHERE id = 800", 800),
        ("DELETE FROM events WHERE id = 1990", 1990),
        ("DELETE FROM events WHERE id = 1", 1),
        (
            "UPDATE events SET id = 0 WHERE id = 300; UPDATE events SET id = 300 WHERE id = 301; \
             UPDATE events SET id = 301 WHERE id = 0",
            300,
        ),
    ] {
        let (verdict, _) = verdict_after(|root| root.execute_batch(change).unwrap(), false).await;
        assert_eq!((verdict.ok, verdict.exit_code), (false, 1), "{change}: {}", verdict.finding);
        assert_eq!((verdict.broken_at, verdict.verified_to), (Some(id), id - 1), "{change}");
    }
}

#[tokio::test]
async fn a_truncated_tail_is_found_by_any_checkpoint_beyond_it() {
    let cut = |root: &Connection| root.execute_batch("DELETE FROM events WHERE id > 1900").unwrap();
    let (verdict, status) = verdict_after(cut, false).await;
    assert_eq!((verdict.exit_code, verdict.verified_to, status), (3, 1900, Status::Degraded));
    let cut = |root: &Connection| {
        root.execute_batch("DELETE FROM events WHERE id > 900; DELETE FROM checkpoints").unwrap();
    };
    assert_eq!(verdict_after(cut, true).await.0.exit_code, 3);
    assert!(verdict_after(cut, false).await.0.ok, "without a note kept elsewhere nothing shows it");
}

#[tokio::test]
async fn a_rewritten_chain_does_not_fit_a_checkpoint_and_is_not_signed_again() {
    let rewrite = |root: &Connection| {
        root.execute("UPDATE events SET payload = '{\"n\":0}' WHERE id = 500", []).unwrap();
        Machine::rechain(root, 500);
    };
    let (verdict, status) = verdict_after(rewrite, false).await;
    assert_eq!((verdict.exit_code, status), (2, Status::Degraded), "{}", verdict.finding);

    let rewrite = |root: &Connection| {
        rewrite(root);
        root.execute("DELETE FROM checkpoints", []).unwrap();
    };
    let (verdict, status) = verdict_after(rewrite, true).await;
    assert_eq!((verdict.exit_code, status), (2, Status::Degraded), "{}", verdict.finding);
}

#[tokio::test]
async fn recording_goes_on_after_a_truncation_and_nothing_of_it_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    ledger(&machine).await;
    machine.root().execute_batch("DELETE FROM events WHERE id > 500").unwrap();
    let engine = machine.open().await;
    assert_eq!(engine.append(events(1000)).await.unwrap()[0].id, 501);
    assert!(matches!(engine.checkpoint().await, Err(LedgerError::NoSigner)));
    assert!(!engine.verify(of(json!({}))).await.unwrap().ok);
}
