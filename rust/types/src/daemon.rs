//! The daemons: their names on sockets, in systemd, in the ledger.

use serde::Serialize;

use crate::catalogue::calls_of;

/// The daemons of osModa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Daemon {
    /// System, ledger, memory, approvals.
    Agentd,
    /// Wallets.
    Keyd,
    /// SafeSwitch and watchers.
    Watch,
    /// Cron, events, webhooks.
    Routines,
    /// Peers.
    Mesh,
    /// MCP servers.
    Mcpd,
    /// Learning.
    Teachd,
    /// Speech.
    Voice,
    /// The only way out for sandboxed tools.
    Egress,
}

impl Daemon {
    /// Every daemon, in the order they are started.
    pub const ALL: &[Self] = &[
        Self::Agentd,
        Self::Keyd,
        Self::Watch,
        Self::Routines,
        Self::Mesh,
        Self::Mcpd,
        Self::Teachd,
        Self::Voice,
        Self::Egress,
    ];

    /// Its name in the ledger and as an actor.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agentd => "agentd",
            Self::Keyd => "keyd",
            Self::Watch => "watch",
            Self::Routines => "routines",
            Self::Mesh => "mesh",
            Self::Mcpd => "mcpd",
            Self::Teachd => "teachd",
            Self::Voice => "voice",
            Self::Egress => "egress",
        }
    }

    /// The name of its program.
    pub const fn binary(self) -> &'static str {
        match self {
            Self::Agentd => "agentd",
            Self::Keyd => "osmoda-keyd",
            Self::Watch => "osmoda-watch",
            Self::Routines => "osmoda-routines",
            Self::Mesh => "osmoda-mesh",
            Self::Mcpd => "osmoda-mcpd",
            Self::Teachd => "osmoda-teachd",
            Self::Voice => "osmoda-voice",
            Self::Egress => "osmoda-egress",
        }
    }

    /// The user it runs as on an installed system, and the name of its systemd unit.
    pub const fn user(self) -> &'static str {
        match self {
            Self::Agentd => "osmoda-agentd",
            other => other.binary(),
        }
    }

    /// The file name of the socket that speaks the catalogue.
    pub const fn socket(self) -> &'static str {
        match self {
            Self::Agentd => "agentd.sock",
            Self::Keyd => "keyd.sock",
            Self::Watch => "watch.sock",
            Self::Routines => "routines.sock",
            Self::Mesh => "mesh.sock",
            Self::Mcpd => "mcpd.sock",
            Self::Teachd => "teachd.sock",
            Self::Voice => "voice.sock",
            Self::Egress => "egressd.sock",
        }
    }

    /// Its own folder below the state root.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Mcpd => "mcp",
            other => other.name(),
        }
    }

    /// Whether this release has it: a daemon exists as soon as the catalogue has a call of it.
    pub fn exists(self) -> bool {
        calls_of(self).next().is_some()
    }
}
