//! A daemon that is away, dies, hangs or talks nonsense gives an error of its own kind, never a hang or a panic.

use std::io::ErrorKind;

use osmoda_client::CallError;
use serde_json::{Value, json};
use tokio::net::UnixListener;

use crate::ground::{Ground, object, tool};

async fn health(ground: &Ground) -> Result<Value, CallError> {
    ground.client().call(tool("system_health"), &object(json!({}))).await
}

fn absent(answer: Result<Value, CallError>) -> ErrorKind {
    match answer {
        Err(CallError::Absent { source, .. }) => source.kind(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_missing_socket_a_dead_one_and_a_file_in_its_place_are_absent_daemons() {
    let ground = Ground::new();
    assert_eq!(absent(health(&ground).await), ErrorKind::NotFound);
    drop(UnixListener::bind(ground.socket()).unwrap());
    assert!(ground.socket().exists(), "a socket whose owner died");
    assert_eq!(absent(health(&ground).await), ErrorKind::ConnectionRefused);
    std::fs::remove_file(ground.socket()).unwrap();
    std::fs::write(ground.socket(), "").unwrap();
    assert_eq!(absent(health(&ground).await), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_an_absent_daemon() {
    let client = osmoda_client::Client::new(format!("/tmp/{}", "x".repeat(200)));
    let answer = client.call(tool("system_health"), &object(json!({}))).await;
    assert_eq!(absent(answer), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_daemon_that_dies_in_the_middle_of_an_answer_breaks_the_call() {
    for cut in [
        "",
        "HTTP/1.1 200 O",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"status\":",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\n{\"code\":",
    ] {
        let ground = Ground::new();
        ground.answer(cut);
        let answer = health(&ground).await;
        assert!(matches!(answer, Err(CallError::Broken { .. })), "{cut:?}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_breaks_the_call() {
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n{{}}", "y".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n{{}}", "x: y\r\n".repeat(10_000));
    for bytes in [&b"\x00\xff\xfe SSH-2.0-nonsense\r\n\r\n"[..], huge.as_bytes(), many.as_bytes()] {
        let ground = Ground::new();
        ground.answer(bytes);
        let answer = health(&ground).await;
        assert!(matches!(answer, Err(CallError::Broken { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_no_problem_is_garbage() {
    for bytes in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"a\":1,\"a\":2}",
        "HTTP/1.1 500 Oops\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n",
    ] {
        let ground = Ground::new();
        ground.answer(bytes);
        let answer = health(&ground).await;
        assert!(matches!(answer, Err(CallError::Garbage { .. })), "{bytes:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let ground = Ground::new();
    let listener = UnixListener::bind(ground.socket()).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        let _ = tokio::io::copy(&mut tokio::io::repeat(b' '), &mut stream).await;
    });
    let answer = health(&ground).await;
    assert!(matches!(answer, Err(CallError::Garbage { .. })), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_given_up_after_its_own_limit() {
    let ground = Ground::new();
    let listener = UnixListener::bind(ground.socket()).unwrap();
    let answer = health(&ground);
    let hang = async {
        let _held = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answer => assert!(matches!(answer, Err(CallError::Silent { secs: 35, .. })), "{answer:?}"),
        () = hang => unreachable!("it hangs"),
    }
}
