//! Recall takes any text, finds words in all their forms, and ranks what matters first.

use agentd::memory::{Memory, MemoryError, words};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::machine::{Machine, found, list, of, recall, store};

async fn ask(memory: &Memory, input: Value) -> Vec<String> {
    let found = memory.recall(of(input)).await.unwrap();
    found.memories.into_iter().map(|memory| memory.summary).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_weigh_differently_and_stems_match() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Machine::at(folder.path()).open().await;
    let long = "more words that say nothing of it at all ".repeat(10);
    store(&memory, json!({"summary": "in the detail", "detail": format!("nginx restarting {long}")})).await;
    store(&memory, json!({"summary": "nginx restarts", "detail": long})).await;
    store(&memory, json!({"summary": "by tag", "detail": long, "tags": ["nginx restart"]})).await;
    store(&memory, json!({"summary": "something else", "detail": long})).await;
    assert_eq!(found(&memory, "restarted NGINX?").await, ["nginx restarts", "by tag", "in the detail"]);
    let hit =
        recall(&memory, "restarting").await.memories.into_iter().find(|hit| hit.summary == "in the detail");
    assert!(hit.unwrap().snippet.starts_with("nginx restarting"));
    assert_eq!(ask(&memory, json!({"query": "nginx", "max_results": 1})).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_comes_before_older_and_a_timeframe_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let memory = machine.open().await;
    store(&memory, json!({"summary": "redis used much memory in spring"})).await;
    machine.clock.step(100 * 86_400_000);
    store(&memory, json!({"summary": "redis used much memory in winter", "category": "diagnosis"})).await;
    machine.clock.step(3_600_000);
    let both = ["redis used much memory in winter", "redis used much memory in spring"];
    assert_eq!(found(&memory, "redis memory").await, both);
    assert_eq!(ask(&memory, json!({"query": "redis", "timeframe": "7d"})).await, both[..1]);
    assert_eq!(ask(&memory, json!({"query": "redis", "timeframe": "30m"})).await.len(), 0);
    assert_eq!(ask(&memory, json!({"query": "redis", "category": "diagnosis"})).await, both[..1]);
    assert_eq!(ask(&memory, json!({"query": "redis", "category": "none"})).await.len(), 0);
    let page = list(&memory, json!({"limit": 1})).await;
    assert_eq!((page.memories[0].summary.as_str(), page.memories.len()), (both[0], 1));
    let page = list(&memory, json!({"limit": 1, "after": page.next})).await;
    assert_eq!((page.memories[0].summary.as_str(), page.next), (both[1], None));
    assert_eq!(list(&memory, json!({"since": "7d"})).await.memories.len(), 1);
    assert_eq!(list(&memory, json!({"source": "s1", "category": "diagnosis"})).await.memories.len(), 1);
    assert_eq!(list(&memory, json!({"source": "nobody"})).await.memories.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_query_is_answered_or_refused_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Machine::at(folder.path()).open().await;
    store(&memory, json!({"summary": "select near and or not", "detail": "naïve Straße 日本語"})).await;
    let long = "near ".repeat(13_000);
    for query in [
        "NEAR(select, 2)",
        "\"select",
        "summary : near",
        "near*",
        "^near",
        "a OR",
        "NOT",
        "AND near",
        "(near",
        "'; DROP TABLE entries; --",
        "near -x",
        "{near}",
        "words MATCH 'near'",
        "naive",
        "STRASSE straße",
        "日本語",
        "near 🦀",
        &long,
    ] {
        let hits = found(&memory, query).await;
        assert_eq!(hits.len(), usize::from(!query.contains("DROP")), "{query}");
    }
    for query in ["", " ", "🦀", "\"\"", "***", "((("] {
        let refused = memory.recall(of(json!({"query": query}))).await;
        assert!(matches!(refused, Err(MemoryError::Field { pointer: "/query", .. })), "{query}");
    }
    assert_eq!(memory.check().code, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_very_many_the_newest_are_ranked_and_the_answer_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    for n in 0..2500 {
        let rare = if n == 1200 { "needle" } else { "" };
        machine.write(
            &format!("2026/10/n{n:05}.md"),
            &format!("---\ncreated_at: 2026-10-01T00:{:02}:00Z\n---\nhay {rare} {n}", n / 50),
        );
    }
    let memory = machine.open().await;
    let hay = recall(&memory, "hay").await;
    assert!(hay.capped && hay.memories.len() == 10);
    assert_eq!(hay.memories[0].created_at.to_string(), "2026-10-01T00:49:00.000Z");
    let both = recall(&memory, "hay needle").await;
    assert_eq!((both.memories[0].summary.as_str(), both.capped), ("hay needle 1200", false));
}

#[test]
fn no_text_makes_a_query_that_fts5_refuses() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE VIRTUAL TABLE words USING fts5(summary, tokenize = 'porter unicode61'); INSERT INTO words VALUES ('a b')")
        .unwrap();
    let takes = |expression: String| {
        let mut statement =
            connection.prepare_cached("SELECT count(*) FROM words WHERE words MATCH ?1").unwrap();
        statement.query_row([expression], |row| row.get::<_, u64>(0)).is_ok()
    };
    let text = prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9 \"'()*:^+{}.,\u{300}é日🦀-]{0,80}",
        "(NEAR|AND|OR|NOT|\"|\\*| )*"
    ];
    proptest!(ProptestConfig::with_cases(2000), |(text in text)| {
        let found = words::words(&text);
        prop_assert!(found.len() <= words::MAX_WORDS);
        for word in &found {
            prop_assert!(takes(words::quoted(word)), "{}", word);
        }
        if !found.is_empty() {
            let any = words::any(found.iter().map(String::as_str));
            let all = format!("{} AND ({any})", words::quoted(&found[0]));
            prop_assert!(takes(any));
            prop_assert!(takes(all));
        }
    });
}
