//! What somebody who can write the file can do, and where it is found.

use agentd::ledger::LedgerError;
use osmoda_tlog::verdict::Failure;
use osmoda_tlog::verify::{Trust, Verifier};
use osmoda_types::api::agentd::ledger::LedgerVerifyOut;
use osmoda_types::health::Status;
use osmoda_types::{Code, Problem};
use rusqlite::Connection;
use serde_json::json;

use crate::machine::{Machine, events, export, of};

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
        let (verdict, status) = verdict_after(|root| root.execute_batch(change).unwrap(), false).await;
        assert_eq!((verdict.ok, verdict.exit_code), (false, 1), "{change}: {}", verdict.finding);
        assert_eq!((verdict.broken_at, verdict.verified_to), (Some(id), id - 1), "{change}");
        assert_eq!(status, Status::Degraded, "{change}");
    }
}

#[tokio::test]
async fn damage_that_was_found_shows_until_a_verification_finds_none() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    engine.append(events(9)).await.unwrap();
    let verify = async |input| engine.verify(of(input)).await.unwrap().exit_code;
    assert_eq!(verify(json!({"against": ["no note"]})).await, 2);
    assert_eq!(engine.check().status, Status::Ok, "a wrong note is no damage of the ledger");

    let root = machine.root();
    let change = |from, to| {
        let sql = "UPDATE events SET payload = replace(payload, ?1, ?2) WHERE id = 5";
        root.execute(sql, [from, to]).unwrap();
    };
    change("3", "8");
    assert_eq!((engine.check().status, verify(json!({})).await), (Status::Ok, 1));
    engine.append(events(1)).await.unwrap();
    let check = engine.check();
    assert_eq!((check.status, check.code), (Status::Degraded, Some(Code::StateCorrupt)));
    assert!(check.remedy.is_some());
    change("8", "3");
    assert_eq!((engine.check().status, verify(json!({})).await), (Status::Degraded, 0));
    assert_eq!(engine.check().status, Status::Ok);
}

/// What the verifier finds in an export of the changed ledger.
async fn exported_after(change: &str, since: Option<&str>) -> Result<Failure, Problem> {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    ledger(&machine).await;
    machine.root().execute_batch(change).unwrap();
    let (header, chunk) = export(&machine.open().await, since).await?;
    let mut verifier = Verifier::for_export(&header, Trust::default()).unwrap();
    Ok(verifier.merge(chunk).and_then(|()| verifier.finish().map(drop)).unwrap_err())
}

#[tokio::test]
async fn an_export_of_damaged_rows_is_complete_and_says_where() {
    for column in ["ts", "type", "actor", "payload", "prev_hash", "hash"] {
        let change = format!("UPDATE events SET {column} = x'00ff' WHERE id = 709");
        let failure = exported_after(&change, None).await.unwrap();
        assert!(matches!(failure, Failure::Broken { id: 709, .. }), "{column}: {failure}");
    }
}

#[tokio::test]
async fn an_export_keeps_the_checkpoints_that_outlived_their_events() {
    for since in [None, Some("2027-01-01T00:00:00Z")] {
        let failure = exported_after("DELETE FROM events WHERE id > 1900", since).await.unwrap();
        assert!(
            matches!(failure, Failure::Truncated { verified: 1900, known: 2000 }),
            "{since:?}: {failure}"
        );
    }
}

#[tokio::test]
async fn an_export_that_cannot_name_its_ledger_says_that_it_is_damaged() {
    for change in ["DELETE FROM events WHERE id = 1", "DELETE FROM events"] {
        let problem = exported_after(change, None).await.expect_err("event 1 names the ledger");
        assert_eq!(problem.code, Code::StateCorrupt, "{change}");
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
