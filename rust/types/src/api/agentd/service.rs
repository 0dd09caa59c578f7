//! The calls about systemd's units: state, jobs, journal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Call, Code, Daemon, Effect, Endpoint, Limit, Method, Since, Text, Timestamp, Toolset, Undo, UnitName,
    Within,
};

/// Every call about units.
pub const CALLS: &[Call] = &[
    ServiceStatus::CALL,
    ServiceGet::CALL,
    ServiceStart::CALL,
    ServiceStop::CALL,
    ServiceRestart::CALL,
    ServiceReload::CALL,
    JournalLogs::CALL,
];

/// One unit, or a list of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceStatusIn {
    /// The unit to look at; `nginx` means `nginx.service`. None: list.
    pub unit: Option<UnitName>,
    /// With `unit`: how many of its last journal lines, 10 unless told.
    pub lines: Option<Within<0, 100>>,
    /// Only units in this state: an active state (`active`, `failed` …), a sub state (`running`, `exited` …) or a load state.
    pub state: Option<Text<64>>,
    /// Only units whose name fits, with `*` and `?`; without a kind at its end services are meant: `ngin*`, `*.timer`.
    pub pattern: Option<Text<256>>,
    /// Rows at the most, 100 unless told.
    pub limit: Option<Limit>,
    /// The `next` of the page before.
    pub after: Option<Text<256>>,
}

/// One unit, or a page of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatusOut {
    /// The unit that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceState>,
    /// The units, by name; absent where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<ServiceRow>>,
    /// Give it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// A loaded unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceRow {
    /// Its name.
    pub unit: String,
    /// Whether its file was read: `loaded`, `not-found`, `masked` …
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating` …
    pub active: String,
    /// The state of its kind: `running`, `exited`, `dead` …
    pub sub: String,
    /// Its description.
    pub description: String,
}

/// All about a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceState {
    /// Its name, load, states and description; the name is its own, also if an alias was asked for.
    #[serde(flatten)]
    pub row: ServiceRow,
    /// Its other names.
    pub aliases: Vec<String>,
    /// Why its file could not be read, in systemd's words.
    pub load_error: Option<String>,
    /// What its file says of boot: `enabled`, `disabled`, `static` …; null for a unit without a file.
    pub enabled: Option<String>,
    /// Why no call may act on it; null for a unit that may be started and stopped.
    pub protected: Option<String>,
    /// Its main process, while it has one.
    pub main_pid: Option<u32>,
    /// When its state last changed; null if it never did.
    pub since: Option<Timestamp>,
    /// Memory of its processes, where the kernel counts it.
    pub memory_bytes: Option<u64>,
    /// Its tasks, where the kernel counts them.
    pub tasks: Option<u64>,
    /// How often systemd restarted it by itself since it was last started by hand.
    pub restarts: Option<u32>,
    /// How its last run went, in systemd's word: `success`, `exit-code`, `signal`, `timeout`, `oom-kill` …
    pub result: Option<String>,
    /// How its main process last ended, in words: `exited with status 1`, `killed by SIGSEGV`; null while none has.
    pub last_exit: Option<String>,
    /// The file it comes from.
    pub fragment_path: Option<String>,
    /// Units that start it: sockets, timers, paths.
    pub triggered_by: Vec<String>,
    /// Its last journal lines, oldest first.
    pub journal: Vec<JournalLine>,
    /// Why there are no journal lines, where they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal_unread: Option<Code>,
}

/// `GET /service`.
pub struct ServiceStatus;
impl Endpoint for ServiceStatus {
    type In = ServiceStatusIn;
    type Out = ServiceStatusOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/service",
        "The state of one systemd unit with its last journal lines and how it last ended, or a list of all services. Filter the list by state and by name pattern.")
        .tool("service_status", Toolset::System)
        .errors(UNIT_ERRORS)
        .example(|| (json!({"state": "failed", "limit": 1}), json!({"services": [{"unit": "nginx.service", "load": "loaded",
            "active": "failed", "sub": "failed", "description": "A high performance web server"}], "next": null})));
}

/// One unit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceGetIn {
    /// The unit; `nginx` means `nginx.service`.
    pub unit: UnitName,
    /// How many of its last journal lines, 10 unless told.
    pub lines: Option<Within<0, 100>>,
}

/// `GET /service/{unit}`.
pub struct ServiceGet;
impl Endpoint for ServiceGet {
    type In = ServiceGetIn;
    type Out = ServiceState;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/service/{unit}",
        "The state of one systemd unit.",
    )
    .errors(UNIT_ERRORS)
    .example(|| (json!({"unit": "nginx"}), example_state()));
}

/// The unit to act on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceActIn {
    /// The unit; `nginx` means `nginx.service`.
    pub unit: UnitName,
}

/// What a job did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceActOut {
    /// The unit by its own name, also if an alias was asked for.
    pub unit: String,
    /// How the job ended: `done`, or `skipped` where a condition of the unit did not hold.
    pub job: String,
    /// The unit before.
    pub before: UnitState,
    /// The unit after.
    pub after: UnitState,
}

/// The state of a unit in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitState {
    /// `active`, `inactive`, `failed`, `activating` …
    pub active: String,
    /// The state of its kind: `running`, `exited`, `dead` …
    pub sub: String,
    /// Its main process, while it has one.
    pub main_pid: Option<u32>,
}

/// systemd's own limit for a start is 90 s (DefaultTimeoutStartSec=).
const JOB_SECS: u32 = 120;

macro_rules! acts {
    ($($(#[$about:meta])* $name:ident, $effect:ident, $undo:ident, $path:literal, $tool:expr, $summary:literal,
        $before:expr, $after:expr;)*) => {$(
        $(#[$about])*
        pub struct $name;
        impl Endpoint for $name {
            type In = ServiceActIn;
            type Out = ServiceActOut;
            const CALL: Call = offered(
                Call::effect::<Self>(Effect::$effect, Undo::$undo, Daemon::Agentd, Method::Post, $path, $summary),
                $tool,
            )
            .errors(ACT_ERRORS)
            .timeout_secs(JOB_SECS)
            .example(|| (json!({"unit": "nginx"}),
                json!({"unit": "nginx.service", "job": "done", "before": $before, "after": $after})));
        }
    )*};
}

const fn offered(call: Call, tool: Option<&'static str>) -> Call {
    match tool {
        Some(name) => call.tool(name, Toolset::System),
        None => call.toolset(Toolset::System),
    }
}

acts! {
    /// `POST /service/{unit}/start`.
    ServiceStart, Change, Journal, "/service/{unit}/start", Some("service_start"),
        "Start a systemd unit and wait until it runs. A start that fails is explained, with the unit's last journal lines.",
        stopped(), running(812);
    /// `POST /service/{unit}/stop`.
    ServiceStop, Destroy, Journal, "/service/{unit}/stop", Some("service_stop"),
        "Stop a systemd unit and wait until it is down. Units that osModa, logins or the system need are protected.",
        running(812), stopped();
    /// `POST /service/{unit}/restart`.
    ServiceRestart, Change, Nothing, "/service/{unit}/restart", Some("service_restart"),
        "Restart a systemd unit, or start it if it is down, and wait until it runs. A failure is explained, with the unit's last journal lines.",
        running(812), running(977);
    /// `POST /service/{unit}/reload`.
    ServiceReload, Change, Nothing, "/service/{unit}/reload", None,
        "Tell a running systemd unit to read its configuration again, and wait until it has.",
        running(812), running(812);
}

/// How bad a journal line is (syslog(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The system is unusable.
    Emerg,
    /// Act at once.
    Alert,
    /// Critical.
    Crit,
    /// An error.
    Err,
    /// A warning.
    Warning,
    /// Normal and worth a look.
    Notice,
    /// For information.
    Info,
    /// For developers.
    Debug,
}

impl Priority {
    /// All of them; the place is the number.
    pub const ALL: &[Self] = &[
        Self::Emerg,
        Self::Alert,
        Self::Crit,
        Self::Err,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// As journalctl and this API write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Err => "err",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Which journal lines.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalLogsIn {
    /// Only lines of this unit and what systemd says of it; `nginx` means `nginx.service`.
    pub unit: Option<UnitName>,
    /// Only lines as bad as this, or worse.
    pub priority: Option<Priority>,
    /// Not before.
    pub since: Option<Since>,
    /// Not after.
    pub until: Option<Since>,
    /// Only lines whose message fits this regular expression (PCRE2); one without capitals fits any case.
    #[serde(rename = "match")]
    pub matching: Option<Text<256>>,
    /// The `next` of the page before.
    pub after: Option<Text<256>>,
    /// Rows at the most, 100 unless told.
    pub limit: Option<Limit>,
}

/// A page of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalLogsOut {
    /// The lines, newest first.
    pub lines: Vec<JournalLine>,
    /// Give it as `after` for older lines; null where there are none.
    pub next: Option<String>,
    /// Entries that were passed over: over 256 KiB, or no entries at all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u64,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalLine {
    /// When it was received.
    pub at: Timestamp,
    /// The unit it is from, or that systemd speaks of.
    pub unit: Option<String>,
    /// How bad it is; null where the sender did not say.
    pub priority: Option<Priority>,
    /// What its sender calls itself.
    pub identifier: Option<String>,
    /// Its sender.
    pub pid: Option<u32>,
    /// What it says; bytes that are no UTF-8 are replaced by U+FFFD.
    pub message: String,
    /// The message was longer than 4096 bytes and is cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// `GET /journal`.
pub struct JournalLogs;
impl Endpoint for JournalLogs {
    type In = JournalLogsIn;
    type Out = JournalLogsOut;
    const CALL: Call = Call::observe::<Self>(Daemon::Agentd, Method::Get, "/journal",
        "Read the systemd journal, newest first. Filter by unit, priority, time range and a pattern in the message.")
        .tool("journal_logs", Toolset::System)
        .errors(&[Code::JournalAbsent, Code::JournalDenied, Code::HostUnreadable])
        .example(|| (json!({"unit": "nginx", "priority": "err", "since": "1h", "limit": 1}),
            json!({"lines": [example_line()], "next": null})));
}

const UNIT_ERRORS: &[Code] = &[Code::ServiceNotFound, Code::SystemdAbsent, Code::HostUnreadable];

const ACT_ERRORS: &[Code] = &[
    Code::ServiceNotFound,
    Code::ServiceProtected,
    Code::ServiceRefused,
    Code::ServiceFailed,
    Code::ServicePending,
    Code::ServiceUnprivileged,
    Code::SystemdAbsent,
    Code::HostUnreadable,
];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn running(pid: u32) -> serde_json::Value {
    json!({"active": "active", "sub": "running", "main_pid": pid})
}

fn stopped() -> serde_json::Value {
    json!({"active": "inactive", "sub": "dead", "main_pid": null})
}

fn example_line() -> serde_json::Value {
    json!({"at": "2026-11-24T08:30:00.000Z", "unit": "nginx.service", "priority": "err", "identifier": "nginx", "pid": 812,
        "message": "bind() to 0.0.0.0:80 failed (98: Address already in use)"})
}

fn example_state() -> serde_json::Value {
    json!({"unit": "nginx.service", "load": "loaded", "active": "failed", "sub": "failed",
        "description": "A high performance web server", "aliases": [], "load_error": null, "enabled": "enabled", "protected": null,
        "main_pid": null, "since": "2026-11-24T08:30:00.000Z", "memory_bytes": null, "tasks": null, "restarts": 0,
        "result": "exit-code", "last_exit": "exited with status 1", "fragment_path": "/usr/lib/systemd/system/nginx.service",
        "triggered_by": [], "journal": [example_line()]})
}
