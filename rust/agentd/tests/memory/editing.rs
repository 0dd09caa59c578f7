//! The files are the truth: edits by hand are found, running or not, and files that are no memory are named.

use std::fs;

use agentd::memory::Memory;
use osmoda_types::api::agentd::memory::IndexState;
use osmoda_types::health::Status;
use serde_json::json;

use crate::machine::{Machine, found, list, recall, store, until};

async fn finds(memory: &Memory, query: &str, wanted: &[&str]) {
    until(&format!("{query} finds {wanted:?}"), async || found(memory, query).await == wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_added_edited_moved_and_removed_by_hand_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    assert!(memory.health().await.index.watching);
    machine.write("2025/03/printer.md", "The printer is upstairs\n");
    finds(&memory, "printer", &["The printer is upstairs"]).await;
    let id = recall(&memory, "printer").await.memories[0].id;
    machine.write("2025/03/printer.md", "---\ntags: [office]\n---\n# The printer\n\nmoved to the attic\n");
    finds(&memory, "attic", &["The printer"]).await;
    assert_eq!(recall(&memory, "office").await.memories[0].id, id, "a file keeps its id");
    assert!(found(&memory, "upstairs").await.is_empty());
    // As an editor that writes beside and renames, into a month that is new.
    fs::create_dir_all(machine.file("2025/04")).unwrap();
    fs::write(machine.file("2025/04/.x.swp"), "The scanner").unwrap();
    fs::rename(machine.file("2025/04/.x.swp"), machine.file("2025/04/scanner.md")).unwrap();
    finds(&memory, "scanner", &["The scanner"]).await;
    fs::rename(machine.file("2025/04"), machine.file("2025/05")).unwrap();
    until("the month is found under its new name", async || {
        let listed = list(&memory, json!({})).await.memories;
        listed.iter().any(|one| one.path == "2025/05/scanner.md") && listed.len() == 2
    })
    .await;
    fs::remove_file(machine.file("2025/03/printer.md")).unwrap();
    assert!(found(&memory, "printer").await.is_empty(), "what has no file is not found, not even at once");
    fs::remove_dir_all(machine.file("2025")).unwrap();
    until("all is gone", async || memory.health().await.collection_size == 0).await;
    store(&memory, json!({"summary": "after it all"})).await;
    finds(&memory, "after", &["after it all"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_change_while_it_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    let mut ids = Vec::new();
    for n in 0..200 {
        ids.push(store(&memory, json!({"summary": format!("number {n} of many")})).await.id);
    }
    memory.close().await;
    for (n, id) in ids.iter().enumerate() {
        let file = machine.file(&format!("2026/11/{id}.md"));
        match n % 4 {
            0 => fs::remove_file(&file).unwrap(),
            1 => fs::write(&file, fs::read_to_string(&file).unwrap().replace("number", "figure")).unwrap(),
            2 => fs::copy(&file, machine.file(&format!("2026/11/copy{n}.md"))).map(drop).unwrap(),
            _ => {}
        }
    }
    fs::write(machine.file("2026/11/.next-left"), "half a file").unwrap();
    machine.write("1999/12/old.md", "an old number");
    let memory = machine.open().await;
    let health = memory.health().await;
    assert_eq!((health.collection_size, health.malformed.count), (151, 50));
    assert!(health.malformed.files[0].reason.starts_with("its id is that of 2026/11/"));
    assert!(!machine.file("2026/11/.next-left").exists(), "what a crash left is swept");
    assert_eq!(found(&memory, "figure").await.len(), 10);
    assert_eq!(found(&memory, "number old").await[0], "an old number");
    // A copy takes the place of its original.
    let file = machine.file(&format!("2026/11/{}.md", ids[2]));
    fs::remove_file(&file).unwrap();
    memory.close().await;
    let memory = machine.open().await;
    assert_eq!(list(&memory, json!({"id": ids[2]})).await.memories[0].path, "2026/11/copy2.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_memory_is_named_kept_and_found_once_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    machine.write("2026/11/a.md", "---\nno end");
    machine.write("2026/11/b.md", "");
    fs::write(machine.file("2026/11/c.md"), [0xff, 0xfe, 0]).unwrap();
    fs::write(machine.file("2026/11/d.md"), "x".repeat(300_000)).unwrap();
    fs::create_dir(machine.file("2026/11/e.md")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", machine.file("2026/11/f.md")).unwrap();
    machine.write("2026/11/.hidden.md", "hidden");
    machine.write("2026/11/g.txt", "text");
    machine.write("2026/nov/h.md", "elsewhere");
    machine.write("2026/11/good.md", "good");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        machine.file("2026/11/pipe.md"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let memory = machine.open().await;
    let health = memory.health().await;
    let files: Vec<_> = health.malformed.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["2026/11/a.md", "2026/11/b.md", "2026/11/c.md", "2026/11/d.md"]);
    assert_eq!((health.malformed.count, health.collection_size, health.status), (4, 1, Status::Ok));
    assert_eq!(fs::read_to_string(machine.file("2026/11/a.md")).unwrap(), "---\nno end");
    machine.write("2026/11/a.md", "---\n---\nmended");
    finds(&memory, "mended", &["mended"]).await;
    machine.write("2026/11/good.md", "---\nbad again");
    until("it is named", async || memory.health().await.malformed.count == 4).await;
    assert!(found(&memory, "good").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_again_from_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    for n in 0..300 {
        store(&memory, json!({"summary": format!("fact {n}"), "tags": [format!("tag{n}")]})).await;
    }
    machine.write("2026/11/bad.md", "---\n");
    let before = list(&memory, json!({"limit": 1000})).await;
    let done = memory.reindex().await.unwrap();
    assert_eq!((done.indexed, done.malformed), (300, 1));
    let after = list(&memory, json!({"limit": 1000})).await;
    let ids = |page: &osmoda_types::api::agentd::memory::MemoryListOut| {
        let mut ids: Vec<_> = page.memories.iter().map(|one| (one.id, one.tags.clone())).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&before), ids(&after));
    assert_eq!(found(&memory, "tag7").await, ["fact 7"]);
    assert_eq!(memory.health().await.index.state, IndexState::Ready);
    store(&memory, json!({"summary": "one more"})).await;
    assert_eq!(memory.health().await.collection_size, 301);
}
