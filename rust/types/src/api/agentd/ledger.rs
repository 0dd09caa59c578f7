//! The ledger's calls: reading, proving and appending events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ledger::{Event, MAX_BATCH, NewEvent, Severity};
use crate::{
    Call, Code, Daemon, Effect, Empty, Endpoint, Few, Limit, Method, RequestId, Since, Text, Timestamp,
    Toolset, Undo, Within,
};

/// Every ledger call.
pub const CALLS: &[Call] = &[
    EventsLog::CALL,
    EventsStream::CALL,
    EventProof::CALL,
    LedgerHead::CALL,
    LedgerCheckpoint::CALL,
    LedgerVerify::CALL,
    LedgerConsistency::CALL,
    LedgerExport::CALL,
    EventsAppend::CALL,
    EventsSource::CALL,
    NotifySend::CALL,
];

/// What somebody should know.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySendIn {
    /// One line.
    pub title: Text<200>,
    /// What happened.
    #[serde(default)]
    pub detail: Option<Text<4000>>,
    /// How bad it is; `info` unless told.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Ids or events to look at.
    #[serde(default)]
    pub links: Few<Text<200>, 16>,
}

/// Where the alert went.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NotifySendOut {
    /// `ledger`: it stands there as `agentd.alert.raised`.
    pub channels: Vec<String>,
}

/// `POST /notify`.
pub struct NotifySend;
impl Endpoint for NotifySend {
    type In = NotifySendIn;
    type Out = NotifySendOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Nothing,
        Daemon::Agentd,
        Method::Post,
        "/notify",
        "Tell the people who answer for this machine. The alert stands in the ledger, where event_log and agentctl events show it.",
    )
    .tool("notify_send", Toolset::System)
    .callers(Daemon::ALL)
    .example(|| {
        (
            json!({"title": "Disk at 91 %", "severity": "warning", "detail": "/srv grew by 20 GB since Monday"}),
            json!({"channels": ["ledger"]}),
        )
    });
}

/// Which events to list. Newest first, unless `after_id` asks for what follows an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsLogIn {
    /// Exact type, or a prefix when it ends in a dot (`watch.`).
    #[serde(rename = "type")]
    pub kind: Option<Text<128>>,
    /// Exact actor, such as `agent:main`.
    pub actor: Option<Text<128>>,
    /// Not before.
    pub since: Option<Since>,
    /// Not after.
    pub until: Option<Since>,
    /// Only events after this one, oldest first.
    pub after_id: Option<EventId>,
    /// Only events before this one.
    pub before_id: Option<EventId>,
    /// The `next` of the page before.
    pub after: Option<Text<64>>,
    /// Text that must occur in the payload.
    pub q: Option<Text<256>>,
    /// Rows at the most, 100 unless told.
    pub limit: Option<Limit>,
}

/// A position in the ledger; 0 is before the first event.
pub type EventId = Within<0, { crate::json::MAX_SAFE_INTEGER }>;

/// A page of events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventsLogOut {
    /// The events.
    pub events: Vec<Event>,
    /// Give it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// `GET /events/log`.
pub struct EventsLog;
impl Endpoint for EventsLog {
    type In = EventsLogIn;
    type Out = EventsLogOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/events/log",
        "Browse the tamper-evident audit trail: who did what, when and with what result. Filter by type (prefix with a trailing dot), actor, time and text; `Accept: application/x-ndjson` gives one event a line.")
        .tool("event_log", Toolset::Ledger)
        .callers(Daemon::ALL)
        .example(|| (json!({"type": "agentd.", "limit": 1}), json!({"events": [example_event()], "next": "7"})));
}

/// Which events to follow.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsStreamIn {
    /// Exact type, or a prefix when it ends in a dot.
    #[serde(rename = "type")]
    pub kind: Option<Text<128>>,
    /// Start after this event; by default after the newest.
    pub after_id: Option<EventId>,
    /// End after so many events.
    pub limit: Option<Limit>,
    /// End after so many seconds.
    pub wait_secs: Option<Within<1, 300>>,
}

/// `GET /events/stream`.
pub struct EventsStream;
impl Endpoint for EventsStream {
    type In = EventsStreamIn;
    type Out = Event;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/events/stream",
        "Wait for new events and see them as they happen. Resumes after `after_id` or Last-Event-ID; ends after `limit` events or `wait_secs` seconds if given.")
        .tool("event_watch", Toolset::Ledger)
        .callers(Daemon::ALL)
        .stream()
        .example(|| (json!({"type": "watch.", "wait_secs": 30}), example_event()));
}

/// Which event to prove, and in which tree.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventProofIn {
    /// The event.
    pub id: EventId,
    /// Size of the tree, by default that of the newest checkpoint that holds the event, else the ledger's.
    pub size: Option<EventId>,
}

/// An RFC 6962 inclusion proof.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventProofOut {
    /// The event; its leaf is SHA-256(0x00 || hash).
    pub event: Event,
    /// Zero-based leaf index: `id` - 1.
    pub index: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// Root of the tree, base64.
    pub root: String,
    /// Audit path from leaf to root, base64.
    pub path: Vec<String>,
    /// The signed checkpoint of that size, if one was made.
    pub checkpoint: Option<String>,
}

/// `GET /events/{id}/proof`.
pub struct EventProof;
impl Endpoint for EventProof {
    type In = EventProofIn;
    type Out = EventProofOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/events/{id}/proof",
        "Prove that one event stands in the ledger: an RFC 6962 inclusion proof with the signed checkpoint it leads to.")
        .tool("ledger_proof", Toolset::Ledger)
        .errors(&[Code::LedgerNotFound])
        .example(|| (json!({"id": 1}), json!({"event": example_event(), "index": 6, "size": 7,
            "root": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "path": [], "checkpoint": null})));
}

/// Where the ledger stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LedgerHeadOut {
    /// The log's name, `osmoda/<machine_id>/ledger`.
    pub origin: String,
    /// Number of events; also the id of the last one.
    pub size: u64,
    /// Hash of the last event.
    pub hash: String,
    /// Time of the last event.
    pub ts: Option<Timestamp>,
    /// Merkle root over all events, base64.
    pub root: String,
}

/// `GET /ledger/head`.
pub struct LedgerHead;
impl Endpoint for LedgerHead {
    type In = Empty;
    type Out = LedgerHeadOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/ledger/head", "Where the ledger stands: number of events, last hash, Merkle root.")
        .toolset(Toolset::Ledger)
        .callers(Daemon::ALL)
        .example(|| (json!({}), json!({"origin": "osmoda/mach_01kaq3v8e2m6zr0t5h9xw4c7yd/ledger", "size": 7,
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "ts": "2026-11-24T08:30:00.000Z",
            "root": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="})));
}

/// A signed statement about the whole ledger.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCheckpointOut {
    /// Events it covers.
    pub size: u64,
    /// Merkle root over them, base64.
    pub root: String,
    /// The C2SP tlog-checkpoint note; keep it elsewhere to detect a rewritten ledger later.
    pub note: String,
    /// Verifier key of the signature.
    pub signer: String,
}

/// `GET /ledger/checkpoint`.
pub struct LedgerCheckpoint;
impl Endpoint for LedgerCheckpoint {
    type In = Empty;
    type Out = LedgerCheckpointOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/ledger/checkpoint",
        "The newest signed checkpoint of the ledger, to keep somewhere else. It covers every event there is when the call is made.")
        .tool("ledger_checkpoint", Toolset::Ledger)
        .errors(&[Code::LedgerUnavailable])
        .example(|| (json!({}), json!({"size": 7, "root": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
            "note": "osmoda/mach_01kaq3v8e2m6zr0t5h9xw4c7yd/ledger\n7\nn4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\n\n— osmoda/mach_01kaq3v8e2m6zr0t5h9xw4c7yd/ledger …\n",
            "signer": "osmoda/mach_01kaq3v8e2m6zr0t5h9xw4c7yd/ledger+…"})));
}

/// What to verify against.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerVerifyIn {
    /// Checkpoint notes that were kept elsewhere.
    #[serde(default)]
    pub against: Few<Text<4096>, 64>,
}

/// What a verification found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LedgerVerifyOut {
    /// The ledger is whole.
    pub ok: bool,
    /// 0 ok, 1 broken at `broken_at`, 2 checkpoint mismatch, 3 truncated against a checkpoint.
    pub exit_code: u8,
    /// Events whose hash, order and place are proved.
    pub verified_to: u64,
    /// Events covered by a cosigned or given checkpoint.
    pub witnessed_to: u64,
    /// The first wrong event.
    pub broken_at: Option<u64>,
    /// What was found, in words.
    pub finding: String,
    /// Checkpoints that were checked.
    pub checkpoints: u64,
}

/// `POST /ledger/verify`.
pub struct LedgerVerify;
impl Endpoint for LedgerVerify {
    type In = LedgerVerifyIn;
    type Out = LedgerVerifyOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Post,
        "/ledger/verify",
        "Verify the whole ledger: every hash, id, time and checkpoint, and checkpoints kept elsewhere.",
    )
    .tool("ledger_verify", Toolset::Ledger)
    .body_limit(512 * 1024)
    .timeout_secs(300)
    .example(|| {
        (
            json!({"against": []}),
            json!({"ok": true, "exit_code": 0, "verified_to": 7, "witnessed_to": 0, "broken_at": null,
            "finding": "verified to 7; 7 events are not witnessed", "checkpoints": 1}),
        )
    });
}

/// Two sizes of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerConsistencyIn {
    /// The smaller size.
    pub from: EventId,
    /// The larger size.
    pub to: EventId,
}

/// An RFC 6962 consistency proof.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LedgerConsistencyOut {
    /// The smaller size.
    pub from: u64,
    /// Root at the smaller size, base64.
    pub from_root: String,
    /// The larger size.
    pub to: u64,
    /// Root at the larger size, base64.
    pub to_root: String,
    /// The proof, base64.
    pub proof: Vec<String>,
}

/// `GET /ledger/consistency`.
pub struct LedgerConsistency;
impl Endpoint for LedgerConsistency {
    type In = LedgerConsistencyIn;
    type Out = LedgerConsistencyOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/ledger/consistency",
        "Prove that the ledger at one size is the beginning of the ledger at a larger size (RFC 6962).",
    )
    .toolset(Toolset::Ledger)
    .callers(Daemon::ALL)
    .errors(&[Code::LedgerNotFound])
    .example(|| {
        (
            json!({"from": 3, "to": 7}),
            json!({"from": 3, "from_root": "…", "to": 7, "to_root": "…", "proof": ["…"]}),
        )
    });
}

/// Where the export begins.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerExportIn {
    /// Only events from then on.
    pub since: Option<Since>,
}

/// One line of an export.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerExportLine {
    /// The first line: which log this is.
    Export(ExportHeader),
    /// An event, its payload as the exact text that was hashed.
    Event(serde_json::Value),
    /// A signed checkpoint.
    Checkpoint(String),
}

/// Which log an export is of.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExportHeader {
    /// Version of the format.
    pub v: u32,
    /// The log's name.
    pub origin: String,
    /// Verifier key of its checkpoints where the export starts.
    pub signer: String,
    /// What comes before a partial export; absent when it starts with event 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ExportAfter>,
}

/// The ledger before the first event of a partial export.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExportAfter {
    /// Number of events before.
    pub size: u64,
    /// `hash` of the last of them.
    pub hash: String,
    /// Peaks of the Merkle tree over them, from the largest subtree to the smallest, hex.
    pub peaks: Vec<String>,
}

/// `GET /ledger/export`.
pub struct LedgerExport;
impl Endpoint for LedgerExport {
    type In = LedgerExportIn;
    type Out = LedgerExportLine;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/ledger/export",
        "The ledger as JSON lines that anyone can verify without this machine.")
        .toolset(Toolset::Ledger)
        .timeout_secs(3600)
        .stream()
        .example(|| (json!({}), json!({"export": {"v": 1, "origin": "osmoda/mach_01kaq3v8e2m6zr0t5h9xw4c7yd/ledger", "signer": "…"}})));
}

/// Events of a source, exactly once.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsAppendIn {
    /// The caller's daemon name.
    pub source: Text<32>,
    /// The source's outbox, a ULID.
    pub epoch: Text<26>,
    /// Sequence number of the first event, from 1 in each epoch.
    pub first_seq: Within<1, { crate::json::MAX_SAFE_INTEGER }>,
    /// The source's chain after the last event of this batch (docs/ledger), hex.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub head: Text<64>,
    /// At most 128.
    #[schemars(length(min = 1, max = MAX_BATCH))]
    pub events: Vec<NewEvent>,
}

/// Where the events stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventsAppendOut {
    /// Each event of the batch.
    pub events: Vec<AppendedEvent>,
    /// The source's last recorded sequence number.
    pub last_seq: u64,
}

/// One recorded event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppendedEvent {
    /// Its number in the source.
    pub seq: u64,
    /// Its id in the ledger.
    pub id: u64,
    /// Its hash.
    pub hash: String,
}

/// `POST /events`.
pub struct EventsAppend;
impl Endpoint for EventsAppend {
    type In = EventsAppendIn;
    type Out = EventsAppendOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Post, "/events",
        "Append events of a daemon, exactly once. A repeated sequence number is answered from what is stored; a jump is refused.")
        .toolset(Toolset::Ledger)
        .only(Daemon::ALL)
        .errors(&[Code::LedgerUnavailable, Code::LedgerGap, Code::LedgerFork, Code::LedgerTooLarge, Code::LedgerType, Code::StateFull,
        Code::StateUnwritable, Code::StateCorrupt, Code::StateNewerSchema, Code::InternalBug])
        .body_limit(16 * 1024 * 1024)
        .example(|| (json!({"source": "watch", "epoch": "01kaq3v8e2m6zr0t5h9xw4c7yd", "first_seq": 41,
            "head": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "events": [{"type": "watch.switch.committed", "actor": "agent:main", "payload": {"v": 1}}]}),
            json!({"events": [{"seq": 41, "id": 1234, "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}], "last_seq": 41})));
}

/// Whose position to tell.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsSourceIn {
    /// The daemon.
    pub source: Text<32>,
}

/// What agentd knows of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventsSourceOut {
    /// The daemon.
    pub source: String,
    /// Its newest outbox; null if it never wrote.
    pub epoch: Option<String>,
    /// Its last recorded sequence number.
    pub last_seq: u64,
    /// Its chain there, hex.
    pub head: String,
    /// Calls it began and did not finish.
    pub open_intents: Vec<OpenIntent>,
}

/// A call without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenIntent {
    /// The intent's event.
    pub event_id: u64,
    /// Ledger name of the call, without `.intent`.
    pub call: String,
    /// The request.
    pub request_id: RequestId,
}

/// `GET /events/source`.
pub struct EventsSource;
impl Endpoint for EventsSource {
    type In = EventsSourceIn;
    type Out = EventsSourceOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/events/source",
        "What agentd knows of a source: its last sequence number and the calls it did not finish.",
    )
    .toolset(Toolset::Ledger)
    .only(Daemon::ALL)
    .example(|| {
        (
            json!({"source": "watch"}),
            json!({"source": "watch", "epoch": "01kaq3v8e2m6zr0t5h9xw4c7yd", "last_seq": 41,
            "head": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "open_intents": []}),
        )
    });
}

fn example_event() -> serde_json::Value {
    json!({"id": 7, "ts": "2026-11-24T08:30:00.000Z", "type": "agentd.session.read", "actor": "agent:main",
        "payload": {"v": 1, "session": null, "calls": []},
        "prev_hash": "0000000000000000000000000000000000000000000000000000000000000000",
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"})
}
