//! Streams: lines and Server-Sent Events, however they are cut into pieces.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use osmoda_client::{Client, Events, Lines, StreamError, StreamEvent};
use osmoda_types::{Endpoint, api::agentd::ledger::LedgerExport};
use serde_json::json;

use crate::ground::{Ground, object, tool};

/// Serves the pieces as one body, each in a chunk of its own.
fn pieces(pieces: Vec<Vec<u8>>) -> Router {
    let body = move || {
        let pieces = pieces.clone().into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
        async move { Body::from_stream(stream::iter(pieces)) }
    };
    Router::new().route("/ledger/export", get(body.clone())).route("/events/stream", get(body))
}

async fn lines(client: &Client) -> Lines {
    client.lines(&LedgerExport::CALL, &object(json!({}))).await.unwrap()
}

async fn events(client: &Client) -> Events {
    client.events(tool("event_watch"), &object(json!({})), Some("7")).await.unwrap()
}

fn event(id: Option<&str>, event: &str, data: &str) -> StreamEvent {
    StreamEvent { id: id.map(str::to_owned), event: event.into(), data: data.into() }
}

#[tokio::test]
async fn lines_are_put_together_from_any_pieces() {
    let text = "{\"a\":\"é\"}\n\n{\"b\":2}\n{\"c\":3}";
    for size in 1..=text.len() {
        let ground = Ground::new();
        ground.serve(pieces(text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect()));
        let mut found = Vec::new();
        let mut stream = lines(&ground.client()).await;
        while let Some(line) = stream.next().await.unwrap() {
            found.push(line);
        }
        assert_eq!(found, ["{\"a\":\"é\"}", "", "{\"b\":2}", "{\"c\":3}"], "pieces of {size}");
        assert_eq!(stream.next().await.unwrap(), None, "the end stays the end");
    }
}

#[tokio::test]
async fn a_line_without_end_and_a_line_that_is_no_text_are_refused() {
    let ground = Ground::new();
    ground.serve(pieces(vec![vec![b'x'; 1 << 16]; 64]));
    assert!(matches!(lines(&ground.client()).await.next().await, Err(StreamError::TooLong)));
    let ground = Ground::new();
    ground.serve(pieces(vec![b"good\n\xff\n".to_vec()]));
    let mut stream = lines(&ground.client()).await;
    assert_eq!(stream.next().await.unwrap().as_deref(), Some("good"));
    assert!(matches!(stream.next().await, Err(StreamError::NotText)));
}

#[tokio::test]
async fn a_broken_stream_is_no_end() {
    let ground = Ground::new();
    ground.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\na\nb\n\r\n");
    let mut stream = lines(&ground.client()).await;
    assert_eq!(stream.next().await.unwrap().as_deref(), Some("a"));
    assert_eq!(stream.next().await.unwrap().as_deref(), Some("b"));
    assert!(matches!(stream.next().await, Err(StreamError::Broken(_))));
}

#[tokio::test]
async fn events_are_read_as_the_standard_says() {
    let text = ": keepalive\n\nid: 8\nevent: a.b\ndata: {\"x\":1}\n\nid:9\ndata:one\ndata: two\n\n\
        : keepalive\n\nevent: end\ndata: {}\n\nid: 10\ndata: cut off";
    for size in [1, 7, text.len()] {
        let ground = Ground::new();
        ground.serve(pieces(text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect()));
        let mut stream = events(&ground.client()).await;
        let mut found = Vec::new();
        while let Some(event) = stream.next().await.unwrap() {
            found.push(event);
        }
        let wanted = [
            event(Some("8"), "a.b", "{\"x\":1}"),
            event(Some("9"), "message", "one\ntwo"),
            event(None, "end", "{}"),
        ];
        assert_eq!(found, wanted, "pieces of {size}");
    }
}

#[tokio::test]
async fn an_event_without_end_is_refused() {
    let ground = Ground::new();
    ground.serve(pieces(vec![format!("data: {}\n", "x".repeat(1000)).repeat(64).into_bytes(); 64]));
    assert!(matches!(events(&ground.client()).await.next().await, Err(StreamError::TooLong)));
}
