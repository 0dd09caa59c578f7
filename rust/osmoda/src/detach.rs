//! `--detach`: the start is watched from here, the running is left to a process of its own session.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result};
use osmoda_types::Daemon;
use rustix::process::{Pid, Signal, kill_process};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::args::Up;
use crate::log::Log;
use crate::place::Place;
use crate::say;

/// Starts `osmoda up --detached`, passes on what it says, and returns when it lets go or ends.
pub(crate) async fn up(args: &Up) -> Result<ExitCode> {
    let own = std::env::current_exe().context("cannot find our own program")?;
    let mut command = Command::new(own);
    command.args(["up", "--detached"]);
    if args.place.system {
        command.arg("--system");
    } else {
        command.arg("--dir").arg(&args.place.dir);
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start osmoda up")?;
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut last = String::new();
    loop {
        tokio::select! {
            line = lines.next_line() => match line.context("cannot follow the start")? {
                Some(line) => last = line,
                None => break,
            },
            _ = tokio::signal::ctrl_c() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    kill_process(pid, Signal::TERM)?;
                }
                continue;
            }
        }
        say(format_args!("{last}"));
    }
    if last == last_line(&Place::new(&args.place)?) {
        return Ok(ExitCode::SUCCESS);
    }
    let status = child.wait().await.context("cannot wait for osmoda up")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// What the staying half says when all are healthy, and nothing after it.
pub(crate) fn last_line(place: &Place) -> String {
    format!("  socket    {}", place.socket(Daemon::Agentd).display())
}

/// Leaves the one who waits: from here on what there is to say goes to `log/up.log`.
pub(crate) fn let_go(place: &Place) -> Result<()> {
    let path = place.log.join("up.log");
    let log = Log::open(&path).with_context(|| format!("cannot write {}", path.display()))?;
    dup2_stderr(log.file()).and_then(|()| dup2_stdout(log.file())).context("cannot leave the terminal")
}
