//! Proofs and checkpoints, judged by the library that knows nothing of the database.

use std::fs;

use data_encoding::BASE64;
use osmoda_tlog::Hash;
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::merkle::leaf_hash;
use osmoda_tlog::note::{Note, VerifierKey};
use osmoda_tlog::proof::{verify_consistency, verify_inclusion};
use osmoda_types::Problem;
use osmoda_types::health::Status;
use serde_json::json;

use crate::machine::{Machine, assert_whole, events, of};

fn hash(text: &str) -> Hash {
    BASE64.decode(text.as_bytes()).unwrap().try_into().unwrap()
}

fn hashes(texts: &[String]) -> Vec<Hash> {
    texts.iter().map(|text| hash(text)).collect()
}

fn checkpoint(note: &str) -> Checkpoint {
    note.parse::<Note>().unwrap().text().parse().unwrap()
}

#[tokio::test]
async fn events_and_sizes_of_a_hundred_thousand_are_proved() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    for _ in 0..100 {
        engine.append(events(1000)).await.unwrap();
    }
    let signed = engine.checkpoint().await.unwrap();
    assert_eq!(signed.size, 100_001);
    engine.append(events(5)).await.unwrap();
    for id in [1, 2, 255, 256, 257, 65_536, 65_537, 99_999, 100_000, 100_001] {
        for size in [None, Some(id), Some(100_006)] {
            let proof = engine.proof(of(json!({"id": id, "size": size}))).await.unwrap();
            assert_eq!(proof.size, size.unwrap_or(100_001));
            let leaf = leaf_hash(proof.event.hash.as_bytes());
            let (root, path) = (hash(&proof.root), hashes(&proof.path));
            assert!(verify_inclusion(id - 1, proof.size, &leaf, &root, &path), "{id} in {size:?}");
            if size.is_none() {
                assert_eq!(proof.checkpoint.as_ref(), Some(&signed.note));
                assert_eq!(checkpoint(&signed.note).root, root);
            }
        }
    }
    for (from, to) in
        [(1, 100_006), (256, 257), (65_536, 100_001), (77_777, 99_999), (100_001, 100_006), (5, 5)]
    {
        let proof = engine.consistency(of(json!({"from": from, "to": to}))).await.unwrap();
        let (old, new) = (hash(&proof.from_root), hash(&proof.to_root));
        assert!(verify_consistency(from, &old, to, &new, &hashes(&proof.proof)), "{from} to {to}");
    }
    assert_whole(&engine).await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_proved() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    engine.append(events(5)).await.unwrap();
    for input in
        [json!({"id": 0}), json!({"id": 7}), json!({"id": 5, "size": 4}), json!({"id": 1, "size": 7})]
    {
        let problem = Problem::from(engine.proof(of(input.clone())).await.unwrap_err());
        assert_eq!(problem.code.as_str(), "ledger.not_found", "{input}");
    }
    let beyond = engine.consistency(of(json!({"from": 1, "to": 7}))).await.unwrap_err();
    assert_eq!(Problem::from(beyond).status, 404);
    let backwards = engine.consistency(of(json!({"from": 3, "to": 2}))).await.unwrap_err();
    assert_eq!(Problem::from(backwards).status, 422);
}

#[tokio::test]
async fn a_checkpoint_covers_everything_is_signed_and_is_copied_out() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    engine.append(events(5)).await.unwrap();
    let signed = engine.checkpoint().await.unwrap();
    let note: Note = signed.note.parse().unwrap();
    signed.signer.parse::<VerifierKey>().unwrap().verify(&note).unwrap();
    let head = engine.head().await.unwrap();
    assert_eq!((signed.size, &signed.root), (head.size, &head.root));
    assert_eq!(engine.checkpoint().await.unwrap().note, signed.note, "nothing new, nothing signed");
    let file = fs::read_to_string(machine.file("checkpoints.jsonl")).unwrap();
    assert_eq!(file, format!("{}\n", json!({"checkpoint": signed.note})));
}

#[tokio::test]
async fn checkpoints_come_by_themselves_after_many_events_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    engine.append(events(1100)).await.unwrap();
    let signed = async {
        loop {
            let proof = engine.proof(of(json!({"id": 1}))).await.unwrap();
            match proof.checkpoint {
                Some(note) => return checkpoint(&note).size,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let size = tokio::time::timeout(std::time::Duration::from_secs(20), signed).await.expect("it comes");
    assert_eq!(size, 1101);
    engine.append(events(3)).await.unwrap();
    engine.close().await;
    let file = fs::read_to_string(machine.file("checkpoints.jsonl")).unwrap();
    assert_eq!(file.lines().count(), 2);

    // A crash may cut the file's last line off: the next start completes it.
    fs::write(machine.file("checkpoints.jsonl"), &file[..file.len() - 20]).unwrap();
    machine.open().await.close().await;
    let repaired = fs::read_to_string(machine.file("checkpoints.jsonl")).unwrap();
    assert!(repaired.ends_with(file.lines().next_back().map(|line| format!("{line}\n")).unwrap().as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_lone_event_is_signed_within_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    engine.append(events(1)).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    let signed = async {
        while engine.proof(of(json!({"id": 2}))).await.unwrap().checkpoint.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(50), signed).await.expect("no second minute passes");
}

#[tokio::test]
async fn a_lost_or_wrong_cache_of_the_tree_is_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = machine.open().await;
    engine.append(events(3000)).await.unwrap();
    let before = engine.head().await.unwrap().root;
    engine.close().await;
    for damage in ["DELETE FROM tiles WHERE idx = 4", "UPDATE tiles SET hash = zeroblob(32) WHERE idx = 2"] {
        rusqlite::Connection::open(machine.file("ledger.db")).unwrap().execute(damage, []).unwrap();
        let engine = machine.open().await;
        assert_eq!(engine.head().await.unwrap().root, before, "{damage}");
        assert_eq!(engine.check().status, Status::Ok);
        engine.close().await;
    }
}
