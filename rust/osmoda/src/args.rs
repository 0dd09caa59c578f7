//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Runs all of osModa on one machine without systemd.
#[derive(Debug, Parser)]
#[command(name = "osmoda", disable_version_flag = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Print the release.
    #[arg(long, short = 'V')]
    version: bool,
    /// With --version: as JSON, with the features it was built with.
    #[arg(long, requires = "version")]
    json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start every daemon and keep it running until Ctrl-C or `osmoda down`.
    Up(Up),
    /// Stop what `osmoda up` started, and wait until it is gone.
    Down(Where),
    /// Say how every daemon is; exit 0 if all are well, else 1.
    Status {
        #[command(flatten)]
        place: Where,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) place: Where,
    /// Return when all are healthy; they keep running.
    #[arg(long)]
    pub(crate) detach: bool,
    /// This is the half of --detach that stays.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) detached: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Where {
    /// Keep everything in this folder, run as yourself.
    #[arg(long, value_name = "DIR", default_value = ".osmoda", conflicts_with = "system")]
    pub(crate) dir: PathBuf,
    /// Use /run/osmoda and /var/lib/osmoda, each daemon as its own user; needs root.
    #[arg(long)]
    pub(crate) system: bool,
}

impl Args {
    /// The answer to `--version`.
    pub(crate) fn version_text(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        if !self.json {
            return format!("osmoda {version}");
        }
        serde_json::json!({"name": "osmoda", "version": version, "features": []}).to_string()
    }
}
