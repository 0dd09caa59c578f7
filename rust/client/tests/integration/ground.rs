//! A folder of sockets and servers to put on them.

use std::path::PathBuf;

use axum::Router;
use osmoda_client::Client;
use osmoda_types::{Call, Daemon, catalogue};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// A run folder of its own.
pub(crate) struct Ground {
    dir: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join(Daemon::Agentd.socket())
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.dir.path())
    }

    /// Serves a real HTTP server in agentd's place.
    pub(crate) fn serve(&self, router: Router) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    /// Answers every connection with these bytes once a request has arrived, then hangs up.
    pub(crate) fn answer(&self, bytes: impl Into<Vec<u8>>) {
        let (listener, bytes) = (UnixListener::bind(self.socket()).unwrap(), bytes.into());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&bytes).await;
            }
        });
    }
}

pub(crate) fn tool(name: &str) -> &'static Call {
    catalogue::tool(name).unwrap()
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}
