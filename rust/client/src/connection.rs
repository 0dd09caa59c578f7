//! One connection to one daemon, and the proof that it is the daemon's.

use std::path::Path;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use osmoda_types::Daemon;
use tokio::net::UnixStream;

use crate::CallError;

/// A daemon whose backlog is full for this long is as good as absent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn open(daemon: Daemon, socket: &Path) -> Result<SendRequest<Full<Bytes>>, CallError> {
    let absent = |source| CallError::Absent { daemon, socket: socket.to_owned(), source };
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, UnixStream::connect(socket)).await;
    let stream = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(absent)?;
    let uid = stream.peer_cred().map_err(absent)?.uid();
    if !trusted(daemon, uid) {
        return Err(CallError::Untrusted { daemon, socket: socket.to_owned(), uid });
    }
    let broken = |source| CallError::Broken { daemon, source };
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// We ourselves, root, or the user the daemon has on an installed system.
fn trusted(daemon: Daemon, uid: u32) -> bool {
    uid == 0 || uid == rustix::process::getuid().as_raw() || uid_of(daemon.user()) == Some(uid)
}

fn uid_of(name: &str) -> Option<u32> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}
