//! Which daemons of this machine answer, asked on their sockets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use osmoda_client::Client;
use osmoda_types::catalogue::calls_of;
use osmoda_types::{Call, Daemon};
use serde_json::Map;

/// A daemon that answered.
pub(super) struct Answering {
    pub(super) daemon: Daemon,
    pub(super) socket: PathBuf,
    pub(super) version: String,
    /// It said that all is well.
    pub(super) well: bool,
}

/// Every daemon with a socket in `run_dir` that answers `GET /health` in time, all asked at once.
pub(super) async fn answering(run_dir: &Path) -> Vec<Answering> {
    let client = Client::new(run_dir);
    let asked = Daemon::ALL.iter().filter_map(|daemon| Some((*daemon, health_of(*daemon)?)));
    let asked = asked.map(|(daemon, call)| ask(&client, daemon, call));
    join_all(asked).await.into_iter().flatten().collect()
}

/// How a daemon is asked: every daemon there is has the call.
fn health_of(daemon: Daemon) -> Option<&'static Call> {
    calls_of(daemon).find(|call| call.path == "/health")
}

async fn ask(client: &Client, daemon: Daemon, call: &Call) -> Option<Answering> {
    let answer = tokio::time::timeout(PATIENCE, client.call(call, &Map::new())).await.ok()?.ok()?;
    Some(Answering {
        daemon,
        socket: client.run_dir().join(daemon.socket()),
        version: answer["version"].as_str()?.chars().take(32).collect(),
        well: answer["status"] == "ok",
    })
}

/// A daemon that needs longer to say how it is does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
