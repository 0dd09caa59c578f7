//! agentd-root: serves the verbs that need root to agentd alone.

use std::path::PathBuf;
use std::process::ExitCode;

use agentd_root::{Half, serve};
use clap::Parser;
use osmoda_types::chain;

/// The privileged half of agentd.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen (SEQPACKET); a socket inherited from systemd is used instead.
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Who may ask, and what may be touched.
    #[arg(long)]
    config: PathBuf,
    /// Only look whether the configuration is right.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let args = Args::parse();
    let config = std::fs::read(&args.config)
        .map_err(|error| format!("{}: {error}", args.config.display()))
        .and_then(|text| serde_json::from_slice::<serve::Config>(&text).map_err(|error| chain(&error)));
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(error, "the configuration is wrong");
            return ExitCode::from(78);
        }
    };
    if args.check_config {
        return ExitCode::SUCCESS;
    }
    match run(&args, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %chain(&error), "cannot serve");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn run(args: &Args, config: serve::Config) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut end = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let callers = serve::uids(&config.callers)?;
    let socket = serve::socket(args.socket.as_deref(), &callers)?;
    let half = Half::new(config.files.places(config.own.clone()), Some(config.shell_user.clone()));
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!("ready");
    let stop = async {
        tokio::select! {
            _ = end.0.recv() => {}
            _ = end.1.recv() => {}
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    };
    serve::serve(socket, half, callers, stop).await
}
