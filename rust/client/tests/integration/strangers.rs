//! Who listens is asked of the kernel before a byte is sent.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use osmoda_client::{CallError, Client};
use rustix::process::Uid;
use serde_json::json;

use crate::ground::{object, tool};

/// A socket that a thread of another user listens on: the kernel keeps the listener's user, not the file's owner.
fn listen_as(uid: u32, socket: std::path::PathBuf) -> UnixListener {
    let listening = std::thread::spawn(move || {
        let uid = Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        UnixListener::bind(socket).unwrap()
    });
    listening.join().unwrap()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
async fn a_stranger_on_the_socket_is_not_spoken_to() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can listen as somebody else");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = dir.path().join("agentd.sock");
    let listener = listen_as(4_000_000, socket.clone());
    // The file may be ours; what counts is who answers.
    std::os::unix::fs::chown(&socket, Some(0), Some(0)).unwrap();
    let answer = Client::new(dir.path()).call(tool("system_health"), &object(json!({}))).await;
    assert!(matches!(answer, Err(CallError::Untrusted { uid: 4_000_000, .. })), "{answer:?}");
    let (mut stream, _) = listener.accept().unwrap();
    let mut received = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut received).unwrap();
    assert!(received.is_empty(), "{received:?}");
}
