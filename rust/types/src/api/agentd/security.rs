//! How well this machine is guarded, as far as an ordinary user can see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Call, Code, Daemon, Empty, Endpoint, Method, Toolset};

/// Every call about security.
pub const CALLS: &[Call] = &[SecurityScore::CALL];

/// The score and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecurityScoreOut {
    /// 100 * passed / (passed + failed), by weight, rounded down; null where nothing could be judged.
    pub score: Option<u8>,
    /// Weight of what is as it should be.
    pub weight_passed: u32,
    /// Weight of what is not.
    pub weight_failed: u32,
    /// Weight of what could not be judged; it does not count.
    pub weight_unknown: u32,
    /// Each check, failed ones first, the heaviest first.
    pub findings: Vec<Finding>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its stable name.
    pub id: String,
    /// What should be so.
    pub title: String,
    /// How it is.
    pub state: FindingState,
    /// How much it counts, 1 to 10.
    pub weight: u32,
    /// What was seen, or why nothing was.
    pub detail: String,
    /// Why it matters.
    pub why: String,
    /// The NixOS option that makes it so.
    pub fix_nixos: String,
    /// How it is done on Debian.
    pub fix_debian: String,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// It is not as it should be.
    Fail,
    /// It could not be judged.
    Unknown,
    /// It is as it should be.
    Pass,
}

/// `GET /security/score`.
pub struct SecurityScore;
impl Endpoint for SecurityScore {
    type In = Empty;
    type Out = SecurityScoreOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/security/score",
        "Judge how well this machine is guarded: ssh, kernel settings, open databases, accounts, updates. Each finding says how to fix it.",
    )
    .tool("security_score", Toolset::System)
    .errors(&[Code::HostUnreadable])
    .example(|| (json!({}), json!({"score": 62, "weight_passed": 5, "weight_failed": 3, "weight_unknown": 4, "findings": [
        {"id": "kernel.dmesg_restrict", "title": "only root reads the kernel's log", "state": "fail", "weight": 3, "detail": "kernel.dmesg_restrict is 0, should be 1",
         "why": "the log tells addresses and hardware that help an attacker", "fix_nixos": "boot.kernel.sysctl.\"kernel.dmesg_restrict\" = 1;",
         "fix_debian": "echo kernel.dmesg_restrict=1 > /etc/sysctl.d/60-hardening.conf, then sysctl --system"}]})));
}
