//! The machine's calls: health, queries, discovery.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::health::Health;
use crate::{Call, Code, Daemon, Empty, Endpoint, Method, Toolset, Within};

/// Every system call.
pub const CALLS: &[Call] = &[SystemHealth::CALL, SystemQuery::CALL, SystemDiscover::CALL];

/// How the machine and agentd are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SystemHealthOut {
    /// What every daemon says of itself.
    #[serde(flatten)]
    pub daemon: Health,
    /// The machine.
    #[serde(flatten)]
    pub machine: MachineHealth,
}

/// How the machine is, as sampled within the last seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineHealth {
    /// Processors.
    pub cpu: Cpu,
    /// Main memory.
    pub memory: Memory,
    /// Swap space.
    pub swap: Swap,
    /// Load averages.
    pub load_average: LoadAverage,
    /// Each mounted disk.
    pub disks: Vec<Disk>,
    /// Seconds since the machine booted.
    pub uptime: u64,
    /// Seconds since agentd started.
    pub daemon_uptime_secs: u64,
}

/// Processors; a percentage is the share of the last sampling interval that was not idle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cpu {
    /// All cores together, 0 to 100.
    pub usage_percent: f32,
    /// Each core.
    pub cores: Vec<Core>,
}

/// One core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Core {
    /// Its kernel name, such as `cpu0`.
    pub name: String,
    /// 0 to 100.
    pub usage_percent: f32,
}

/// Main memory (/proc/meminfo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// MemTotal.
    pub total_bytes: u64,
    /// MemTotal - MemAvailable.
    pub used_bytes: u64,
    /// MemAvailable: what new work can get without swapping.
    pub available_bytes: u64,
}

/// Swap space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swap {
    /// SwapTotal.
    pub total_bytes: u64,
    /// SwapTotal - SwapFree.
    pub used_bytes: u64,
}

/// Load averages (/proc/loadavg).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadAverage {
    /// Over one minute.
    pub one: f32,
    /// Over five minutes.
    pub five: f32,
    /// Over fifteen minutes.
    pub fifteen: f32,
}

/// One mounted disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// What is mounted.
    pub source: String,
    /// File system type.
    pub filesystem: String,
    /// Its size.
    pub total_bytes: u64,
    /// What is taken.
    pub used_bytes: u64,
    /// What an unprivileged writer may still take.
    pub available_bytes: u64,
}

/// `GET /health` of agentd.
pub struct SystemHealth;
impl Endpoint for SystemHealth {
    type In = Empty;
    type Out = SystemHealthOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/health",
        "CPU per core, memory, swap, load, disks and uptime of the machine in one call. Also how agentd itself is.")
        .tool("system_health", Toolset::System)
        .callers(Daemon::ALL)
        .example(|| (json!({}), json!({"status": "ok", "version": "0.1.0", "started_at": "2026-11-24T08:30:00.000Z", "uptime_secs": 60,
            "checks": [{"name": "ledger", "status": "ok", "since": "2026-11-24T08:30:00.000Z"}],
            "policy": {"digest": "sha256:…", "preset": "open"}, "consent": "none", "outbox_pending": 0,
            "cpu": {"usage_percent": 12.5, "cores": [{"name": "cpu0", "usage_percent": 12.5}]},
            "memory": {"total_bytes": 25_769_803_776_u64, "used_bytes": 2_147_483_648_u64, "available_bytes": 23_622_320_128_u64},
            "swap": {"total_bytes": 0, "used_bytes": 0}, "load_average": {"one": 0.4, "five": 0.3, "fifteen": 0.2},
            "disks": [{"mount": "/", "source": "/dev/vda", "filesystem": "ext4", "total_bytes": 107_374_182_400_u64,
                "used_bytes": 21_474_836_480_u64, "available_bytes": 85_899_345_920_u64}],
            "uptime": 86400, "daemon_uptime_secs": 60})));
}

/// What to ask of the system.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemQueryIn {
    /// The subject.
    pub query: Query,
    /// How to sort and how many rows.
    #[serde(default)]
    pub args: QueryArgs,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Running processes.
    Processes,
    /// Mounted disks and their use.
    Disk,
    /// The machine's name.
    Hostname,
    /// Time since boot.
    Uptime,
    /// systemd's units of type service.
    Services,
    /// Listening ports and who listens.
    Ports,
    /// Open connections.
    Connections,
    /// Accounts.
    Users,
    /// All mounts.
    Mounts,
    /// NixOS generations.
    Generations,
}

/// How to shape the answer; a query ignores nothing: what does not apply to it is refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryArgs {
    /// `processes` only; by CPU unless told.
    pub sort: Option<Sort>,
    /// Rows at the most, for every query that lists; 100 unless told.
    pub limit: Option<Within<1, 10_000>>,
}

/// Order of processes, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By share of CPU.
    Cpu,
    /// By resident memory.
    Memory,
}

/// The answer to a query.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SystemQueryOut {
    /// The query.
    pub query: Query,
    /// Its rows, or its one value; the shape depends on the query.
    pub result: Value,
}

/// `POST /system/query`.
pub struct SystemQuery;
impl Endpoint for SystemQuery {
    type In = SystemQueryIn;
    type Out = SystemQueryOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Post, "/system/query",
        "Ask the machine: processes, disk, hostname, uptime, services, ports, connections, users, mounts, generations.")
        .tool("system_query", Toolset::System)
        .errors(&[Code::HostUnreadable])
        .example(|| (json!({"query": "processes", "args": {"sort": "cpu", "limit": 1}}),
            json!({"query": "processes", "result": [{"pid": 1, "name": "systemd"}]})));
}

/// What runs on the machine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SystemDiscoverOut {}

/// `GET /system/discover`.
pub struct SystemDiscover;
impl Endpoint for SystemDiscover {
    type In = Empty;
    type Out = SystemDiscoverOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/system/discover",
        "Find out what runs here: listening ports with their processes, known services, systemd units.",
    )
    .tool("system_discover", Toolset::System)
    .errors(&[Code::HostUnreadable])
    .example(|| (json!({}), json!({})));
}
