//! The machine's calls: health, queries, discovery.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::kernel::{Cgroup, Kernel, Sensor};
use crate::health::Health;
use crate::{Call, Code, Daemon, Empty, Endpoint, Method, Timestamp, Toolset, Within};

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
    /// The server or device behind it does not answer; the sizes are not known then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hung: bool,
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
    /// Temperatures, fans, voltages, currents, powers.
    Sensors,
    /// Control groups and what they use, the most memory first.
    Cgroups,
    /// The kernel that runs.
    Kernel,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemQueryOut {
    /// The query, with its rows or its one value as `result`.
    #[serde(flatten)]
    pub answer: QueryResult,
    /// How many rows there are, of which `result` has the first `limit`; absent for a query with one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What each query answers, in the order of [`Query`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "query", content = "result", rename_all = "snake_case")]
pub enum QueryResult {
    /// `processes`.
    Processes(Vec<Process>),
    /// `disk`.
    Disk(Vec<Disk>),
    /// `hostname`.
    Hostname(Hostname),
    /// `uptime`.
    Uptime(Uptime),
    /// `services`.
    Services(Vec<Unit>),
    /// `ports`.
    Ports(Vec<Port>),
    /// `connections`.
    Connections(Vec<Connection>),
    /// `users`.
    Users(Vec<User>),
    /// `mounts`.
    Mounts(Vec<Mount>),
    /// `generations`.
    Generations(Vec<Generation>),
    /// `sensors`.
    Sensors(Vec<Sensor>),
    /// `cgroups`.
    Cgroups(Vec<Cgroup>),
    /// `kernel`.
    Kernel(Kernel),
}

/// A running process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub ppid: u32,
    /// Name of its program as the kernel keeps it, at most 15 bytes.
    pub name: String,
    /// Its command line, cut at 4 KiB; empty for kernel threads.
    pub command: String,
    /// Its effective user.
    pub user: String,
    /// The user's id.
    pub uid: u32,
    /// The kernel's letter: R runs, S sleeps, D waits for a device, Z is dead, T is stopped.
    pub state: String,
    /// Share of one core since the last sample, 1 to 20 s ago; several threads may make it more than 100.
    pub cpu_percent: f32,
    /// Memory it holds in RAM.
    pub memory_bytes: u64,
    /// Its threads.
    pub threads: u32,
    /// When it started.
    pub started_at: Timestamp,
}

/// The machine's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hostname {
    /// As the kernel knows it.
    pub hostname: String,
}

/// Time since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Uptime {
    /// Seconds the machine runs.
    pub uptime_secs: u64,
    /// When it was started.
    pub booted_at: Timestamp,
}

/// A systemd unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unit {
    /// Its name, such as `nginx.service`.
    pub unit: String,
    /// Whether its file was read: `loaded`, `not-found`, `masked` …
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating` …
    pub active: String,
    /// The state of its kind: `running`, `exited`, `dead` …
    pub sub: String,
    /// Its description.
    pub description: String,
    /// Its main process, while it has one.
    pub main_pid: Option<u32>,
}

/// A listening port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The address it listens on; `0.0.0.0` and `::` are all of them.
    pub address: String,
    /// Its number.
    pub port: u16,
    /// Who listens, the first of several; null when it is the kernel, a process of another container, or `pid_hidden`.
    pub pid: Option<u32>,
    /// Name of its program.
    pub process: Option<String>,
    /// The user who owns the socket.
    pub user: String,
    /// Some process holds it, but agentd may not see which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pid_hidden: bool,
    /// Of a hidden process: the unit whose control group the socket was made in, as the kernel tells everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// Kind of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// An open TCP connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The kernel's word: `established`, `time_wait`, `close_wait` …
    pub state: String,
    /// Address and port here.
    pub local: String,
    /// Address and port there.
    pub remote: String,
    /// Whose it is; null when no process holds it any more, or `pid_hidden`.
    pub pid: Option<u32>,
    /// Name of its program.
    pub process: Option<String>,
    /// The user who owns the socket.
    pub user: String,
    /// Some process holds it, but agentd may not see which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pid_hidden: bool,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its id.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// Its home folder.
    pub home: String,
    /// Its shell.
    pub shell: String,
    /// Whether it is for the system rather than for a person: a person has a uid from 1000 to 60000 and may log in.
    pub system: bool,
}

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mount {
    /// Where.
    pub mount: String,
    /// What.
    pub source: String,
    /// File system type.
    pub filesystem: String,
    /// Whether nothing can be written there.
    pub read_only: bool,
}

/// A NixOS generation of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Generation {
    /// Its number.
    pub generation: u64,
    /// The system it points to.
    pub store_path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is what runs now (/run/current-system).
    pub current: bool,
    /// Whether it is what was booted (/run/booted-system).
    pub booted: bool,
}

/// `POST /system/query`.
pub struct SystemQuery;
impl Endpoint for SystemQuery {
    type In = SystemQueryIn;
    type Out = SystemQueryOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Post, "/system/query",
        "Ask the machine: processes, disk, hostname, uptime, services, ports, connections, users, mounts, generations, sensors, cgroups, kernel.")
        .tool("system_query", Toolset::System)
        .errors(&[Code::HostUnreadable, Code::SystemdAbsent, Code::NixAbsent, Code::CgroupAbsent])
        .example(|| (json!({"query": "processes", "args": {"sort": "cpu", "limit": 1}}),
            json!({"query": "processes", "result": [{"pid": 1, "ppid": 0, "name": "systemd", "command": "/sbin/init", "user": "root",
                "uid": 0, "state": "S", "cpu_percent": 0.1, "memory_bytes": 13_107_200, "threads": 1,
                "started_at": "2026-11-24T08:00:00.000Z"}], "total": 143})));
}

/// What runs on the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SystemDiscoverOut {
    /// Programs that listen or that we know, by pid; the processes of one unit that run the same program are one entry.
    pub services: Vec<Discovered>,
    /// Listening ports of agentd's network namespace, by protocol, address and port; 10000 at the most.
    pub listening: Vec<Port>,
    /// How many listening ports there are.
    pub listening_total: u64,
    /// systemd's units of type service that run or failed; empty without systemd.
    pub units: Vec<Unit>,
    /// Whether systemd runs this machine.
    pub systemd: bool,
    /// Some processes could not be looked into, so some ports have no pid.
    pub pids_hidden: bool,
}

/// A program that serves something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discovered {
    /// Name of the program.
    pub name: String,
    /// What it is: `nginx`, `postgres`, `redis`, `node`, `sshd` …, or `other`.
    pub kind: String,
    /// Its process, the first of several; of a port whose process is hidden, the main process of the unit that opened it;
    /// null when not even the unit is known and the port alone tells what it is.
    pub pid: Option<u32>,
    /// The unit of systemd's system manager it runs in.
    pub unit: Option<String>,
    /// Its user.
    pub user: String,
    /// Where it listens.
    pub ports: Vec<PortNumber>,
}

/// Where a program listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PortNumber {
    /// `tcp` or `udp`.
    pub protocol: Protocol,
    /// The address.
    pub address: String,
    /// The number.
    pub port: u16,
}

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
    .example(|| (json!({}), json!({"services": [{"name": "nginx", "kind": "nginx", "pid": 812, "unit": "nginx.service", "user": "nginx",
                "ports": [{"protocol": "tcp", "address": "0.0.0.0", "port": 80}]}],
            "listening": [{"protocol": "tcp", "address": "0.0.0.0", "port": 80, "pid": 812, "process": "nginx", "user": "root"}],
            "listening_total": 1, "units": [{"unit": "nginx.service", "load": "loaded", "active": "active", "sub": "running",
                "description": "Nginx Web Server", "main_pid": 812}], "systemd": true, "pids_hidden": false})));
}
