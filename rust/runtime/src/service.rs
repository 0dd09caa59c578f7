//! A daemon's endpoints: one handler for each of its catalogue entries, no more and no fewer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use http::header;
use osmoda_types::{
    Actor, Call, Clock, Code, Daemon, Endpoint, Method, Problem, RequestId, Timestamp, openapi_document,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::gate::{Gate, Peer};
use crate::idempotency::Idempotency;
use crate::metrics::Metrics;
use crate::pipeline::{self, Prepare, Reply, Route};
use crate::record::Record;
use crate::salt::Salt;
use crate::state::StateDb;
use crate::system::Unique;

/// What every call of one daemon shares.
pub(crate) struct Kit {
    pub(crate) daemon: Daemon,
    pub(crate) version: &'static str,
    pub(crate) started_at: Timestamp,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) names: Unique,
    pub(crate) salt: Salt,
    pub(crate) gate: Gate,
    pub(crate) state: Arc<StateDb>,
    pub(crate) record: Record,
    pub(crate) idempotency: Idempotency,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shutdown: CancellationToken,
}

/// The endpoints of one daemon over its state `S`.
pub struct Service<S> {
    calls: Vec<&'static Call>,
    state: Arc<S>,
    routes: Vec<Route>,
}

impl<S: Send + Sync + 'static> Service<S> {
    /// The service of a daemon; every call the catalogue lists for it needs a handler.
    pub fn new(daemon: Daemon, state: Arc<S>) -> Self {
        Self::with_calls(osmoda_types::catalogue::calls_of(daemon).collect(), state)
    }

    /// A service over calls that are not in the catalogue, for daemons that exist only in tests.
    pub fn with_calls(calls: Vec<&'static Call>, state: Arc<S>) -> Self {
        Self { calls, state, routes: Vec::new() }
    }

    /// Serves an endpoint.
    #[must_use]
    pub fn on<E, H, F>(mut self, handler: H) -> Self
    where
        E: Endpoint,
        H: Fn(Arc<S>, Context, E::In) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<E::Out, Problem>> + Send + 'static,
    {
        let state = self.state.clone();
        self.routes.push(Route::new::<E>(prepare::<E, _, _>(move |context, input| {
            let answer = handler(state.clone(), context, input);
            async move { Reply::json(&answer.await?) }
        })));
        self
    }

    /// Serves an endpoint whose answer is a stream.
    #[must_use]
    pub fn stream<E, H, F>(mut self, handler: H) -> Self
    where
        E: Endpoint,
        H: Fn(Arc<S>, Context, E::In) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        let state = self.state.clone();
        self.routes.push(Route::new::<E>(prepare::<E, _, _>(move |context, input| {
            let answer = handler(state.clone(), context, input);
            async move { answer.await.map(Reply::Whole) }
        })));
        self
    }

    /// The router, or the first call without a handler or handler without a call.
    pub(crate) fn router(self, kit: &Arc<Kit>) -> Result<Router, String> {
        let same = |a: &Call, b: &Call| (a.method, a.path) == (b.method, b.path);
        if let Some(call) =
            self.calls.iter().find(|call| !self.routes.iter().any(|route| same(&route.call, call)))
        {
            return Err(format!("{} {} has no handler", call.method.as_str(), call.path));
        }
        if let Some(route) =
            self.routes.iter().find(|route| !self.calls.iter().any(|call| same(&route.call, call)))
        {
            return Err(format!(
                "{} {} is not in the catalogue",
                route.call.method.as_str(),
                route.call.path
            ));
        }
        let document =
            Arc::new(openapi_document(kit.daemon, kit.version, self.calls.iter().copied()).to_string());
        let mut router = Router::new();
        for route in self.routes {
            router = router.route(route.call.path, method_router(route, kit.clone()));
        }
        let of = |content_type: &'static str, text: Box<dyn Fn() -> String + Send + Sync>| {
            let (kit, text) = (kit.clone(), Arc::new(text));
            get(move |request: Request| async move {
                match known(&kit, &request) {
                    Ok(id) => pipeline::finish(
                        id,
                        Ok(([(header::CONTENT_TYPE, content_type)], text()).into_response()),
                    ),
                    Err(problem) => pipeline::refuse(&kit, request, problem).await,
                }
            })
        };
        let metrics = kit.metrics.clone();
        let router = router
            .route("/openapi.json", of("application/json", Box::new(move || document.as_ref().clone())))
            .route("/metrics", of(OPENMETRICS, Box::new(move || metrics.text())));
        let (missing, wrong) = (kit.clone(), kit.clone());
        Ok(router
            .fallback(move |request: Request| async move {
                pipeline::refuse(&missing, request, Code::RequestPath.into()).await
            })
            .method_not_allowed_fallback(move |request: Request| async move {
                pipeline::refuse(&wrong, request, Code::RequestMethod.into()).await
            }))
    }
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everybody but strangers may read the documents of a daemon.
fn known(kit: &Kit, request: &Request) -> Result<RequestId, Problem> {
    let id = pipeline::request_id(request.headers())?.unwrap_or_else(|| pipeline::fresh(kit));
    let peer = request.extensions().get::<Peer>().copied().ok_or(Code::InternalBug)?;
    match kit.gate.principal(peer, request.headers())?.actor {
        Actor::Other(_) => Err(Code::AuthRing.into()),
        _ => Ok(id),
    }
}

fn method_router(route: Route, kit: Arc<Kit>) -> MethodRouter {
    let filter = match route.call.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    };
    let route = Arc::new(route);
    on(filter, |State((route, kit)): State<(Arc<Route>, Arc<Kit>)>, request: Request| {
        pipeline::run(route, kit, request)
    })
    .with_state((route, kit))
}

/// Decoding and acting are apart: what does not decode never reaches the gate.
fn prepare<E, A, F>(act: A) -> Prepare
where
    E: Endpoint,
    A: Fn(Context, E::In) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    Box::new(move |arguments: Value| {
        let input: E::In = crate::decode::typed(&E::CALL, arguments)?;
        let act = act.clone();
        Ok(Box::new(move |context| Box::pin(act(context, input))))
    })
}
