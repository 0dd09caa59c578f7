//! HTTP over a Unix socket: how osModa's programs call its daemons.
//!
//! One connection a call, no state between calls. Before a byte is sent the kernel is asked who listens: a socket that
//! belongs to neither us, root, nor the daemon's user is not spoken to.

mod connection;
mod error;
mod find;
mod stream;

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use osmoda_types::{Actor, Call, Endpoint, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use error::CallError;
pub use find::find_run_dir;
pub use stream::{Events, Lines, StreamError, StreamEvent};

/// Largest answer that is read as a whole.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Beyond a call's own limit, which the daemon enforces with an answer: only a daemon that hangs is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls the daemons whose sockets are in one folder.
#[derive(Clone, Debug)]
pub struct Client {
    run_dir: PathBuf,
    marks: Vec<(HeaderName, HeaderValue)>,
}

impl Client {
    /// A client of the sockets in `run_dir`, calling as whoever runs this process.
    pub fn new(run_dir: impl Into<PathBuf>) -> Self {
        Self { run_dir: run_dir.into(), marks: Vec::new() }
    }

    /// Lowers every call to this actor.
    #[must_use]
    pub fn actor(self, actor: &Actor) -> Self {
        self.mark("x-osmoda-actor", &actor.to_string())
    }

    /// Adds a header to every call: `x-osmoda-tool`, `x-osmoda-session`, `idempotency-key` and the like. A value that
    /// cannot stand in a header is left out.
    #[must_use]
    pub fn mark(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.marks.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// Where the sockets are.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Makes a call with arguments that are already JSON.
    ///
    /// # Errors
    /// [`CallError::Problem`] for what the daemon refuses, the others for what never became an answer.
    pub async fn call(&self, call: &Call, arguments: &Map<String, Value>) -> Result<Value, CallError> {
        let body = self.fetch(call, arguments).await?;
        osmoda_types::json::parse(&body).map_err(|error| garbage(call, error.to_string()))
    }

    /// Makes a call with its Rust types.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn send<E: Endpoint>(&self, input: &E::In) -> Result<E::Out, CallError>
    where
        E::In: Serialize,
        E::Out: DeserializeOwned,
    {
        let arguments = match serde_json::to_value(input) {
            Ok(Value::Object(map)) => map,
            other => return Err(garbage(&E::CALL, format!("arguments are no object: {other:?}"))),
        };
        let body = self.fetch(&E::CALL, &arguments).await?;
        serde_json::from_slice(&body).map_err(|error| garbage(&E::CALL, error.to_string()))
    }

    /// Opens a stream of Server-Sent Events, from after event `last_id` if given.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn events(
        &self,
        call: &Call,
        arguments: &Map<String, Value>,
        last_id: Option<&str>,
    ) -> Result<Events, CallError> {
        let mut more = vec![(ACCEPT, HeaderValue::from_static("text/event-stream"))];
        if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            more.push((HeaderName::from_static("last-event-id"), id));
        }
        Ok(Events::new(self.open(call, arguments, more).await?))
    }

    /// Opens a stream of JSON lines.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn lines(&self, call: &Call, arguments: &Map<String, Value>) -> Result<Lines, CallError> {
        let more = vec![(ACCEPT, HeaderValue::from_static("application/x-ndjson"))];
        Ok(Lines::new(self.open(call, arguments, more).await?))
    }

    async fn fetch(&self, call: &Call, arguments: &Map<String, Value>) -> Result<Bytes, CallError> {
        let whole = async {
            let response = self.begin(call, arguments, Vec::new()).await?;
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            body.map(|body| body.to_bytes()).map_err(|error| broken(call, error))
        };
        in_time(call, whole).await
    }

    /// As [`begin`](Self::begin); only the beginning of a stream has a time limit.
    async fn open(
        &self,
        call: &Call,
        arguments: &Map<String, Value>,
        more: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Response<Incoming>, CallError> {
        in_time(call, self.begin(call, arguments, more)).await
    }

    /// Sends the request; a response that is no success is read as the problem it is.
    async fn begin(
        &self,
        call: &Call,
        arguments: &Map<String, Value>,
        more: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Response<Incoming>, CallError> {
        let mut sender = connection::open(call.daemon, &self.run_dir.join(call.daemon.socket())).await?;
        let wanted = call.request(arguments);
        let body = wanted.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = call.method.as_str().parse().expect("our methods are HTTP's");
        *request.uri_mut() =
            wanted.target.parse().map_err(|_| garbage(call, format!("{:.80} is no path", wanted.target)))?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("l"));
        if wanted.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(self.marks.iter().cloned().chain(more).map(|(name, value)| (Some(name), value)));
        let response = sender
            .send_request(request)
            .await
            .map_err(|source| CallError::Broken { daemon: call.daemon, source })?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(call, response).await) }
    }
}

async fn in_time<T>(call: &Call, answer: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let limit = Duration::from_secs(call.timeout_secs.into()) + PATIENCE;
    let silent = |_| CallError::Silent { daemon: call.daemon, secs: limit.as_secs() };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|elapsed| Err(silent(elapsed)))
}

async fn refusal(call: &Call, response: Response<Incoming>) -> CallError {
    let status = response.status();
    match Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await {
        Err(error) => broken(call, error),
        Ok(body) => match serde_json::from_slice::<Problem>(&body.to_bytes()) {
            Ok(problem) => CallError::Problem(Box::new(problem)),
            Err(error) => garbage(call, format!("status {status} without a problem: {error}")),
        },
    }
}

fn broken(call: &Call, error: Box<dyn std::error::Error + Send + Sync>) -> CallError {
    match error.downcast::<hyper::Error>() {
        Ok(source) => CallError::Broken { daemon: call.daemon, source: *source },
        Err(other) => garbage(call, other.to_string()),
    }
}

fn garbage(call: &Call, what: String) -> CallError {
    CallError::Garbage { daemon: call.daemon, what }
}
