//! Signals to processes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Call, Code, Daemon, Effect, Endpoint, Method, Timestamp, Toolset, Undo, Within};

/// Every call about one process.
pub const CALLS: &[Call] = &[ProcessSignal::CALL];

/// The signals that may be sent; SIG may stand before the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Many daemons read their configuration again.
    #[serde(alias = "SIGHUP")]
    Hup,
    /// As ctrl-c.
    #[serde(alias = "SIGINT")]
    Int,
    /// End and leave a core.
    #[serde(alias = "SIGQUIT")]
    Quit,
    /// The program's own meaning.
    #[serde(alias = "SIGUSR1")]
    Usr1,
    /// The program's own meaning.
    #[serde(alias = "SIGUSR2")]
    Usr2,
    /// Please end.
    #[serde(alias = "SIGTERM")]
    Term,
    /// End at once; nothing is saved.
    #[serde(alias = "SIGKILL")]
    Kill,
    /// Stand still.
    #[serde(alias = "SIGSTOP")]
    Stop,
    /// Go on.
    #[serde(alias = "SIGCONT")]
    Cont,
}

/// A process and a signal.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessSignalIn {
    /// The process.
    pub pid: Within<1, 4_194_304>,
    /// The signal, by name.
    pub signal: Signal,
    /// `started_at` of the process as it was listed: another process that got its pid meanwhile is left alone.
    pub started_at: Option<Timestamp>,
}

/// Who got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessSignalOut {
    /// The process.
    pub pid: u32,
    /// Name of its program.
    pub name: String,
    /// The unit it runs in: systemd may start it again.
    pub unit: Option<String>,
    /// The signal it got.
    pub signal: Signal,
}

/// `POST /process/{pid}/signal`.
pub struct ProcessSignal;
impl Endpoint for ProcessSignal {
    type In = ProcessSignalIn;
    type Out = ProcessSignalOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Destroy,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/process/{pid}/signal",
        "Send a signal to a process. Pid 1, kernel threads, osModa's own, sshd, D-Bus and systemd's daemons are refused.",
    )
    .tool("process_signal", Toolset::System)
    .errors(&[Code::ProcessNotFound, Code::ProcessReused, Code::PolicyDenied, Code::RootRequired])
    .example(|| {
        (
            json!({"pid": 4711, "signal": "TERM"}),
            json!({"pid": 4711, "name": "python3", "unit": "report.service", "signal": "TERM"}),
        )
    });
}
