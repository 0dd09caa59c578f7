//! The arguments every daemon takes.

use std::path::PathBuf;

use clap::Parser;
use osmoda_types::Daemon;

/// `<binary> --socket PATH --state-dir ROOT [--config FILE] [--check-config]`.
#[derive(Clone, Debug, Parser)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// Where to listen; a socket inherited from systemd is used instead.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The shared state root; the daemon keeps its own folder in it.
    #[arg(long, value_name = "ROOT", default_value = "/var/lib/osmoda")]
    pub state_dir: PathBuf,
    /// Configuration; without it, /etc/osmoda/<name>.json if it exists, else defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read the configuration, say what is wrong with it, do nothing else.
    #[arg(long)]
    pub check_config: bool,
    /// Print the release.
    #[arg(long, short = 'V')]
    pub version: bool,
    /// With --version: as JSON, with the features it was built with.
    #[arg(long, requires = "version")]
    pub json: bool,
}

impl Args {
    /// The socket, by default the daemon's own under /run/osmoda.
    pub fn socket(&self, daemon: Daemon) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| PathBuf::from("/run/osmoda").join(daemon.socket()))
    }

    /// The answer to `--version`.
    pub fn version_text(&self, daemon: Daemon, version: &str) -> String {
        if !self.json {
            return format!("{} {version}", daemon.binary());
        }
        let features: &[&str] = if cfg!(feature = "testing") { &["testing"] } else { &[] };
        serde_json::json!({"name": daemon.binary(), "version": version, "features": features}).to_string()
    }
}
