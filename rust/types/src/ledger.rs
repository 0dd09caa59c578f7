//! What stands in the ledger: events, and the records of calls.

mod facts;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Actor, Code, Effect, RequestId, Timestamp, UndoId};

pub use facts::*;

/// Largest canonical payload of an event, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most events in one append.
pub const MAX_BATCH: usize = 128;

/// One event as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// From 1 without gaps.
    pub id: u64,
    /// agentd's clock, never before the event ahead of it.
    pub ts: Timestamp,
    /// Dotted, such as `watch.switch.committed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// The canonical JSON that was hashed.
    pub payload: Value,
    /// `hash` of the event before, 64 zeros for the first.
    pub prev_hash: String,
    /// SHA-256 of `id|ts|type|actor|payload|prev_hash`, hex.
    pub hash: String,
}

/// One event as it is handed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// Dotted type; a source uses its own name as the first part.
    #[serde(rename = "type")]
    #[schemars(regex(pattern = "^[A-Za-z0-9_.:@/-]{1,128}$"))]
    pub kind: String,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub payload: Map<String, Value>,
}

impl NewEvent {
    /// An event with one of the payloads below.
    pub fn new(kind: impl Into<String>, actor: Actor, payload: &impl Serialize) -> Self {
        match serde_json::to_value(payload) {
            Ok(Value::Object(payload)) => Self { kind: kind.into(), actor, payload },
            _ => unreachable!("every payload type is a struct with string keys"),
        }
    }
}

/// `<call>.intent`: a call that will have an effect, recorded before it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// Version of this payload.
    pub v: u32,
    /// Links the outcome to it.
    pub request_id: RequestId,
    /// The tool it was called as, if any.
    pub tool: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path as called.
    pub path: String,
    /// What it does to the machine.
    pub effect: String,
    /// `sha256:` of the canonical arguments.
    pub args_digest: String,
    /// The arguments, cut out where they are over 8 KiB.
    pub args: Value,
    /// Why it may.
    pub decision: Decision,
    /// The agent's conversation, if any.
    pub session: Option<String>,
    /// The kernel's word on the caller's user.
    pub uid: u32,
    /// For whom a daemon acted.
    pub on_behalf: Option<Actor>,
    /// The source's clock.
    pub at: Timestamp,
}

impl Intent {
    /// The version written now.
    pub const V: u32 = 1;
    /// Arguments up to this size stand in the intent; larger ones by digest only.
    pub const MAX_ARGS_BYTES: usize = 8 * 1024;

    /// How an effect is written.
    pub fn effect(effect: Effect) -> String {
        effect.name().to_owned()
    }
}

/// What the gate said and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// `allow`, later also `approve`.
    pub verdict: Verdict,
    /// The rule that decided.
    pub rule: String,
    /// `sha256:` of the policy.
    pub policy: String,
}

/// The gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call goes on.
    Allow,
}

/// `<call>.outcome`: what became of an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Version of this payload.
    pub v: u32,
    /// The intent's request.
    pub request_id: RequestId,
    /// How it ended.
    pub result: CallResult,
    /// HTTP status, none where nobody was answered.
    pub status: Option<u16>,
    /// The error code of a failed call.
    pub code: Option<Code>,
    /// `sha256:` of the answer's bytes as sent.
    pub result_digest: Option<String>,
    /// From intent to outcome.
    pub duration_ms: Option<u64>,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoId>,
    /// The source's clock.
    pub at: Timestamp,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallResult {
    /// It did what was asked.
    Ok,
    /// It did not.
    Failed,
    /// It was interrupted: nobody knows.
    Unknown,
}

/// `<daemon>.session.read`: what one caller read within a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionRead {
    /// Version of this payload.
    pub v: u32,
    /// The conversation, if the caller named one.
    pub session: Option<String>,
    /// Each call, in order.
    pub calls: Vec<ReadCall>,
}

/// One call that only looked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadCall {
    /// The request.
    pub request_id: RequestId,
    /// Ledger name of the call.
    pub call: String,
    /// The tool it was called as, if any.
    pub tool: Option<String>,
    /// `sha256:` of the canonical arguments.
    pub args_digest: String,
    /// `sha256:` of the answer's bytes as sent; none for endless streams, failures and answers that were cut off.
    pub result_digest: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// Milliseconds it took.
    pub ms: u64,
    /// The source's clock.
    pub at: Timestamp,
}

/// `<call>.denied`: a call that the gate or the ring stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Denied {
    /// Version of this payload.
    pub v: u32,
    /// The request.
    pub request_id: RequestId,
    /// HTTP method.
    pub method: String,
    /// Path as called.
    pub path: String,
    /// Why not.
    pub code: Code,
    /// The kernel's word on the caller's user.
    pub uid: u32,
    /// The source's clock.
    pub at: Timestamp,
}
