//! What stands in the ledger: events, and the payloads of calls and facts.

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::agentd::firewall::OpenPorts;
use crate::api::agentd::process::Signal;
use crate::{Actor, Code, Effect, MachineId, RequestId, Timestamp};

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
    /// `sha256:` of the answer's bytes as sent; none for streams and failures.
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

/// `agentd.ledger.created`: always event 1; names the log and its first signer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCreated {
    /// Version of this payload.
    pub v: u32,
    /// The machine.
    pub machine_id: MachineId,
    /// `osmoda/<machine_id>/ledger`.
    pub origin: String,
    /// Verifier key of the checkpoints.
    pub signer: String,
}

/// `agentd.clock.jumped`: the wall clock moved by itself; order in the ledger is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockJumped {
    /// Version of this payload.
    pub v: u32,
    /// The last time in the ledger.
    pub from: Timestamp,
    /// What the clock says now.
    pub to: Timestamp,
}

/// `agentd.source.started`: a daemon began a new outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceStarted {
    /// Version of this payload.
    pub v: u32,
    /// The daemon.
    pub source: String,
    /// Its new outbox.
    pub epoch: String,
    /// The outbox before, if there was one.
    pub previous: Option<PreviousSource>,
}

/// Where an abandoned outbox ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreviousSource {
    /// The outbox.
    pub epoch: String,
    /// Its last recorded sequence number.
    pub last_seq: u64,
}

/// `<daemon>.alert.raised`: somebody should look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Version of this payload.
    pub v: u32,
    /// What noticed it.
    pub source: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What happened.
    pub detail: String,
    /// Events or ids to look at.
    pub links: Vec<String>,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Degraded.
    Warning,
    /// Someone must act.
    Critical,
}

/// `agentd.sysctl.changed`: a parameter of the kernel has another value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SysctlChanged {
    /// Version of this payload.
    pub v: u32,
    /// The parameter.
    pub key: String,
    /// What it was; none where it can only be written.
    pub before: Option<String>,
    /// What the kernel made of it.
    pub after: Option<String>,
}

/// `agentd.process.signalled`: a process got a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessSignalled {
    /// Version of this payload.
    pub v: u32,
    /// Its id.
    pub pid: u32,
    /// Name of its program.
    pub name: String,
    /// The unit it ran in.
    pub unit: Option<String>,
    /// The signal, without SIG.
    pub signal: Signal,
}

/// `agentd.firewall.allowed` and `agentd.firewall.revoked`: who may reach which ports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallChanged {
    /// Version of this payload.
    pub v: u32,
    /// The opening as it was before; none where there was none.
    pub before: Option<OpenPorts>,
    /// The opening as it is now; none where there is none any more.
    pub after: Option<OpenPorts>,
}

/// One kind of event that is not a call of the catalogue.
pub struct Fact {
    /// Its type; `<…>` stands for a part that varies.
    pub kind: &'static str,
    /// What it records.
    pub summary: &'static str,
    /// JSON Schema of its payload.
    pub payload: fn() -> Schema,
}

/// Every event type there is.
pub const FACTS: &[Fact] = &[
    Fact {
        kind: "<call>.intent",
        summary: "a call that will have an effect, before it does",
        payload: || schema_for!(Intent),
    },
    Fact { kind: "<call>.outcome", summary: "what became of an intent", payload: || schema_for!(Outcome) },
    Fact {
        kind: "<call>.denied",
        summary: "a call that was not let through",
        payload: || schema_for!(Denied),
    },
    Fact {
        kind: "<daemon>.session.read",
        summary: "what one caller read within a minute",
        payload: || schema_for!(SessionRead),
    },
    Fact { kind: "<daemon>.alert.raised", summary: "somebody should look", payload: || schema_for!(Alert) },
    Fact {
        kind: "agentd.ledger.created",
        summary: "always event 1: the log and its first signer",
        payload: || schema_for!(LedgerCreated),
    },
    Fact {
        kind: "agentd.clock.jumped",
        summary: "the wall clock moved by itself",
        payload: || schema_for!(ClockJumped),
    },
    Fact {
        kind: "agentd.source.started",
        summary: "a daemon began a new outbox",
        payload: || schema_for!(SourceStarted),
    },
    Fact {
        kind: "agentd.sysctl.changed",
        summary: "a parameter of the kernel has another value",
        payload: || schema_for!(SysctlChanged),
    },
    Fact {
        kind: "agentd.process.signalled",
        summary: "a process got a signal",
        payload: || schema_for!(ProcessSignalled),
    },
    Fact {
        kind: "agentd.firewall.allowed",
        summary: "ports were opened, or opened for another time",
        payload: || schema_for!(FirewallChanged),
    },
    Fact {
        kind: "agentd.firewall.revoked",
        summary: "an opening was taken back",
        payload: || schema_for!(FirewallChanged),
    },
];
