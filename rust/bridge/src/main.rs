//! osmoda-bridge: the catalogue as an MCP server, over stdio or streamable HTTP.
//!
//! It holds no state: each tool call is one HTTP request on a daemon's socket.

mod args;
mod arguments;
mod call;
mod http;
mod meta;
mod progress;
mod search;
mod server;
mod socket;
mod stop;
mod toolbox;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use rmcp::ServiceExt;

use crate::args::Args;
use crate::server::Bridge;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.version {
        let _ = writeln!(std::io::stdout(), "{}", args.version_text());
        return ExitCode::SUCCESS;
    }
    let filter = std::env::var("OSMODA_LOG").unwrap_or_else(|_| "warn,osmoda_bridge=info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Runtime::new().expect("a process may have threads and an epoll");
    let ended = runtime.block_on(run(&args));
    // A read of a stdin that is no pipe cannot be cancelled, and nobody waits for it.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "osmoda-bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<()> {
    let stop = stop::when_told()?;
    let bridge = Bridge::new(args);
    if let Some(address) = &args.http {
        return http::serve(bridge, address, args.token_file.as_deref(), stop).await;
    }
    // A client that leaves before it has introduced itself is no failure.
    match bridge.serve_with_ct(rmcp::transport::stdio_pipes(), stop).await {
        Ok(running) => drop(running.waiting().await),
        Err(error) => tracing::info!(%error, "no session"),
    }
    Ok(())
}
