//! Running a command.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::file::Path;
use crate::{Call, Code, Daemon, Effect, Endpoint, Method, Text, Toolset, Undo, Within};

/// Every call that runs something.
pub const CALLS: &[Call] = &[ShellExec::CALL];

/// A command for `/bin/sh`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShellExecIn {
    /// What to run.
    pub command: Text<65_536>,
    /// Where; `/` unless told.
    #[serde(default)]
    pub cwd: Option<Path>,
    /// It is killed after so long; 60 unless told.
    #[serde(default)]
    pub timeout_secs: Option<Within<1, 120>>,
    /// As root. Only an operator may.
    #[serde(default)]
    pub as_root: bool,
}

/// What it did.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShellExecOut {
    /// Its exit code; 128 and more: the shell ended by that signal minus 128. None when it was killed.
    pub exit_code: Option<i32>,
    /// It was killed because its time was over.
    pub timed_out: bool,
    /// Standard output, the first MiB.
    pub stdout: String,
    /// Standard error, the first MiB.
    pub stderr: String,
    /// Bytes it wrote to standard output.
    pub stdout_bytes: u64,
    /// Bytes it wrote to standard error.
    pub stderr_bytes: u64,
    /// More was written than is shown.
    pub truncated: bool,
    /// Bytes that are no UTF-8 were replaced.
    pub binary: bool,
    /// Wall-clock time.
    pub duration_ms: u64,
    /// Processor time of it and its children.
    pub cpu_ms: u64,
    /// Most memory that one of its processes used.
    pub max_rss_bytes: u64,
}

/// `POST /shell/exec`.
pub struct ShellExec;
impl Endpoint for ShellExec {
    type In = ShellExecIn;
    type Out = ShellExecOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/shell/exec",
        "Run a shell command as an unprivileged user, without network, for at most 120 s. Everything it starts ends with it. Prefer a typed tool where there is one: it can be undone and is recorded by what it does.",
    )
    .tool("shell_exec", Toolset::System)
    .body_limit(128 * 1024)
    .timeout_secs(150)
    .errors(&[Code::PolicyDenied, Code::ShellAbsent, Code::ShellFailed, Code::RootAbsent])
    .example(|| {
        (
            json!({"command": "uname -sr"}),
            json!({"exit_code": 0, "timed_out": false, "stdout": "Linux 6.12.0\n", "stderr": "", "stdout_bytes": 13,
                "stderr_bytes": 0, "truncated": false, "binary": false, "duration_ms": 9, "cpu_ms": 4, "max_rss_bytes": 3_145_728}),
        )
    });
}
