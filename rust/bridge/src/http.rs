//! Streamable HTTP, on a Unix socket or on loopback with a token.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

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
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::args::Address;
use crate::server::Bridge;

/// Largest request.
const BODY_BYTES: usize = 4 * 1024 * 1024;
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
    let router = Router::new().nest_service("/mcp", mcp);
    let stopped = stop.cancelled_owned();
    match address {
        Address::Unix(path) => {
            let listener = listen(path)?;
            tracing::info!(path = %path.display(), "ready");
            let served = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
            let _ = fs::remove_file(path);
            Ok(served?)
        }
        Address::Loopback(address) => {
            let Some(file) = token_file else {
                bail!(
                    "every user of the machine reaches a loopback address: give --token-file, or serve unix:PATH"
                );
            };
            let token: Arc<str> = token(file)?.into();
            let router = router.layer(from_fn_with_state(token, admit));
            let listener =
                TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
            tracing::info!(address = %listener.local_addr()?, "ready");
            Ok(axum::serve(listener, router).with_graceful_shutdown(stopped).await?)
        }
    }
}

/// A socket for this user alone; one that nobody answers on is replaced.
fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?;
    }
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
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
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| bool::from(given.ct_eq(token.as_bytes()))) {
        return next.run(request).await;
    }
    let problem = Problem { status: 401, ..Problem::new(Code::AuthRing) };
    let problem = problem
        .detail("no or a wrong bearer token")
        .next_step("send Authorization: Bearer and the token of --token-file");
    let body = serde_json::to_vec(&problem).expect("a problem is plain data");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}
