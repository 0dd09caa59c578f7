//! A program run to its end in namespaces of its own: no network, and nothing of it outlives the call.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use osmoda_types::{Code, Problem};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use wait4::{ResUse, Wait4};

/// What to run. Standard output and standard error are the two descriptors given with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spawn {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts.
    pub cwd: String,
    /// It is killed after so long.
    pub timeout_secs: u64,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Its exit code; that of a shell after a signal is 128 and the signal.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It was killed because its time was over.
    pub timed_out: bool,
    /// Processor time of it and all it waited for.
    pub cpu_ms: u64,
    /// Most memory that one of its processes used.
    pub max_rss_bytes: u64,
}

/// Runs it, as `user` where one is named. A caller that stops waiting ends it.
///
/// # Errors
/// `shell.absent` where no namespaces can be made, `shell.failed` when it cannot be started.
pub(crate) async fn run(spawn: Spawn, given: Vec<OwnedFd>, user: Option<String>) -> Result<Ended, Problem> {
    let Ok([out, err]) = <[OwnedFd; 2]>::try_from(given) else {
        return Err(Problem::new(Code::InternalBug).detail("a program came without its two descriptors"));
    };
    if spawn.argv.is_empty() {
        return Err(Problem::new(Code::RequestField).at("/argv", "names no program"));
    }
    let spawn_secs = spawn.timeout_secs;
    let (started, pid) = oneshot::channel();
    // One thread from start to end: its death, and so that of this process, is the program's.
    let mut waiting = tokio::task::spawn_blocking(move || {
        if !can_isolate(user.as_deref()) {
            return Err(Problem::new(Code::ShellAbsent));
        }
        let failed =
            |error: std::io::Error| Problem::new(Code::ShellFailed).detail(format!("{}: {error}", spawn.cwd));
        let mut command = isolated(user.as_deref());
        command.args(&spawn.argv).env_clear().envs(&spawn.env).current_dir(&spawn.cwd);
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        drop(command);
        let _ = started.send(Pid::from_child(&child));
        child.wait4().map_err(failed)
    });
    let mut group = KillGroup(pid.await.ok());
    let timed_out = tokio::time::timeout(Duration::from_secs(spawn_secs), &mut waiting).await;
    let (ended, timed_out) = match timed_out {
        Ok(ended) => (ended, false),
        Err(_) => {
            group.kill();
            (waiting.await, true)
        }
    };
    group.0 = None;
    let ResUse { status, rusage } = ended.map_err(|_| Problem::new(Code::InternalPanic))??;
    let cpu = rusage.utime + rusage.stime;
    Ok(Ended {
        exit_code: if timed_out { None } else { status.code() },
        signal: status.signal(),
        timed_out,
        cpu_ms: u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX),
        max_rss_bytes: rusage.maxrss,
    })
}

/// Kills what was started when the caller goes away.
struct KillGroup(Option<Pid>);

impl KillGroup {
    /// The first process of the group keeps the others' namespace: all of them end with it.
    fn kill(&self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for KillGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The words before the program: the user it runs as, then own network, process and mount namespaces, for which no right
/// of root's is needed. The first process of the namespace waits for the program, and all in it end with it.
fn isolated(user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--no-new-privs"]);
    if let Some(user) = user {
        command.args([
            "--reuid",
            user,
            "--regid",
            user,
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
        ]);
    }
    command.args(["--", "unshare"]);
    if user.is_some() || !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user"]);
    }
    command.args(["--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]);
    command.args(["/bin/sh", "-c", r#""$@"; exit $?"#, "sh"]);
    command
}

/// Whether this kernel lets this user make namespaces; asked once.
fn can_isolate(user: Option<&str>) -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let mut command = isolated(user);
        command.arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}
