//! What a handler knows beside its arguments.

use std::sync::{Arc, Mutex};

use http::HeaderMap;
use osmoda_types::health::{Check, Health, Status};
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Principal, RequestId, Timestamp, UndoId};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::service::Kit;

/// One call, as a handler sees it.
#[derive(Clone)]
pub struct Context {
    /// Who calls.
    pub principal: Principal,
    /// The request's id; its intent and outcome carry it.
    pub request_id: RequestId,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Fires when the daemon stops; streams end then.
    pub shutdown: CancellationToken,
    pub(crate) kit: Arc<Kit>,
    pub(crate) made: Arc<Mutex<Made>>,
}

/// What a handler leaves for the record of its call.
#[derive(Default)]
pub(crate) struct Made {
    pub(crate) facts: Vec<NewEvent>,
    pub(crate) undo: Option<UndoId>,
}

impl Context {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.kit.clock.now()
    }

    /// Records a fact in the same commit as the outcome of this call; a call that only looks has none.
    pub fn fact(&self, kind: impl Into<String>, payload: &impl Serialize) {
        let event = NewEvent::new(kind, self.principal.actor.clone(), payload);
        self.made.lock().expect("nothing panics while it holds this lock").facts.push(event);
    }

    /// Names in the outcome of this call what takes it back.
    pub fn undone_by(&self, undo: UndoId) {
        self.made.lock().expect("nothing panics while it holds this lock").undo = Some(undo);
    }

    /// A new id of what takes this call back.
    pub fn new_undo(&self) -> UndoId {
        UndoId::new(self.kit.clock.as_ref(), &self.kit.names)
    }

    /// The part of `/health` that every daemon shares, with the daemon's own checks.
    pub fn health(&self, mut checks: Vec<Check>) -> Health {
        checks.push(self.kit.state.check());
        let now = self.now();
        let up_ms = now.as_millis().saturating_sub(self.kit.started_at.as_millis());
        Health {
            status: checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok),
            version: self.kit.version.to_owned(),
            started_at: self.kit.started_at,
            uptime_secs: u64::try_from(up_ms / 1000).unwrap_or(0),
            checks,
            policy: self.kit.gate.policy(),
            consent: self.kit.gate.consent(),
            outbox_pending: self.kit.record.pending(),
        }
    }
}
