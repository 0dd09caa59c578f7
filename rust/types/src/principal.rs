//! Who calls: computed once per connection and request, then carried to gate, ledger and handler.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Daemon;

/// How much a caller is trusted; the order is from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ring {
    /// A person who answers for the machine.
    Operator,
    /// The agent and the daemons.
    Zero,
    /// An approved application.
    One,
    /// An untrusted tool.
    Two,
}

/// The name a caller has in the ledger, such as `agent:main` or `operator:root`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person at the machine: the user's name, or its uid.
    Operator(String),
    /// An agent, by the label it gave.
    Agent(String),
    /// One of our daemons.
    Daemon(Daemon),
    /// Somebody else's actor form (`app:`, `routine:`, `watcher:`, `peer:`, `mcp:`), kept as text.
    Other(String),
}

impl Actor {
    /// The ring this actor lives in.
    pub fn ring(&self) -> Ring {
        match self {
            Self::Operator(_) => Ring::Operator,
            Self::Agent(_) | Self::Daemon(_) => Ring::Zero,
            Self::Other(_) => Ring::One,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(user) => write!(f, "operator:{user}"),
            Self::Agent(label) => write!(f, "agent:{label}"),
            Self::Daemon(daemon) => write!(f, "daemon:{}", daemon.name()),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        let (kind, label) = text.split_once(':').ok_or(ActorError)?;
        let clean = |b: u8| b.is_ascii_alphanumeric() || b"_.:@/-".contains(&b);
        if text.len() > 128 || label.is_empty() || !label.bytes().all(clean) {
            return Err(ActorError);
        }
        match kind {
            "operator" => Ok(Self::Operator(label.to_owned())),
            "agent" => Ok(Self::Agent(label.to_owned())),
            "daemon" => {
                Daemon::ALL.iter().find(|d| d.name() == label).map(|d| Self::Daemon(*d)).ok_or(ActorError)
            }
            "app" | "routine" | "watcher" | "peer" | "mcp" => Ok(Self::Other(text.to_owned())),
            _ => Err(ActorError),
        }
    }
}

/// The text names no actor.
#[derive(Debug, thiserror::Error)]
#[error(
    "not an actor: agent:<label>, operator:<user>, daemon:<name>, app:, routine:, watcher:, peer: or mcp:<name>"
)]
pub struct ActorError;

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Actor {
    fn schema_name() -> Cow<'static, str> {
        "Actor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^(operator|agent|daemon|app|routine|watcher|peer|mcp):[A-Za-z0-9_.:@/-]+$", "maxLength": 128})
    }
}

/// The caller of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What it may do.
    pub ring: Ring,
    /// What the ledger calls it.
    pub actor: Actor,
    /// The kernel's word on the peer's user.
    pub uid: u32,
    /// The kernel's word on the peer's group.
    pub gid: u32,
    /// The conversation it belongs to, a label.
    pub session: Option<String>,
    /// The tool it was called as, a label.
    pub tool: Option<String>,
    /// The turn read text of unknown origin.
    pub tainted: bool,
    /// For whom a daemon acts.
    pub on_behalf: Option<Actor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_reads_back_and_cannot_hold_a_separator_of_the_ledger() {
        for good in ["agent:main", "operator:root", "daemon:watch", "peer:abc", "routine:rtn_1"] {
            assert_eq!(good.parse::<Actor>().unwrap().to_string(), good);
        }
        for bad in [
            "agent",
            "agent:",
            "agent:a|b",
            "daemon:nobody",
            "root:x",
            "agent:a b",
            &format!("agent:{}", "x".repeat(200)),
        ] {
            assert!(bad.parse::<Actor>().is_err(), "{bad}");
        }
    }
}
