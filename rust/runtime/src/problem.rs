//! Failed calls on the wire, and what they are for the log.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use osmoda_store::Error as StoreError;
use osmoda_types::{Code, Problem};

/// A problem as a response.
pub(crate) fn response(problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).expect("a Problem is plain data");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(problem.status).expect("codes carry valid statuses");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(secs) = problem.retry_after_secs {
        headers.insert(header::RETRY_AFTER, secs.into());
    }
    response
}

/// Trouble with stored state, without paths: those stand in the log.
pub fn of_store(error: &StoreError) -> Problem {
    Problem::new(match error {
        StoreError::Full { .. } => Code::StateFull,
        // Locked by another process, or closed because this one stops: nothing is wrong with the state itself.
        StoreError::Unwritable { .. } | StoreError::Busy { .. } | StoreError::Closed => Code::StateUnwritable,
        StoreError::Corrupt { .. } => Code::StateCorrupt,
        StoreError::NewerSchema { .. } => Code::StateNewerSchema,
        StoreError::Sql { .. } => Code::InternalBug,
    })
}
