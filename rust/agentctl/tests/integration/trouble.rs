//! Daemons that are away, refuse or talk nonsense; and a person who mistypes.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::{Router, routing::any};
use osmoda_types::{Code, Problem};
use serde_json::Value;

use crate::ground::Ground;

/// A server in agentd's place that gives every call the same answer.
async fn answering(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> Ground {
    let ground = Ground::empty();
    let listener = tokio::net::UnixListener::bind(ground.socket()).unwrap();
    let router = Router::new().fallback(any(move || async move { answer }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    ground
}

#[test]
fn an_absent_daemon_is_named_with_the_command_that_starts_it() {
    let ground = Ground::empty();
    for verb in [
        &["health"][..],
        &["events"],
        &["events", "-f"],
        &["checkpoint"],
        &["tools", "call", "system_health"],
    ] {
        let done = ground.run(verb).expect(69);
        let start =
            format!("osmoda up --dir {}", ground.path("").display().to_string().trim_end_matches('/'));
        assert!(done.err.contains("agentd.sock") && done.err.contains(&start), "{done:?}");
        assert_eq!(done.out, "");
    }
    let done = ground.run(&["--json", "health"]).expect(69);
    let problem: Problem = serde_json::from_str(&done.err).unwrap();
    assert_eq!(problem.code, Code::DaemonAbsent);
}

#[test]
fn status_works_without_any_daemon() {
    let ground = Ground::empty();
    let page = ground.run(&["status"]).expect(69);
    assert!(page.out.contains("agentd  absent") && page.out.contains("start it: osmoda up"), "{page:?}");
    let status = ground.run(&["--json", "status"]).expect(69).json();
    assert_eq!(status["daemons"][0]["state"], "absent");
}

#[test]
fn an_export_that_fails_leaves_no_file() {
    let ground = Ground::empty();
    ground.run(&["ledger", "export", "export"]).expect(69);
    assert!(!ground.path("export").exists());
    let done = ground.run(&["checkpoint", "missing/kept"]).expect(69);
    assert_eq!(done.out, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_denial() {
    let problem = Problem::new(Code::AuthRing).detail("app:uid-1000 may not make this call");
    let ground = answering((StatusCode::FORBIDDEN, Json(problem))).await;
    let done = ground.run(&["events"]).expect(77);
    assert!(done.err.contains("auth.ring") && done.err.contains("app:uid-1000"), "{done:?}");
    let done = ground.run(&["--json", "events"]).expect(77);
    assert_eq!(serde_json::from_str::<Value>(&done.err).unwrap()["code"], "auth.ring");
    ground.run(&["events", "--follow"]).expect(77);
    ground.run(&["verify-ledger"]).expect(4);
    let page = ground.run(&["status"]).expect(77);
    assert!(page.out.contains("agentd  denied"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_makes_no_sense_is_a_failure() {
    for answer in ["<html>", "{}", "[]", "{\"status\":\"splendid\"}"] {
        let ground = answering(answer).await;
        let done = ground.run(&["health"]).expect(1);
        assert!(done.err.contains("agentd gave an answer that is none"), "{done:?}");
        let page = ground.run(&["status"]).expect(1);
        assert!(page.out.contains("agentd  broken"), "{page:?}");
        ground.run(&["events"]).expect(1);
        ground.run(&["verify-ledger"]).expect(4);
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error_and_help_is_none() {
    let ground = Ground::empty();
    for bad in [
        &["dance"][..],
        &[],
        &["events", "--since", "soon"],
        &["tools", "call"],
        &["proof", "first"],
        &["connect", "emacs"],
    ] {
        let done = ground.run(bad).expect(64);
        assert!(!done.err.is_empty(), "{bad:?}");
    }
    assert!(ground.run(&["--help"]).expect(0).out.contains("Exit codes"));
    ground.run(&["--version"]).expect(0);
}

#[test]
fn what_is_printed_from_the_definition_needs_no_daemon() {
    let ground = Ground::empty();
    for shell in ["bash", "zsh", "fish"] {
        assert!(ground.run(&["completions", shell]).expect(0).out.contains("verify-ledger"), "{shell}");
    }
    assert!(ground.run(&["man"]).expect(0).out.starts_with(".ie"));
    ground.run(&["man", "pages"]).expect(0);
    assert!(ground.path("pages/agentctl-verify-ledger.1").exists());
    for client in ["claude-code", "claude-desktop", "cursor", "vscode", "codex", "openclaw", "generic"] {
        let done = ground.run(&["connect", client]).expect(0);
        let run = ground.path("run").display().to_string();
        assert!(done.out.contains("osmoda-bridge") && done.out.contains(&run), "{done:?}");
        if done.out.starts_with('{') {
            done.json();
        }
    }
}
