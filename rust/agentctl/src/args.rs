//! The command line: every verb and its arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use osmoda_tlog::note::VerifierKey;
use osmoda_types::api::agentd::firewall::{PortRange, Source};
use osmoda_types::api::agentd::process::Signal;
use osmoda_types::api::agentd::sysctl::SysctlKey;
use osmoda_types::api::agentd::system::Protocol;
use osmoda_types::{Since, Toolset, Within};

/// Look at this machine and at what was done to it.
///
/// Talks to the daemons on their sockets, as the user who runs it: in OSMODA_RUN_DIR, else in /run/osmoda, else in the
/// nearest .osmoda/run from here upwards.
#[derive(Debug, Parser)]
#[command(name = "agentctl", version, arg_required_else_help = true, after_long_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print JSON, for programs; errors too, on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failed, 64 usage, 69 a daemon is absent, 77 denied. \
verify-ledger: 0 whole, 1 broken, 2 a checkpoint does not fit, 3 truncated, 4 could not be read.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How every daemon is, what to do where one is not well, and who you are to them.
    ///
    /// Exits with 0 if all are well, 1 if one is not, 69 if one does not answer.
    Status,
    /// How the machine is: processors, memory, disks, load.
    Health,
    /// Who did what, newest first; with --follow, as it happens.
    Events(Events),
    /// Verify the ledger here, without trust in the daemon that keeps it.
    ///
    /// Reads the export of the ledger and checks every hash, id, time, checkpoint and signature in this process. Exits
    /// with 0 if it is whole, 1 if it is broken at an event, 2 if a checkpoint does not fit, 3 if it is shorter than a
    /// checkpoint says, 4 if it could not be read.
    VerifyLedger(Verify),
    /// Take the ledger with you.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Print a signed checkpoint of the ledger, to keep somewhere else.
    Checkpoint(Checkpoint),
    /// Prove that one event stands in the ledger; the proof is checked here.
    Proof(Proof),
    /// Interfaces, ways out and name servers.
    Network,
    /// Openings in the firewall.
    #[command(subcommand)]
    Firewall(Firewall),
    /// The machine's accounts.
    Users(Users),
    /// Parameters of the kernel.
    #[command(subcommand)]
    Sysctl(Sysctl),
    /// Send a signal to a process.
    Signal(SignalArgs),
    /// How well this machine is guarded, and what would make it better.
    Score,
    /// The last day: processors, memory, load, disk, network.
    Telemetry(Telemetry),
    /// The tools an agent has on this machine.
    #[command(subcommand)]
    Tools(Tools),
    /// Print how an MCP client gets this machine's tools.
    Connect(Connect),
    /// Print the completions for a shell.
    Completions(Completions),
    /// Print the manual page, or write all of them into a folder.
    Man(Man),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Events {
    /// Exact type; one with a trailing dot, such as agentd., takes all that begin so.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Exact actor, such as agent:main or operator:root.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Not before: RFC 3339, or an age such as 30m, 24h, 7d.
    #[arg(long)]
    pub(crate) since: Option<Since>,
    /// Not after: RFC 3339, or an age.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) until: Option<Since>,
    /// Text that occurs in the payload.
    #[arg(long, value_name = "TEXT", conflicts_with = "follow")]
    pub(crate) q: Option<String>,
    /// How many events at the most [default: 100; with --follow: 10 past ones].
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Go on with what happens from now on, across restarts of agentd, until interrupted.
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Verify this export (- for stdin) instead of asking agentd for one.
    #[arg(long, value_name = "FILE")]
    pub(crate) offline: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere; may be given several times.
    #[arg(long, value_name = "NOTE")]
    pub(crate) against: Vec<PathBuf>,
    /// The key that must have signed, as it was known at the ledger's start; otherwise the ledger's own word is taken.
    #[arg(long, value_name = "KEY")]
    pub(crate) signer: Option<VerifierKey>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ledger {
    /// Write the ledger as JSON lines that anyone can verify without this machine.
    Export(Export),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// Where to; stdout if none or -. The file appears when it is complete.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Only events from then on: RFC 3339, or an age.
    #[arg(long)]
    pub(crate) since: Option<Since>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Checkpoint {
    /// Write the note there instead of to stdout.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Proof {
    /// The event.
    pub(crate) id: u64,
    /// Size of the tree; by default that of the newest checkpoint that holds the event.
    #[arg(long)]
    pub(crate) size: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Firewall {
    /// List the openings.
    List,
    /// Open ports for everybody or one network.
    Allow(Allow),
    /// Close what was opened; protocol, ports and source as they were opened.
    Revoke(Opening),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Allow {
    #[command(flatten)]
    pub(crate) opening: Opening,
    /// For so many seconds; until the firewall is loaded anew unless told.
    #[arg(long = "ttl", value_name = "SECS", value_parser = ttl)]
    pub(crate) ttl_secs: Option<Within<1, 31_536_000>>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Opening {
    /// tcp or udp.
    pub(crate) protocol: ProtocolName,
    /// A port, or the first and last of several: 8000-8010.
    #[arg(value_parser = ports)]
    pub(crate) ports: (PortRange, Option<PortRange>),
    /// Only from this address or network.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) source: Option<Source>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ProtocolName {
    Tcp,
    Udp,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::Tcp => Self::Tcp,
            ProtocolName::Udp => Self::Udp,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Users {
    /// Only people, not the accounts of services.
    #[arg(long)]
    pub(crate) people: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sysctl {
    /// Print a parameter.
    Get {
        /// Its name, such as vm.swappiness.
        #[arg(value_parser = sysctl_key)]
        key: SysctlKey,
    },
    /// Set a parameter until the next boot.
    Set {
        /// Its name.
        #[arg(value_parser = sysctl_key)]
        key: SysctlKey,
        /// Its new value.
        value: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct SignalArgs {
    /// The process.
    pub(crate) pid: u32,
    /// HUP, INT, QUIT, USR1, USR2, TERM, KILL, STOP or CONT.
    #[arg(default_value = "TERM", value_parser = signal)]
    pub(crate) signal: Signal,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Telemetry {
    /// From then on: RFC 3339, or an age such as 30m, 24h [default: 1h].
    #[arg(long)]
    pub(crate) since: Option<Since>,
    /// Until then: RFC 3339, or an age.
    #[arg(long)]
    pub(crate) until: Option<Since>,
    /// Seconds of one line.
    #[arg(long, value_name = "SECS")]
    pub(crate) step: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    /// List the tools.
    List(ToolsList),
    /// Call a tool and print its answer as JSON.
    Call(ToolsCall),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ToolsList {
    /// Only this toolset.
    #[arg(long, value_name = "NAME", value_parser = toolset)]
    pub(crate) toolset: Option<Toolset>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ToolsCall {
    /// The tool's name.
    pub(crate) name: String,
    /// key=value (a.b=value for a field of a field), one JSON object, or - to read JSON from stdin.
    #[arg(value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Connect {
    /// The program that shall get the tools.
    pub(crate) client: McpClient,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum McpClient {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    Vscode,
    Codex,
    Openclaw,
    /// Any other client that takes `mcpServers`.
    Generic,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Write a page for each verb into this folder.
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

fn ports(text: &str) -> Result<(PortRange, Option<PortRange>), String> {
    let port =
        |text: &str| text.parse().ok().and_then(PortRange::new).ok_or_else(|| format!("{text} is no port"));
    match text.split_once('-') {
        Some((first, last)) => Ok((port(first)?, Some(port(last)?))),
        None => Ok((port(text)?, None)),
    }
}

fn ttl(text: &str) -> Result<Within<1, 31_536_000>, String> {
    text.parse().ok().and_then(Within::new).ok_or_else(|| "from 1 second to a year, 31536000".into())
}

fn sysctl_key(text: &str) -> Result<SysctlKey, String> {
    SysctlKey::new(text).map_err(|error| error.to_string())
}

/// As the API spells it, in any case.
fn signal(text: &str) -> Result<Signal, String> {
    let name = serde_json::Value::String(text.to_ascii_uppercase());
    serde_json::from_value(name)
        .map_err(|_| "one of HUP, INT, QUIT, USR1, USR2, TERM, KILL, STOP, CONT".into())
}

fn toolset(text: &str) -> Result<Toolset, String> {
    let names = || Toolset::ALL.iter().map(|set| set.name()).collect::<Vec<_>>().join(", ");
    Toolset::ALL.iter().copied().find(|set| set.name() == text).ok_or_else(|| format!("one of {}", names()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for bad in [
            &["events", "--follow", "--until", "1h"][..],
            &["events", "-f", "--q", "x"],
            &["events", "--since", "soon"],
            &["firewall", "allow", "tcp", "70000"],
            &["firewall", "allow", "icmp", "7"],
            &["sysctl", "get", "../x"],
            &["signal", "7", "SEGV"],
        ] {
            assert!(Cli::try_parse_from([&["agentctl"], bad].concat()).is_err(), "{bad:?}");
        }
    }
}
