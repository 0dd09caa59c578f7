//! agentd: the kernel bridge daemon.

use std::process::ExitCode;

use osmoda_types::Daemon;

fn main() -> ExitCode {
    osmoda_runtime::main(Daemon::Agentd, env!("CARGO_PKG_VERSION"), agentd::bind)
}
