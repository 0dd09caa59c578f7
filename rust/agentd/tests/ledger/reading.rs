//! The log, the stream and the export, against what a plain look at all events finds.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use osmoda_tlog::verify::{Trust, Verifier};
use osmoda_types::ledger::Event;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::machine::{Machine, all, event, events, export, of};

const KINDS: [&str; 5] =
    ["agentd.session.read", "agentd.service.restart", "agentd.service", "agentd.services.x", "agentd.z"];
const ACTORS: [&str; 3] = ["agent:main", "agent:other", "operator:root"];

/// 600 events in an order that no index has, a second apart.
async fn filled(machine: &Machine) -> agentd::ledger::Engine {
    let engine = machine.open().await;
    let mut seed = 7_u64;
    let mut pick = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % bound
    };
    for n in 0..600 {
        machine.clock.step(1000);
        let (kind, actor) = (KINDS[pick(KINDS.len())], ACTORS[pick(ACTORS.len())]);
        engine
            .append(vec![event(kind, actor, json!({"n": n, "word": format!("w{}", pick(9))}))])
            .await
            .unwrap();
    }
    engine
}

#[tokio::test]
async fn every_filter_finds_exactly_what_it_describes_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = filled(&machine).await;
    let stored = all(&engine).await;
    let kinds = [None, Some("agentd.service"), Some("agentd.service."), Some("agentd."), Some("agentd.none")];
    for kind in kinds {
        for actor in [None, Some("agent:main"), Some("operator:root"), Some("agent:nobody")] {
            for (bounds, from, to) in [
                (json!({}), 0, u64::MAX),
                (json!({"after_id": 100}), 101, u64::MAX),
                (json!({"before_id": 500}), 0, 499),
                (json!({"after_id": 100, "before_id": 103}), 101, 102),
                (json!({"since": "2026-11-24T08:31:40Z", "until": "2026-11-24T08:33:20Z"}), 101, 201),
            ] {
                for text in [None, Some("\"w3\"")] {
                    let matches = |event: &&Event| {
                        kind.is_none_or(|kind| match kind.strip_suffix('.') {
                            Some(_) => event.kind.starts_with(kind),
                            None => event.kind == kind,
                        }) && actor.is_none_or(|actor| event.actor == actor)
                            && (from..=to).contains(&event.id)
                            && text.is_none_or(|_| event.payload["word"] == "w3")
                    };
                    let mut expected: Vec<u64> =
                        stored.iter().filter(matches).map(|event| event.id).collect();
                    if bounds.get("after_id").is_none() {
                        expected.reverse();
                    }
                    let mut query = json!({"type": kind, "actor": actor, "q": text, "limit": 7});
                    query.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
                    let mut found = Vec::new();
                    loop {
                        let page = engine.log(of(query.clone())).await.unwrap();
                        assert!(page.next.is_none() || page.events.len() == 7);
                        found.extend(page.events.iter().map(|event| event.id));
                        match page.next {
                            Some(next) => query["after"] = json!(next),
                            None => break,
                        }
                    }
                    assert_eq!(found, expected, "{query}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_age_counts_from_the_clock_the_daemon_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = filled(&machine).await;
    let page = engine.log(of(json!({"since": "1m", "limit": 1000}))).await.unwrap();
    assert_eq!(page.events.len(), 61);
    assert_eq!(engine.log(of(json!({"since": "2027-01-01T00:00:00Z"}))).await.unwrap().events.len(), 0);
}

#[tokio::test]
async fn a_cursor_that_is_none_is_a_wrong_field() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    for bad in ["", "x", "-1", "1 "] {
        let problem = osmoda_types::Problem::from(engine.log(of(json!({"after": bad}))).await.unwrap_err());
        assert_eq!((problem.status, problem.errors[0].at.as_str()), (422, "/after"), "{bad:?}");
    }
}

#[tokio::test]
async fn a_page_ends_before_it_gets_too_large_to_hold() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let large = "x".repeat(60_000);
    for _ in 0..10 {
        let batch = (0..10).map(|_| event("agentd.a", "agent:main", json!({"large": large}))).collect();
        engine.append(batch).await.unwrap();
    }
    let page = engine.log(of(json!({"limit": 1000}))).await.unwrap();
    assert!(page.events.len() < 80, "{} events of 60 kB", page.events.len());
    let rest = engine.log(of(json!({"limit": 1000, "after": page.next}))).await.unwrap();
    assert_eq!(page.events.len() + rest.events.len(), 101);
}

#[tokio::test]
async fn json_lines_hold_one_event_each() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    engine.append(events(2)).await.unwrap();
    let page = engine.log(of(json!({}))).await.unwrap();
    let response = agentd::ledger::json_lines(&page);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let lines: Vec<Event> =
        body.split_inclusive(|b| *b == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect();
    assert_eq!(lines, page.events);
}

/// A stream's messages as (event, id, data), as they come.
struct Messages {
    body: axum::body::Body,
    text: String,
}

impl Messages {
    async fn open(
        engine: &agentd::ledger::Engine,
        input: Value,
        last: Option<&str>,
        stop: &CancellationToken,
    ) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            headers.insert("last-event-id", HeaderValue::from_str(last).unwrap());
        }
        let response = engine.stream(of(input), &headers, stop.clone()).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    async fn next(&mut self) -> Option<(String, Option<u64>, Value)> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let message: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    message
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|value| value.trim().to_owned())
                };
                let data = serde_json::from_str(&field("data:").unwrap()).unwrap();
                return Some((field("event:").unwrap(), field("id:").map(|id| id.parse().unwrap()), data));
            }
            let frame =
                tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.expect("in time")?;
            self.text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_gives_what_there_was_and_what_comes_and_can_be_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    engine.append(events(300)).await.unwrap();
    let stop = CancellationToken::new();
    let mut messages = Messages::open(&engine, json!({"after_id": 0}), None, &stop).await;
    for id in 1..=301 {
        let (_, found, data) = messages.next().await.unwrap();
        assert_eq!((found, data["id"].as_u64()), (Some(id), Some(id)));
    }
    engine.append(events(1)).await.unwrap();
    assert_eq!(messages.next().await.unwrap().1, Some(302));
    stop.cancel();
    assert_eq!(messages.next().await.unwrap().0, "end");
    assert!(messages.next().await.is_none());

    let mut resumed =
        Messages::open(&engine, json!({"after_id": 0}), Some("300"), &CancellationToken::new()).await;
    assert_eq!(resumed.next().await.unwrap().1, Some(301));
}

#[tokio::test]
async fn a_stream_shows_only_its_type_from_now_on_and_ends_at_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let wanted = || vec![event("agentd.alert.raised", "daemon:agentd", json!({}))];
    engine.append(wanted()).await.unwrap();
    let input = json!({"type": "agentd.alert.", "limit": 2});
    let mut messages = Messages::open(&engine, input, None, &CancellationToken::new()).await;
    for _ in 0..2 {
        engine.append(events(5)).await.unwrap();
        engine.append(wanted()).await.unwrap();
        let (kind, _, data) = messages.next().await.unwrap();
        assert_eq!(
            (kind.as_str(), data["type"].as_str()),
            ("agentd.alert.raised", Some("agentd.alert.raised"))
        );
    }
    assert_eq!(messages.next().await.unwrap(), ("end".to_owned(), None, json!({})));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let mut messages =
        Messages::open(&engine, json!({"wait_secs": 5}), None, &CancellationToken::new()).await;
    assert_eq!(messages.next().await.unwrap().0, "end");
}

#[tokio::test]
async fn a_reader_of_a_longer_ledger_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Machine::at(folder.path()).open().await;
    let mut messages = Messages::open(&engine, json!({}), Some("99"), &CancellationToken::new()).await;
    assert_eq!(messages.next().await.unwrap(), ("gap".to_owned(), None, json!({"from": 99, "to": 1})));
    engine.append(events(1)).await.unwrap();
    assert_eq!(messages.next().await.unwrap().1, Some(2));
}

#[tokio::test]
async fn an_export_verifies_without_the_machine_whole_and_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::at(folder.path());
    let engine = filled(&machine).await;
    engine.checkpoint().await.unwrap();
    engine.append(events(300)).await.unwrap();
    engine.checkpoint().await.unwrap();
    for (since, first) in [(None, 1), (Some("2026-11-24T08:35:00Z"), 301)] {
        let (header, chunk) = export(&engine, since).await.unwrap();
        assert_eq!(header.after.as_ref().map_or(0, |after| after.size), first - 1);
        assert_eq!(chunk.rows() as u64, 901 - first + 1);
        let mut verifier = Verifier::for_export(&header, Trust::default()).unwrap();
        verifier.merge(chunk).unwrap();
        let report = verifier.finish().unwrap();
        assert_eq!((report.verified, report.signed), (901, Some(901)));
    }
}
