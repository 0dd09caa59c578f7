//! What a working daemon says comes through, and what the caller says of itself arrives.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::routing::{any, get};
use osmoda_client::CallError;
use osmoda_types::api::agentd::ledger::{EventProof, EventProofIn, EventsLog, EventsLogIn};
use osmoda_types::{Code, Problem, Within};
use serde_json::{Value, json};

use crate::ground::{Ground, object, tool};

/// Tells what arrived.
async fn mirror(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let headers: serde_json::Map<String, Value> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
        .collect();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Json(json!({"method": parts.method.as_str(), "target": parts.uri.to_string(), "headers": headers,
        "body": String::from_utf8(body.to_vec()).unwrap()}))
}

#[tokio::test]
async fn arguments_and_marks_arrive_as_the_catalogue_says() {
    let ground = Ground::new();
    ground.serve(Router::new().fallback(any(mirror)));
    let client = ground.client().actor(&"agent:main".parse().unwrap()).mark("x-osmoda-session", "s1");
    let posted = client
        .call(tool("system_query"), &object(json!({"query": "disk", "args": {"limit": 3}})))
        .await
        .unwrap();
    assert_eq!(posted["method"], "POST");
    assert_eq!(posted["target"], "/system/query");
    let body: Value = serde_json::from_str(posted["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"query": "disk", "args": {"limit": 3}}));
    assert_eq!(posted["headers"]["content-type"], "application/json");
    assert_eq!(posted["headers"]["x-osmoda-actor"], "agent:main");
    assert_eq!(posted["headers"]["x-osmoda-session"], "s1");

    let got =
        ground.client().call(tool("event_log"), &object(json!({"q": "a b&c", "limit": 2}))).await.unwrap();
    assert_eq!(got["method"], "GET");
    assert_eq!(got["target"], "/events/log?limit=2&q=a%20b%26c");
    assert_eq!(got["body"], "");
    assert_eq!(got["headers"].get("x-osmoda-actor"), None, "nobody is lowered who did not ask for it");
}

#[tokio::test]
async fn a_header_that_cannot_be_one_is_left_out() {
    let ground = Ground::new();
    ground.serve(Router::new().fallback(any(mirror)));
    let client = ground.client().mark("x-osmoda-session", "a\r\nx-osmoda-actor: operator:root");
    let got = client.call(tool("system_health"), &object(json!({}))).await.unwrap();
    assert_eq!(got["headers"].get("x-osmoda-actor"), None);
    assert_eq!(got["headers"].get("x-osmoda-session"), None);
}

#[tokio::test]
async fn a_typed_call_decodes_its_answer() {
    let ground = Ground::new();
    ground.serve(
        Router::new().route("/events/log", get(|| async { Json(json!({"events": [], "next": "7"})) })),
    );
    let page = ground.client().send::<EventsLog>(&EventsLogIn::default()).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_refusal_is_the_problem_the_daemon_wrote() {
    let ground = Ground::new();
    let problem = Problem::new(Code::LedgerNotFound).detail("there are 3 events").at("/id", "is 9");
    let answer = problem.clone();
    ground.serve(
        Router::new()
            .fallback(any(move || async move { (StatusCode::NOT_FOUND, Json(answer)).into_response() })),
    );
    let asked = EventProofIn { id: Within::new(9).unwrap(), size: None };
    match ground.client().send::<EventProof>(&asked).await {
        Err(CallError::Problem(found)) => assert_eq!(*found, problem),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn fifty_calls_at_once_get_their_own_answers() {
    let ground = Ground::new();
    ground.serve(Router::new().fallback(any(mirror)));
    let client = ground.client();
    let calls = (1..=50_u64).map(|id| {
        let client = client.clone();
        async move {
            client.call(tool("ledger_proof"), &object(json!({"id": id}))).await.unwrap()["target"].clone()
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    for (id, answer) in (1..).zip(answers) {
        assert_eq!(answer, format!("/events/{id}/proof"));
    }
}
