//! Streamable HTTP, on a Unix socket or on loopback with a token.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{StatusCode, header};
use osmoda_types::{Code, Problem};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::Address;
use crate::server::Bridge;
use crate::socket;

/// Largest request.
const BODY_BYTES: usize = 4 * 1024 * 1024;
/// How long a stopped server waits for its clients.
const DRAIN: Duration = Duration::from_secs(2);
/// A token that can be guessed is none.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Serves `/mcp` until told to stop.
pub(crate) async fn serve(
    bridge: Bridge,
    address: &Address,
    token_file: Option<&Path>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    // A page in a browser has an Origin; nothing that may drive this machine does.
    let config = StreamableHttpServerConfig::default()
        .enforce_origin_validation()
        .with_max_request_body_bytes(BODY_BYTES)
        .with_cancellation_token(stop.clone());
    let mcp = StreamableHttpService::new(
        move || Ok(bridge.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let mut router = Router::new().nest_service("/mcp", mcp);
    if let Some(file) = token_file {
        let token: Arc<str> = token(file)?.into();
        router = router.layer(from_fn_with_state(token, admit));
    }
    match address {
        Address::Unix(path) => {
            let (listener, _file) = socket::listen(path)?;
            tracing::info!(path = %path.display(), "ready");
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
            in_time(served.into_future(), stop).await
        }
        Address::Loopback(_) if token_file.is_none() => {
            bail!(
                "every user of the machine reaches a loopback address: give --token-file, or serve unix:PATH"
            )
        }
        Address::Loopback(address) => {
            let listener =
                TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
            tracing::info!(address = %listener.local_addr()?, "ready");
            let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
            in_time(served.into_future(), stop).await
        }
    }
}

/// A stopped server waits for its connections, but a client that keeps one open does not keep it alive.
async fn in_time(
    served: impl Future<Output = io::Result<()>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = served => Ok(ended?),
        () = late => Ok(()),
    }
}

fn token(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let token = text.trim();
    ensure!(TOKEN_BYTES.contains(&token.len()), "{}: a token has 16 to 1024 characters", file.display());
    ensure!(
        token.bytes().all(|byte| byte.is_ascii_graphic()),
        "{}: a token is printable ASCII",
        file.display()
    );
    Ok(token.to_owned())
}

/// Lets through who knows the token; the comparison takes as long for a near miss as for nonsense.
async fn admit(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    if given.is_some_and(|given| bool::from(given.ct_eq(token.as_bytes()))) {
        return next.run(request).await;
    }
    let body = serde_json::to_vec(&Problem::new(Code::AuthToken)).expect("a problem is plain data");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

/// The token after the scheme, whose case does not matter (RFC 9110, 11.1).
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
