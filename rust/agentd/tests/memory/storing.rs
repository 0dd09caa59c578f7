//! What is stored stands in one file, says where it came from, and is kept once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use agentd::memory::MemoryError;
use osmoda_types::{Actor, Principal};
use serde_json::json;

use crate::machine::{Machine, agent, found, list, of, recall, store};

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_is_one_private_file_that_says_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    let stored = store(
        &memory,
        json!({"summary": "nginx\nneeds a restart", "detail": "\n\nafter the *certificate* changed\n",
            "category": "diagnosis", "tags": ["nginx", "TLS", "nginx"], "source": "https://example.org/a: b"}),
    )
    .await;
    let path = format!("2026/11/{}.md", stored.id);
    let file = machine.file(&path);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!(
            "---\nid: {}\ncreated_at: 2026-11-24T08:30:00.000Z\ncategory: diagnosis\ntags: [nginx, \"TLS\"]\ntrusted: true\n\
             origins: [{{\"actor\":\"agent:main\",\"session\":\"s1\",\"tool\":\"memory_store\",\
             \"source\":\"https://example.org/a: b\"}}]\n---\n\n# nginx needs a restart\n\nafter the *certificate* changed\n",
            stored.id
        )
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let month = fs::metadata(file.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(month & 0o777, 0o700);
    let one = list(&memory, json!({"id": stored.id})).await.memories.remove(0);
    assert_eq!((one.detail.as_deref(), one.path), (Some("after the *certificate* changed"), path));
    assert_eq!(one.origins[0].source.as_deref(), Some("https://example.org/a: b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_outside_is_never_trusted_and_never_merged_with_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Machine::at(folder.path()).open().await;
    let input = || of(json!({"summary": "the door code is 1234"}));
    let outside = |actor: &str| Some(actor.parse::<Actor>().unwrap());
    let callers: [(Principal, bool); 5] = [
        (agent("s1"), true),
        (Principal { tainted: true, ..agent("s2") }, false),
        (Principal { on_behalf: outside("peer:abc"), ..agent("s3") }, false),
        (Principal { on_behalf: outside("mcp:web"), ..agent("s3") }, false),
        (Principal { on_behalf: outside("routine:rtn_1"), ..agent("s4") }, true),
    ];
    let mut ids = Vec::new();
    for (principal, trusted) in callers {
        let stored = memory.store(&principal, input()).await.unwrap();
        assert_eq!(stored.trusted, trusted, "{principal:?}");
        ids.push(stored.id);
    }
    assert_eq!((ids[0], ids[1], ids[1]), (ids[4], ids[2], ids[3]));
    assert_ne!(ids[0], ids[1]);
    let marks: Vec<bool> = recall(&memory, "door").await.memories.iter().map(|found| found.trusted).collect();
    assert_eq!(marks.len(), 2);
    assert!(marks.contains(&true) && marks.contains(&false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_text_is_one_memory_however_many_store_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = Arc::new(machine.open().await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..12 {
        let memory = memory.clone();
        let summary = if n % 2 == 0 { "Disk is FULL" } else { " disk  is full" };
        tasks.spawn(async move {
            let input = of(json!({"summary": summary, "tags": [format!("t{n}")]}));
            memory.store(&agent(&format!("s{n}")), input).await.unwrap()
        });
    }
    let stored = tasks.join_all().await;
    assert!(stored.iter().all(|one| one.id == stored[0].id));
    assert_eq!(stored.iter().filter(|one| !one.merged).count(), 1);
    assert_eq!(machine.files().len(), 1);
    let one = list(&memory, json!({"id": stored[0].id})).await.memories.remove(0);
    assert_eq!((one.origins.len(), one.tags.len()), (12, 12));
    let other = store(&memory, json!({"summary": "disk is full", "category": "another"})).await;
    assert_ne!(other.id, stored[0].id, "another category is another memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_stay_and_are_flagged_until_one_is_superseded() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Machine::at(folder.path()).open().await;
    let old = store(&memory, json!({"summary": "Backups run", "detail": "at 03:00"})).await;
    let new = store(&memory, json!({"summary": "backups run", "detail": "at 04:00"})).await;
    assert_eq!(new.conflicts_with, [old.id]);
    let hits = recall(&memory, "backups").await.memories;
    assert_eq!(hits.iter().map(|hit| hit.conflicts_with.len()).collect::<Vec<_>>(), [1, 1]);
    let last = store(
        &memory,
        json!({"summary": "Backups run", "detail": "at 05:00", "supersedes": [old.id, new.id]}),
    )
    .await;
    assert!(last.conflicts_with.is_empty());
    let hits = recall(&memory, "backups").await.memories;
    assert_eq!((hits.len(), hits[0].id, hits[0].superseded_by), (3, last.id, None));
    assert!(hits[1..].iter().all(|hit| hit.superseded_by == Some(last.id)));
    let unknown = json!({"summary": "x", "supersedes": ["mem_01kaq3v8e2m6zr0t5h9xw4c7yd"]});
    let error = memory.store(&agent("s"), of(unknown)).await.unwrap_err();
    assert!(matches!(error, MemoryError::NotFound { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_and_contradict_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    let event = |detail: &str| {
        of(
            json!({"category": "system", "subcategory": "service", "actor": "watch", "summary": "nginx failed",
            "detail": detail, "metadata": {"unit": "nginx.service", "n": 1}}),
        )
    };
    let first = memory.ingest(&agent("s"), event("status 1")).await.unwrap();
    machine.clock.step(60_000);
    let again = memory.ingest(&agent("s"), event("status 1")).await.unwrap();
    let other = memory.ingest(&agent("s"), event("status 2")).await.unwrap();
    assert_eq!((again.id, again.merged, other.merged), (first.id, true, false));
    assert!(other.conflicts_with.is_empty());
    let text = fs::read_to_string(machine.file(&format!("2026/11/{}.md", first.id))).unwrap();
    for line in ["kind: event", "seen: 2", "seen_at: 2026-11-24T08:31:00.000Z", "metadata: {\"n\":1,"] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(found(&memory, "nginx").await.len(), 2);
    let large = json!({"summary": "x", "metadata": {"a": "b".repeat(9000)}});
    assert!(memory.ingest(&agent("s"), of(large)).await.is_err());
    let empty = json!({"summary": " \u{7}\n"});
    assert!(matches!(memory.ingest(&agent("s"), of(empty)).await, Err(MemoryError::Field { .. })));
}
