//! Receipts: what was done, each call with an effect as one line; a view of the ledger.
//!
//! A receipt is an outcome joined with its intent. Its id is `rcp_` and the id of the outcome's event, so nothing is
//! stored twice, and whoever has a receipt has the event to prove it with (`GET /events/{id}/proof`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::json;

use crate::ledger::{CallResult, Event};
use crate::{Call, Code, Daemon, Endpoint, Limit, Method, RequestId, Since, Text, Timestamp, Toolset};

/// Every receipt call.
pub const CALLS: &[Call] = &[ReceiptList::CALL, ReceiptGet::CALL];

/// `rcp_<id of the outcome's event>`, as in `rcp_1235`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptId(u64);

impl ReceiptId {
    /// The receipt of an outcome; `None` for what is no event's id.
    pub fn of(event: u64) -> Option<Self> {
        (1..=crate::json::MAX_SAFE_INTEGER).contains(&event).then_some(Self(event))
    }

    /// The outcome's event.
    pub fn event(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rcp_{}", self.0)
    }
}

impl FromStr for ReceiptId {
    type Err = NotAReceipt;

    fn from_str(text: &str) -> Result<Self, NotAReceipt> {
        let digits = text.strip_prefix("rcp_").ok_or(NotAReceipt)?;
        // One spelling per id.
        if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAReceipt);
        }
        digits.parse().ok().and_then(Self::of).ok_or(NotAReceipt)
    }
}

/// The text is no receipt's id.
#[derive(Debug, thiserror::Error)]
#[error("not a receipt: rcp_ and the number of an event")]
pub struct NotAReceipt;

impl Serialize for ReceiptId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReceiptId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ReceiptId {
    fn schema_name() -> Cow<'static, str> {
        "rcp_id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^rcp_[1-9][0-9]{0,15}$"})
    }
}

/// One call with an effect, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Its id, made of the outcome's event.
    pub id: ReceiptId,
    /// The call, such as `keyd.wallet.sign`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it ended, by the ledger's clock.
    pub ts: Timestamp,
    /// Who made the call.
    pub actor: String,
    /// What it was, in one line.
    pub summary: String,
    /// How it ended.
    pub result: CallResult,
    /// The HTTP status, none where nobody was answered.
    pub status: Option<u16>,
    /// The error code of a failed call.
    pub code: Option<String>,
    /// The request.
    pub request_id: RequestId,
    /// The tool it was called as, if any.
    pub tool: Option<String>,
    /// What it does to the machine: `change`, `destroy`, `spend`, …
    pub effect: Option<String>,
    /// From intent to outcome.
    pub duration_ms: Option<u64>,
    /// The event of the intent; null where the ledger has none.
    pub intent_id: Option<u64>,
    /// The event of the outcome.
    pub outcome_id: u64,
}

/// Which receipts to list, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptListIn {
    /// The exact call, or a prefix when it ends in a dot (`keyd.wallet.`).
    #[serde(rename = "type")]
    pub kind: Option<Text<120>>,
    /// Exact actor, such as `agent:main`.
    pub actor: Option<Text<128>>,
    /// Not before.
    pub since: Option<Since>,
    /// Rows at the most, 100 unless told.
    pub limit: Option<Limit>,
    /// The `next` of the page before.
    pub after: Option<Text<64>>,
}

/// A page of receipts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptListOut {
    /// The receipts.
    pub receipts: Vec<Receipt>,
    /// Give it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// `GET /receipts`.
pub struct ReceiptList;
impl Endpoint for ReceiptList {
    type In = ReceiptListIn;
    type Out = ReceiptListOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/receipts",
        "Query structured receipts from the audit ledger: each call with an effect, who made it and how it ended, newest first.",
    )
    .tool("receipt_list", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(STATE)
    .example(|| (json!({"type": "agentd.", "limit": 1}), json!({"receipts": [example()], "next": "1235"})));
}

/// Which receipt.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptGetIn {
    /// The receipt.
    pub id: ReceiptId,
}

/// A receipt with the events it is a view of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptGetOut {
    /// The receipt.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// The event of the intent: arguments, decision, digest.
    pub intent: Option<Event>,
    /// The event of the outcome.
    pub outcome: Event,
}

/// `GET /receipts/{id}`.
pub struct ReceiptGet;
impl Endpoint for ReceiptGet {
    type In = ReceiptGetIn;
    type Out = ReceiptGetOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/receipts/{id}",
        "One receipt with its intent and outcome as they stand in the ledger; ledger_proof proves either.",
    )
    .tool("receipt_get", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(&[
        Code::ReceiptNotFound,
        Code::StateFull,
        Code::StateUnwritable,
        Code::StateCorrupt,
        Code::StateNewerSchema,
        Code::InternalBug,
    ])
    .example(|| {
        let mut receipt = example();
        let event = |id: u64, kind: &str| {
            json!({"id": id, "ts": "2026-11-24T08:30:00.000Z", "type": kind, "actor": "agent:main", "payload": {"v": 1},
            "prev_hash": "0000000000000000000000000000000000000000000000000000000000000000",
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"})
        };
        receipt["intent"] = event(1234, "agentd.notify.intent");
        receipt["outcome"] = event(1235, "agentd.notify.outcome");
        (json!({"id": "rcp_1235"}), receipt)
    });
}

const STATE: &[Code] =
    &[Code::StateFull, Code::StateUnwritable, Code::StateCorrupt, Code::StateNewerSchema, Code::InternalBug];

fn example() -> serde_json::Value {
    json!({"id": "rcp_1235", "type": "agentd.notify", "ts": "2026-11-24T08:30:00.000Z", "actor": "agent:main",
        "summary": "notify_send: POST /notify", "result": "ok", "status": 200, "code": null,
        "request_id": "req_01kaq3v8e2m6zr0t5h9xw4c7yd", "tool": "notify_send", "effect": "change", "duration_ms": 4,
        "intent_id": 1234, "outcome_id": 1235})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_has_one_spelling() {
        assert_eq!("rcp_1235".parse::<ReceiptId>().unwrap().event(), 1235);
        for bad in ["rcp_", "rcp_0", "rcp_01", "rcp_-1", "rcp_9007199254740992", "1235", "rcp_12a", "req_12"]
        {
            assert!(bad.parse::<ReceiptId>().is_err(), "{bad}");
        }
    }
}
