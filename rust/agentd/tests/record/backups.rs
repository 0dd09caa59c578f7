//! Backups beside a living ledger. The processes that are killed and the forgeries are in tests/crash/backup.

use std::process::Command;
use std::sync::Arc;

use agentd::backup::{BackupConfig, BackupError};
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Actor, Daemon};
use serde_json::{Map, json};

use crate::ground::{Ground, MACHINE, opened};

fn age_is_here() -> bool {
    let here = Command::new("age").arg("--version").output().is_ok();
    if !here {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: age is not installed");
        }
    }
    here
}

fn event(n: u32) -> NewEvent {
    let payload = Map::from_iter([("n".to_owned(), json!(n))]);
    NewEvent { kind: "agentd.test.counted".into(), actor: Actor::Daemon(Daemon::Agentd), payload }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_many_write_is_whole() {
    if !age_is_here() {
        return;
    }
    let ground = Ground::new();
    let (ledger, incidents) = (Arc::new(ground.ledger().await), ground.incidents());
    opened(&incidents, "x").await;
    let writing = {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            for n in 0.. {
                ledger.append(vec![event(n)]).await.unwrap();
            }
        })
    };
    let backups = ground.backups(BackupConfig::default());
    let here = MACHINE.parse().ok();
    for _ in 0..3 {
        let (backup, fact) = backups.create(here).await.unwrap();
        ledger
            .append(vec![NewEvent::new("agentd.backup.created", Actor::Daemon(Daemon::Agentd), &fact)])
            .await
            .unwrap();
        let verdict = backups.verify(&ledger, here, backup.id).await.unwrap();
        assert!(verdict.ok && verdict.recorded, "{}", verdict.finding);
        assert_eq!(verdict.ledger_size, fact.ledger_size);
        assert!(verdict.databases.contains(&"agentd/incidents.db".to_owned()));
    }
    writing.abort();
    let other = "mach_01kaq3v8e2m6zr0t5h9xw4c7ye".parse().ok();
    let list = backups.list(serde_json::from_value(json!({})).unwrap()).await.unwrap().backups;
    assert_eq!(list.len(), 3);
    let verdict = backups.verify(&ledger, other, list[0].id).await.unwrap();
    assert!(!verdict.ok && verdict.finding.contains(MACHINE), "{}", verdict.finding);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_backup_is_made_at_a_time_and_a_caller_that_leaves_ends_it() {
    if !age_is_here() {
        return;
    }
    let ground = Ground::new();
    let _ledger = ground.ledger().await;
    let large = ground.root().join("memory");
    std::fs::create_dir_all(&large).unwrap();
    std::fs::write(large.join("large.md"), vec![b'x'; 64 << 20]).unwrap();
    let backups = Arc::new(ground.backups(BackupConfig::default()));
    let here = MACHINE.parse().ok();
    let first = {
        let backups = Arc::clone(&backups);
        tokio::spawn(async move { backups.create(here).await })
    };
    let folder = ground.path().join("backups");
    while !std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        tokio::task::yield_now().await;
    }
    assert!(matches!(backups.create(here).await, Err(BackupError::Busy { .. })));
    first.abort();
    // The work ends by itself, and its place is free again.
    let again = loop {
        match backups.create(here).await {
            Err(BackupError::Busy { .. }) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    let id = again.unwrap().0.id;
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, [format!("{id}.age"), format!("{id}.json")]);
}
