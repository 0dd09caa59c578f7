//! `agentctl shell`: one command as an agent would run it, bounded and on record.

use std::io::{self, Write};

use osmoda_client::Client;
use osmoda_types::api::agentd::file::Path;
use osmoda_types::api::agentd::shell::{ShellExec, ShellExecIn};
use osmoda_types::{Text, Within};

use crate::exit::{Exit, Outcome};
use crate::file::path;
use crate::screen::Screen;

#[derive(Debug, clap::Args)]
pub(crate) struct Shell {
    /// What /bin/sh runs.
    command: Text<65_536>,
    /// Where [default: /].
    #[arg(long, value_name = "DIR", value_parser = path)]
    cwd: Option<Path>,
    /// It is killed after so long.
    #[arg(long, value_name = "SECS", default_value = "60", value_parser = timeout)]
    timeout: Within<1, 120>,
    /// As root.
    #[arg(long)]
    as_root: bool,
}

pub(crate) async fn shell(client: &Client, args: Shell, screen: &mut Screen) -> Outcome {
    let input = ShellExecIn {
        command: args.command,
        cwd: args.cwd,
        timeout_secs: Some(args.timeout),
        as_root: args.as_root,
    };
    let done = client.send::<ShellExec>(&input).await?;
    if screen.is_json() {
        screen.json(&done)?;
    } else {
        io::stdout().write_all(done.stdout.as_bytes())?;
        let mut err = io::stderr();
        err.write_all(done.stderr.as_bytes())?;
        if done.truncated {
            let (out, err_bytes) = (done.stdout_bytes, done.stderr_bytes);
            writeln!(err, "agentctl: more was written than is shown: {out} and {err_bytes} bytes")?;
        }
        match done.exit_code {
            Some(0) => {}
            Some(code) => writeln!(err, "agentctl: it exited with {code}")?,
            None if done.timed_out => writeln!(err, "agentctl: its time was over, it was killed")?,
            None => writeln!(err, "agentctl: it was killed")?,
        }
    }
    Ok(if done.exit_code == Some(0) { Exit::Ok } else { Exit::Failed })
}

fn timeout(text: &str) -> Result<Within<1, 120>, String> {
    text.parse().ok().and_then(Within::new).ok_or_else(|| "from 1 to 120 seconds".into())
}
