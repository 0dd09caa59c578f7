//! The privileged half of agentd on an installed system: kept running as root, with the rights it needs and no others.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::accounts::SHELL;
use crate::launch::{DIE_WITH_US, find};
use crate::place::Place;

/// Everything needed to start it again and again.
#[derive(Debug)]
pub(crate) struct Half {
    program: PathBuf,
    socket: PathBuf,
    config: PathBuf,
    log: PathBuf,
}

/// Between its end and its next start.
const PAUSE: Duration = Duration::from_millis(200);
/// What a process of root's may not do all the same: mounts, other processes' memory, devices, kernel modules.
const NEVER: &str = "--bounding-set=-sys_admin,-sys_ptrace,-sys_rawio,-sys_module,-mknod";

impl Half {
    /// Finds the program, and writes the two configurations that join it with agentd where there are none.
    pub(crate) fn new(place: &Place) -> Result<Self> {
        let program = find("agentd-root").context("agentd-root is neither beside osmoda nor on PATH")?;
        let (socket, config) = (place.run.join("root.sock"), place.etc.join("agentd-root.json"));
        let half =
            json!({"callers": ["osmoda-agentd"], "shell_user": SHELL, "own": [&place.state, &place.backups]});
        write_new(&config, &half)?;
        write_new(&place.etc.join("agentd.json"), &json!({"root_socket": &socket}))?;
        Ok(Self { program, socket, config, log: place.log.join("agentd-root.log") })
    }

    /// Runs it until told to stop.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.run(&stop).await {
                tracing::warn!(%error, "the privileged half cannot be started");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => {}
            }
        }
        let _ = fs::remove_file(&self.socket);
    }

    async fn run(&self, stop: &CancellationToken) -> std::io::Result<()> {
        let log = fs::File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new("setpriv");
        command.args(DIE_WITH_US).args([NEVER, "--inh-caps=-all", "--"]).arg(&self.program);
        command.arg("--socket").arg(&self.socket).arg("--config").arg(&self.config);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).current_dir("/");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let mut child = command.process_group(0).spawn()?;
        tokio::select! {
            ended = child.wait() => {
                tracing::warn!(status = %ended?, "the privileged half ended");
                Ok(())
            }
            () = stop.cancelled() => child.kill().await,
        }
    }
}

fn write_new(path: &Path, config: &Value) -> Result<()> {
    match fs::File::create_new(path) {
        Ok(mut file) => writeln!(file, "{config:#}"),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
    .with_context(|| format!("cannot write {}", path.display()))
}
