//! Taking back what was done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Call, Code, Daemon, Effect, Endpoint, Method, Since, Timestamp, Toolset, Undo as Back, UndoId};

/// Every call of the undo journal.
pub const CALLS: &[Call] = &[Undo::CALL];

/// What to take back: one change by its undo id or the event of its outcome, or all of the caller's since a time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoIn {
    /// One change.
    #[serde(default)]
    pub undo: Option<UndoId>,
    /// One change, by the event id of its outcome.
    #[serde(default)]
    pub event: Option<u64>,
    /// All of the caller's changes since then, newest first; an operator takes back everybody's.
    #[serde(default)]
    pub since: Option<Since>,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of each change. What cannot be undone stands first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UndoOut {
    /// Calls whose effect nothing takes back.
    pub impossible: Vec<Irreversible>,
    /// Changes that were not taken back, with the reason.
    pub refused: Vec<Undone>,
    /// Changes that were taken back, newest first; with `dry_run`, that would be.
    pub undone: Vec<Undone>,
}

/// A call whose effect nothing takes back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Irreversible {
    /// The outcome's event.
    pub event_id: u64,
    /// The call.
    pub call: String,
    /// When.
    pub at: Timestamp,
}

/// One change and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Undone {
    /// Its id.
    pub undo: UndoId,
    /// What it changed, as in `file /srv/motd`.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `POST /undo`.
pub struct Undo;
impl Endpoint for Undo {
    type In = UndoIn;
    type Out = UndoOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Back::Nothing,
        Daemon::Agentd,
        Method::Post,
        "/undo",
        "Put back what you changed: files with their bytes, owner, mode and times, services, kernel settings, firewall, memories. A change that somebody else overwrote since is refused, and what cannot be undone is listed first.",
    )
    .tool("undo", Toolset::System)
    .timeout_secs(120)
    .errors(&[Code::UndoNotFound, Code::RootAbsent])
    .example(|| {
        (
            json!({"since": "10m"}),
            json!({"impossible": [], "refused": [], "undone": [{"undo": "undo_01kaq3v8e2m6zr0t5h9xw4c7yd",
                "what": "file /srv/motd", "at": "2026-11-24T08:30:00.000Z"}]}),
        )
    });
}
