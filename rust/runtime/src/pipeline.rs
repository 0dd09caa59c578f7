//! The one path of a call: identity → decode → admission → idempotency → gate → intent → handler → outcome.
//!
//! No handler repeats a step of it and none can be reached around it.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use osmoda_types::ledger::{CallResult, Denied, Intent, Outcome, ReadCall};
use osmoda_types::{Actor, Call, Code, Effect, Endpoint, Principal, Problem, RequestId, Ring, json};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument;

use crate::context::{Context, Made};
use crate::decode;
use crate::gate::{Gate, Peer};
use crate::idempotency::{Begin, Idempotency, REPLAYED};
use crate::noted;
use crate::problem;
use crate::service::Kit;

const REQUEST_ID: &str = "x-request-id";

/// Checks arguments and gives back the act that only needs to be started.
pub(crate) type Prepare = Box<dyn Fn(Value) -> Result<Act, Problem> + Send + Sync>;
pub(crate) type Act = Box<dyn FnOnce(Context) -> BoxFuture<'static, Result<Reply, Problem>> + Send>;

/// What a handler answers.
pub(crate) enum Reply {
    /// One JSON object.
    Json(Vec<u8>),
    /// A response of its own: a stream.
    Whole(Response),
}

impl Reply {
    pub(crate) fn json(answer: &impl Serialize) -> Result<Self, Problem> {
        serde_json::to_vec(answer)
            .map(Self::Json)
            .map_err(|error| Problem::new(Code::InternalBug).detail(error.to_string()))
    }
}

/// A catalogue entry with what is derived from it once.
pub(crate) struct Route {
    pub(crate) call: Call,
    event: String,
    schema: Value,
    prepare: Prepare,
}

impl Route {
    pub(crate) fn new<E: Endpoint>(prepare: Prepare) -> Self {
        Self { call: E::CALL, event: E::CALL.event(), schema: (E::CALL.input)().to_value(), prepare }
    }
}

/// Answers one request that no call is behind.
pub(crate) async fn refuse(kit: &Kit, request: Request, problem: Problem) -> Response {
    let id = request_id(request.headers()).ok().flatten().unwrap_or_else(|| fresh(kit));
    decode::drain(&mut request.into_body()).await;
    finish(id, Err(problem))
}

/// Answers one request.
pub(crate) async fn run(route: Arc<Route>, kit: Arc<Kit>, mut request: Request) -> Response {
    let started = Instant::now();
    let (id, asked) = match request_id(request.headers()) {
        Ok(given) => (given.unwrap_or_else(|| fresh(&kit)), Ok(())),
        Err(problem) => (fresh(&kit), Err(problem)),
    };
    let params = request.extract_parts::<RawPathParams>().await;
    let (parts, mut body) = request.into_parts();
    let span = tracing::debug_span!("call", request_id = %id, call = route.event);
    let answered = async {
        asked?;
        let params = params
            .map_err(|_| Problem::new(Code::RequestId).detail("the path is not percent-encoded UTF-8"))?;
        let params: Vec<(String, String)> =
            params.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        answer(&route, &kit, parts, &mut body, &params, id).await
    };
    let answered = answered.instrument(span).await;
    if answered.is_err() {
        decode::drain(&mut body).await;
    }
    let status =
        answered.as_ref().map_or_else(|problem| problem.status, |response| response.status().as_u16());
    kit.metrics.call(&route.event, status, started.elapsed());
    if let Err(problem) = &answered {
        let (code, elapsed_ms) = (problem.code.as_str(), millis(started.elapsed()));
        let detail = problem.detail.as_deref();
        if status >= 500 {
            tracing::warn!(request_id = %id, call = route.event, status, code, detail, elapsed_ms, "call failed");
        } else {
            tracing::info!(request_id = %id, call = route.event, status, code, detail, elapsed_ms, "call refused");
        }
    }
    finish(id, answered)
}

/// The response to send: problems as problem+json, everything with its request id.
pub(crate) fn finish(id: RequestId, answered: Result<Response, Problem>) -> Response {
    let mut response = answered.unwrap_or_else(|mut problem| {
        problem.instance = Some(id.to_string());
        problem::response(&problem)
    });
    response
        .headers_mut()
        .insert(REQUEST_ID, HeaderValue::from_str(&id.to_string()).expect("an id is ASCII"));
    response
}

pub(crate) fn request_id(headers: &HeaderMap) -> Result<Option<RequestId>, Problem> {
    let Some(value) = headers.get(REQUEST_ID) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.parse().ok());
    id.map(Some)
        .ok_or_else(|| Problem::new(Code::RequestId).detail("X-Request-Id is req_ and a lower-case ULID"))
}

pub(crate) fn fresh(kit: &Kit) -> RequestId {
    RequestId::new(kit.clock.as_ref(), &kit.names)
}

/// One request whose caller is known.
struct Asked {
    id: RequestId,
    principal: Principal,
    headers: HeaderMap,
    path: String,
    /// As records show them.
    arguments: Value,
}

async fn answer(
    route: &Arc<Route>,
    kit: &Arc<Kit>,
    parts: Parts,
    body: &mut Body,
    params: &[(String, String)],
    id: RequestId,
) -> Result<Response, Problem> {
    let peer = parts.extensions.get::<Peer>().copied().ok_or(Code::InternalBug)?;
    let principal = kit.gate.principal(peer, &parts.headers)?;
    if let Err(problem) = Gate::admit(&principal, &route.call) {
        let (method, path) = (route.call.method.as_str().to_owned(), parts.uri.path().to_owned());
        let denied = Denied {
            v: 1,
            request_id: id,
            method,
            path,
            code: problem.code,
            uid: principal.uid,
            at: kit.clock.now(),
        };
        kit.record.denied(&route.event, &principal, &denied).await;
        return Err(problem);
    }
    let arguments = decode::arguments(&route.call, &route.schema, &parts, params, body).await?;
    let shown = kit.salt.shown(&route.call, &arguments);
    let act = (route.prepare)(arguments)?;
    let asked =
        Asked { id, principal, headers: parts.headers, path: parts.uri.path().to_owned(), arguments: shown };
    if route.call.effect == Effect::Observe {
        observe(route, kit, asked, act).await
    } else {
        // On a task of its own: a caller that hangs up does not leave an effect half done or half recorded.
        let (route, kit) = (route.clone(), kit.clone());
        let effect = async move { effect(&route, &kit, asked, act).await };
        tokio::spawn(effect.in_current_span()).await.map_err(|_| Problem::new(Code::InternalPanic))?
    }
}

/// A call that only looks: what agents read is noted, and a caller that hangs up stops it.
async fn observe(route: &Route, kit: &Arc<Kit>, asked: Asked, act: Act) -> Result<Response, Problem> {
    let started = Instant::now();
    let noted = matches!(asked.principal.actor, Actor::Agent(_) | Actor::Other(_))
        && asked.principal.ring != Ring::Two;
    if !noted {
        let (reply, _) = perform(route, kit, asked.headers, asked.id, asked.principal, act).await;
        return reply.map(respond);
    }
    let principal = asked.principal.clone();
    let mut read = ReadCall {
        request_id: asked.id,
        call: route.event.clone(),
        tool: principal.tool.clone(),
        args_digest: digest(&asked.arguments),
        result_digest: None,
        status: 200,
        ms: 0,
        at: kit.clock.now(),
    };
    let (reply, _) = perform(route, kit, asked.headers, asked.id, asked.principal, act).await;
    read.ms = millis(started.elapsed());
    match &reply {
        Ok(Reply::Json(body)) => read.result_digest = Some(json::digest_of(body)),
        Ok(Reply::Whole(_)) => {}
        Err(problem) => read.status = problem.status,
    }
    match reply {
        Ok(Reply::Whole(answer)) if !route.call.stream => {
            Ok(noted::when_gone(answer, kit.clone(), principal, read))
        }
        reply => {
            kit.record.read(&principal, read).await;
            reply.map(respond)
        }
    }
}

/// A call with an effect: it takes place only between a durable intent and a durable outcome.
async fn effect(route: &Route, kit: &Arc<Kit>, asked: Asked, act: Act) -> Result<Response, Problem> {
    let canonical = json::canonical(&asked.arguments);
    let args_digest = json::digest_of(canonical.as_bytes());
    let slot = Idempotency::slot(
        &asked.headers,
        &asked.principal,
        route.call.method.as_str(),
        &asked.path,
        &args_digest,
    )?;
    if let Some(slot) = &slot
        && let Begin::Replay { status, body } = kit.idempotency.begin(slot.clone()).await?
    {
        return Ok(replay(status, body));
    }
    let answered =
        recorded(route, kit, asked, args_digest, canonical.len() <= Intent::MAX_ARGS_BYTES, act).await;
    if let Some(slot) = slot {
        let kept = match &answered {
            Ok(body) => {
                kit.idempotency.finish(slot, StatusCode::OK, String::from_utf8_lossy(body).into_owned()).await
            }
            Err(problem) if is_unknown(problem) => kit.idempotency.lose(slot).await,
            Err(problem) => {
                let status = StatusCode::from_u16(problem.status).expect("codes carry valid statuses");
                let body = serde_json::to_string(problem).expect("a Problem is plain data");
                kit.idempotency.finish(slot, status, body).await
            }
        };
        if let Err(error) = kept {
            tracing::warn!(error = %osmoda_types::chain(&error), "an answer could not be kept for its Idempotency-Key");
        }
    }
    answered.map(|body| respond(Reply::Json(body)))
}

async fn recorded(
    route: &Route,
    kit: &Arc<Kit>,
    asked: Asked,
    args_digest: String,
    // Arguments stand in the intent; large ones by their digest alone.
    shown: bool,
    act: Act,
) -> Result<Vec<u8>, Problem> {
    let started = Instant::now();
    let principal = asked.principal;
    let decision = kit.gate.decide(&principal, &route.call);
    let intent = Intent {
        v: Intent::V,
        request_id: asked.id,
        tool: principal.tool.clone(),
        method: route.call.method.as_str().to_owned(),
        path: asked.path,
        effect: Intent::effect(route.call.effect),
        args: if shown { asked.arguments } else { Value::Null },
        args_digest,
        decision,
        session: principal.session.clone(),
        uid: principal.uid,
        on_behalf: principal.on_behalf.clone(),
        at: kit.clock.now(),
    };
    kit.record.intent(&route.event, &principal, &intent).await?;
    let (reply, made) = perform(route, kit, asked.headers, asked.id, principal.clone(), act).await;
    let answered = match reply {
        Ok(Reply::Json(body)) => Ok(body),
        Ok(Reply::Whole(_)) => {
            Err(Problem::new(Code::InternalBug).detail("a call with an effect answered with a stream"))
        }
        // An effect that ran out of time may be half done.
        Err(problem) if problem.code == Code::RequestTimeout => Err(Code::OutcomeUnknown.into()),
        Err(problem) => Err(problem),
    };
    let (result, code) = match &answered {
        Ok(_) => (CallResult::Ok, None),
        Err(problem) if is_unknown(problem) => (CallResult::Unknown, Some(problem.code)),
        Err(problem) => (CallResult::Failed, Some(problem.code)),
    };
    let outcome = Outcome {
        v: 1,
        request_id: asked.id,
        result,
        status: Some(answered.as_ref().map_or_else(|problem| problem.status, |_| 200)),
        code,
        result_digest: answered.as_ref().ok().map(|body| json::digest_of(body)),
        duration_ms: Some(millis(started.elapsed())),
        undo: made.undo,
        at: kit.clock.now(),
    };
    if let Err(unrecorded) = kit.record.outcome(&route.event, &principal, &outcome, made.facts).await {
        // The effect may stand, its outcome is not in the ledger: claiming either would be a lie.
        tracing::error!(
            call = route.event,
            code = unrecorded.code.as_str(),
            "an outcome could not be recorded"
        );
        return Err(Problem::new(Code::OutcomeUnknown)
            .detail(format!("the call ended, its record failed: {}", unrecorded.code.as_str())));
    }
    answered
}

/// Runs the handler within its time limit; a panic in it is a failed call, not a dead daemon.
async fn perform(
    route: &Route,
    kit: &Arc<Kit>,
    headers: HeaderMap,
    id: RequestId,
    principal: Principal,
    act: Act,
) -> (Result<Reply, Problem>, Made) {
    let made: Arc<Mutex<Made>> = Arc::default();
    let context = Context {
        principal,
        request_id: id,
        headers,
        shutdown: kit.shutdown.clone(),
        kit: kit.clone(),
        made: Arc::clone(&made),
    };
    let limit = Duration::from_secs(route.call.timeout_secs.into());
    let running = AssertUnwindSafe(async move { act(context).await }).catch_unwind();
    let reply = match tokio::time::timeout(limit, running).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => {
            tracing::error!(call = route.event, "a handler panicked");
            Err(Code::InternalPanic.into())
        }
        Err(_) => Err(Problem::new(Code::RequestTimeout)
            .detail(format!("this call may take {} s", route.call.timeout_secs))),
    };
    let made = std::mem::take(&mut *made.lock().expect("nothing panics while it holds this lock"));
    (reply, made)
}

/// Whether the effect may or may not have taken place.
fn is_unknown(problem: &Problem) -> bool {
    matches!(problem.code, Code::OutcomeUnknown | Code::InternalPanic)
}

fn respond(reply: Reply) -> Response {
    match reply {
        Reply::Json(body) => json_response(StatusCode::OK, body.into()),
        Reply::Whole(response) => response,
    }
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(status, body.into());
    if !status.is_success() {
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn json_response(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn digest(arguments: &Value) -> String {
    json::digest_of(json::canonical(arguments).as_bytes())
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
