//! Accepting and serving connections, a bounded number of them: when all places are taken, the one that has been idle
//! the longest gives way, so that idle connections never shut out an honest caller.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use http::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use osmoda_types::{Code, Problem};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::gate::Peer;
use crate::listener::Listener;
use crate::service::Kit;

/// Connections served at once; well below the 1024 files a process may open by default.
const PLACES: usize = 512;
/// From the first byte to the end of the request's head, and between requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stopping daemon waits for the first request of somebody it has just let in.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// Longest head in bytes.
const HEAD_BYTES: usize = 32 * 1024;

/// Serves `router` until the daemon stops, then lets running calls finish for at most `drain`.
pub(crate) async fn serve(listener: Listener, router: Router, kit: Arc<Kit>, drain: Duration) {
    let places = Arc::new(Places::default());
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = kit.shutdown.cancelled() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors or memory: others must end before it gets better.
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = places.take() else {
            tokio::spawn(refuse(stream, kit.clone()));
            continue;
        };
        tasks.spawn(connection(stream, router.clone(), place, kit.clone()));
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!(drain_secs = drain.as_secs(), "calls were still running at the end of the drain");
    }
}

async fn connection(stream: UnixStream, router: Router, place: Place, kit: Arc<Kit>) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let peer = Peer { uid: credentials.uid(), gid: credentials.gid() };
    let _open = kit.metrics.connection();
    let state = place.clone();
    let begun = CancellationToken::new();
    let begins = begun.clone();
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        state.busy();
        begins.cancel();
        request.extensions_mut().insert(peer);
        let (router, state) = (router.clone(), state.clone());
        // The answer's body holds the connection busy: a stream is not idle while it waits for what comes next.
        let answer = Answering(state);
        async move {
            let response = router.oneshot(request.map(Body::new)).await;
            response.map(|response| response.map(|body| Body::new(AnswerBody { body, _answering: answer })))
        }
    });
    let mut http = http1::Builder::new();
    // Without half-close, a caller that goes away ends its call at once.
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .half_close(false);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = place.evicted.cancelled() => return,
        () = kit.shutdown.cancelled() => {
            // hyper hangs up on a connection whose first request it has not read yet; who was let in is answered.
            let first = tokio::time::timeout(FIRST_REQUEST, begun.cancelled());
            tokio::select! {
                ended = serving.as_mut() => ended,
                _ = first => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, peer_uid = peer.uid, "connection ended early");
    }
}

/// All places are busy: say so and close.
async fn refuse(stream: UnixStream, kit: Arc<Kit>) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let kit = kit.clone();
        async move {
            let problem = Problem { retry_after_secs: Some(1), ..Code::LimitBusy.into() };
            Ok::<_, std::convert::Infallible>(
                crate::pipeline::refuse(&kit, request.map(Body::new), problem).await,
            )
        }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false);
    let serving: Pin<Box<dyn Future<Output = _> + Send>> =
        Box::pin(http.serve_connection(TokioIo::new(stream), service));
    let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
}

#[derive(Debug, Default)]
struct Places {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    taken: usize,
    /// Idle connections by when they became so.
    idle: BTreeMap<u64, CancellationToken>,
}

impl Places {
    fn take(self: &Arc<Self>) -> Option<Place> {
        let mut inner = self.lock();
        if inner.taken >= PLACES {
            // The evicted connection still counts until its task ends; the newcomer takes its place now.
            let (_, oldest) = inner.idle.pop_first()?;
            oldest.cancel();
        }
        inner.taken += 1;
        drop(inner);
        let place = Place(Arc::new(PlaceInner {
            places: self.clone(),
            turn: Mutex::new(None),
            evicted: CancellationToken::new(),
        }));
        place.idle();
        Some(place)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds this lock")
    }
}

/// One connection's place; given back when its last clone is dropped.
#[derive(Clone, Debug)]
struct Place(Arc<PlaceInner>);

#[derive(Debug)]
struct PlaceInner {
    places: Arc<Places>,
    turn: Mutex<Option<u64>>,
    evicted: CancellationToken,
}

impl std::ops::Deref for Place {
    type Target = PlaceInner;

    fn deref(&self) -> &PlaceInner {
        &self.0
    }
}

impl PlaceInner {
    fn busy(&self) {
        if let Some(turn) = self.turn.lock().expect("nothing panics while it holds this lock").take() {
            self.places.lock().idle.remove(&turn);
        }
    }

    fn idle(&self) {
        let mut inner = self.places.lock();
        inner.next += 1;
        let turn = inner.next;
        inner.idle.insert(turn, self.evicted.clone());
        drop(inner);
        *self.turn.lock().expect("nothing panics while it holds this lock") = Some(turn);
    }
}

/// From a request's head to the end of its answer's body.
struct Answering(Place);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.idle();
    }
}

struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for PlaceInner {
    fn drop(&mut self) {
        self.busy();
        self.places.lock().taken -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_gives_way_and_a_busy_one_does_not() {
        let places = Arc::new(Places::default());
        let all: Vec<Place> = (0..PLACES).map(|_| places.take().unwrap()).collect();
        all[0].busy();
        let newcomer = places.take().unwrap();
        assert!(!all[0].evicted.is_cancelled() && all[1].evicted.is_cancelled());
        for place in all.iter().skip(2).chain([&newcomer]) {
            place.busy();
        }
        assert!(places.take().is_none(), "all busy: the newcomer is refused");
        drop(all);
        drop(newcomer);
        assert_eq!(places.lock().taken, 0);
        assert!(places.lock().idle.is_empty());
    }
}
