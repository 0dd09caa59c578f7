//! `osmoda up`: runs all of osModa on one machine without systemd, for trying and developing.

mod accounts;
mod args;
mod detach;
mod down;
mod half;
mod keep;
mod launch;
mod lock;
mod log;
mod place;
mod ready;
mod sockets;
mod status;
mod up;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// One thread on purpose: a child's death signal follows the thread that spawned it.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = std::env::var("OSMODA_LOG").unwrap_or_else(|_| "info".into());
    let stderr = std::io::stderr;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(stderr);
    log.with_ansi(stderr().is_terminal()).init();
    let done = match args.command {
        None => {
            say(format_args!("{}", args.version_text()));
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Up(up)) if up.detach => detach::up(&up).await,
        Some(Command::Up(up)) => up::up(&up).await,
        Some(Command::Down(place)) => down::down(&place),
        Some(Command::Status { place, json }) => status::status(&place, json).await,
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "osmoda: {error:#}");
        ExitCode::from(if error.is::<Misconfigured>() { CONFIGURATION } else { 1 })
    })
}

/// One line for the person who started it; a reader that went away is no failure.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Something only a person can put right; trying again changes nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misconfigured(String);

/// EX_CONFIG of sysexits.h: what osModa's programs exit with when their configuration is wrong.
const CONFIGURATION: u8 = 78;
