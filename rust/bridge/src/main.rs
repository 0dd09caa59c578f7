//! osmoda-bridge: the catalogue as an MCP server, over stdio or streamable HTTP.
//!
//! It holds no state: each tool call is one HTTP request on a daemon's socket.

mod args;
mod call;
mod http;
mod progress;
mod search;
mod server;
mod toolbox;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use rmcp::ServiceExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::server::Bridge;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.version {
        let _ = writeln!(std::io::stdout(), "{}", args.version_text());
        return ExitCode::SUCCESS;
    }
    let filter = std::env::var("OSMODA_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "osmoda-bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let bridge = Bridge::new(args);
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    match &args.http {
        Some(address) => http::serve(bridge, address, args.token_file.as_deref(), stop).await,
        None => {
            // A client that leaves before it has introduced itself is no failure.
            match bridge.serve_with_ct(rmcp::transport::stdio(), stop.clone()).await {
                Ok(running) => drop(running.waiting().await),
                Err(error) => tracing::info!(%error, "no session"),
            }
            Ok(())
        }
    }
}
