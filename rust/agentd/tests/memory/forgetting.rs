//! What is forgotten is gone from the files and from the index; a journal can put it back.

use std::fs;

use agentd::memory::{Memory, MemoryError};
use osmoda_types::api::agentd::memory::MemoryForgetOut;
use serde_json::{Value, json};

use crate::machine::{Machine, agent, found, list, of, store};

async fn forget(memory: &Memory, input: Value) -> MemoryForgetOut {
    memory.forget(of(input)).await.unwrap().out
}

#[tokio::test(flavor = "multi_thread")]
async fn one_memory_is_forgotten_and_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    let id = store(&memory, json!({"summary": "the xylophone password is swordfish"})).await.id;
    let (path, bytes) = memory.get_bytes(id).await.unwrap();
    assert_eq!(fs::read(machine.file(&path)).unwrap(), bytes);
    assert_eq!(forget(&memory, json!({"id": id})).await.ids, [id]);
    assert!(machine.files().is_empty() && found(&memory, "xylophone").await.is_empty());
    for gone in
        [memory.forget(of(json!({"id": id}))).await.unwrap_err(), memory.get_bytes(id).await.unwrap_err()]
    {
        assert!(matches!(gone, MemoryError::NotFound { .. }));
    }
    memory.put_back(&path, bytes).await.unwrap();
    assert_eq!(found(&memory, "xylophone").await.len(), 1);
    assert_eq!(list(&memory, json!({"id": id})).await.memories[0].path, path);
    for bad in ["../x.md", "2026/11/../../x.md", "/etc/x.md", "2026/11/x.txt", "2026/11/.x.md", "2026/x/y.md"]
    {
        assert!(memory.put_back(bad, b"x".to_vec()).await.is_err(), "{bad}");
    }
    forget(&memory, json!({"id": id})).await;
    memory.close().await;
    for name in ["memory.db", "memory.db-wal"] {
        let bytes = fs::read(machine.folder.join("agentd").join(name)).unwrap_or_default();
        let found = bytes.windows(9).any(|part| part == b"xylophone" || part == b"swordfish");
        assert!(!found, "{name} still knows it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_takes_all_that_came_from_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    let page = "https://example.org/page";
    for n in 0..20 {
        store(&memory, json!({"summary": format!("claim {n}"), "source": page})).await;
    }
    let both = store(&memory, json!({"summary": "claim 3", "source": "a book"})).await;
    assert!(both.merged);
    store(&memory, json!({"summary": "claim of nobody"})).await;
    let event = json!({"summary": "claim event", "actor": "crawler"});
    memory.ingest(&agent("s9"), of(event)).await.unwrap();
    let gone = forget(&memory, json!({"source": page})).await;
    assert_eq!((gone.forgotten, gone.kept, gone.more), (19, 1, false));
    let one = list(&memory, json!({"id": both.id})).await.memories.remove(0);
    assert!(one.origins.iter().all(|origin| origin.source.as_deref() == Some("a book")));
    assert_eq!(forget(&memory, json!({"source": page})).await.forgotten, 0);
    assert_eq!(forget(&memory, json!({"source": "crawler"})).await.forgotten, 1);
    assert_eq!(forget(&memory, json!({"source": "s1"})).await.forgotten, 2, "by session");
    assert!(machine.files().is_empty());
    memory.close().await;
    assert_eq!(machine.open().await.health().await.collection_size, 0);
    let memory = machine.open().await;
    for bad in [json!({}), json!({"source": ""}), json!({"id": both.id, "source": page})] {
        assert!(matches!(memory.forget(of(bad)).await, Err(MemoryError::Field { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_are_forgotten_a_thousand_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    for n in 0..1500 {
        machine.write(
            &format!("2026/10/n{n:04}.md"),
            "---\norigins: [{\"actor\":\"agent:main\",\"session\":\"bad\"}]\n---\nuntrue",
        );
    }
    let memory = machine.open().await;
    let first = forget(&memory, json!({"source": "bad"})).await;
    assert_eq!((first.forgotten, first.more), (1000, true));
    let rest = forget(&memory, json!({"source": "bad"})).await;
    assert_eq!((rest.forgotten, rest.more, machine.files().len()), (500, false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_and_forgets_in_one_second_leave_every_word_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = std::sync::Arc::new(machine.open().await);
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..6 {
        let memory = memory.clone();
        tasks.spawn(async move {
            let mut kept = Vec::new();
            for n in 0..40 {
                let word = format!("client{client}x{n}");
                let detail = "text ".repeat(n * 7 % 300);
                kept.push((store(&memory, json!({"summary": word, "detail": detail})).await.id, word));
                if n % 5 == 4 {
                    let (id, _) = kept.swap_remove(n * 3 % kept.len());
                    forget(&memory, json!({"id": id})).await;
                }
            }
            kept
        });
    }
    for (id, word) in tasks.join_all().await.into_iter().flatten() {
        let hits = crate::machine::recall(&memory, &word).await.memories;
        assert_eq!(hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), [id], "{word}");
    }
    memory.close().await;
    let index = rusqlite::Connection::open(machine.index()).unwrap();
    index.execute("INSERT INTO words (words) VALUES ('integrity-check')", []).unwrap();
}
