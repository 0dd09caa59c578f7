//! `GET /health`: the part every daemon shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Code, Timestamp};

/// What every daemon says of itself; its own fields stand beside these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// The worst of the checks.
    pub status: Status,
    /// Release of the daemon.
    pub version: String,
    /// When the process began to serve.
    pub started_at: Timestamp,
    /// Seconds since then.
    pub uptime_secs: u64,
    /// What it checks about itself.
    pub checks: Vec<Check>,
    /// The policy it judges by.
    pub policy: PolicyState,
    /// What an approval is worth on this machine.
    pub consent: Consent,
    /// Events that still wait for agentd.
    pub outbox_pending: u64,
}

/// How a daemon or a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All works.
    Ok,
    /// Not ready yet.
    Starting,
    /// Something does not work; `checks` says what.
    Degraded,
}

/// One thing a daemon checks about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// Why it is not ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Since when it is so.
    pub since: Timestamp,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyState {
    /// `sha256:` of it.
    pub digest: String,
    /// Its preset.
    pub preset: String,
}

/// What an approval is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// The agent cannot forge it.
    Enforced,
    /// It holds among honest local processes.
    LocalOnly,
    /// Nothing asks for it.
    None,
}
