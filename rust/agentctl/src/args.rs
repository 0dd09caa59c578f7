//! The command line: every verb and its arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use osmoda_tlog::note::VerifierKey;
use osmoda_types::api::agentd::firewall::{PortRange, Source};
use osmoda_types::api::agentd::process::Signal;
use osmoda_types::api::agentd::receipt::ReceiptId;
use osmoda_types::api::agentd::service::Priority;
use osmoda_types::api::agentd::sysctl::SysctlKey;
use osmoda_types::api::agentd::system::Protocol;
use osmoda_types::{BackupId, IncidentId, MemoryId, Since, Toolset, UndoId, UnitName, Within};

use crate::card::CardArgs;
use crate::file::File;
use crate::shell::Shell;

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
    /// The services of this machine; with a unit, all about it and its last journal lines.
    Service(Service),
    /// Read the journal, newest first.
    Journal(Journal),
    /// The machine's files, as an agent reaches them.
    #[command(subcommand)]
    File(File),
    /// Run one command as an agent would: bounded, without network, on record.
    Shell(Shell),
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
    /// Take back what was done to files, services and settings, exactly.
    ///
    /// Changes that somebody else overwrote since are refused, and what cannot be undone is listed first. Exits with 1 if
    /// a change was refused.
    Undo(Undo),
    /// What went wrong here and what was found out; with an id, each step.
    Incidents(Incidents),
    /// What was done here: each call with an effect and how it ended; with an id, its two events.
    Receipts(Receipts),
    /// The agent card of this machine: who it is to others.
    Card(CardArgs),
    /// Make, check and restore backups of osModa's state.
    #[command(subcommand)]
    Backup(Backup),
    /// What this machine remembers: search, store, list, forget, reindex.
    #[command(subcommand)]
    Memory(Memory),
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
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct Undo {
    /// One change, by its undo id.
    #[arg(value_name = "ID", group = "which")]
    pub(crate) id: Option<UndoId>,
    /// One change, by the event of its outcome.
    #[arg(long, value_name = "ID", group = "which")]
    pub(crate) event: Option<u64>,
    /// Everybody's changes from then on, newest first: RFC 3339, or an age such as 10m.
    #[arg(long, group = "which")]
    pub(crate) since: Option<Since>,
    /// Only show what would happen.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Service {
    #[command(subcommand)]
    pub(crate) act: Option<ServiceAct>,
    /// The unit; nginx means nginx.service.
    #[arg(value_name = "UNIT", conflicts_with_all = ["state", "pattern"])]
    pub(crate) unit: Option<UnitName>,
    /// Only units in this state, such as failed or running.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only units whose name fits, with * and ?; services unless it ends in another kind, such as '*.timer'.
    #[arg(long)]
    pub(crate) pattern: Option<String>,
    /// How many journal lines with a unit [default: 10].
    #[arg(long, short = 'n', value_name = "N", requires = "unit")]
    pub(crate) lines: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAct {
    /// Start it and wait until it runs; a failure is explained.
    Start(OneUnit),
    /// Stop it and wait until it is down.
    Stop(OneUnit),
    /// Restart it, or start it if it is down, and wait until it runs.
    Restart(OneUnit),
    /// Tell it to read its configuration again.
    Reload(OneUnit),
}

#[derive(Debug, clap::Args)]
pub(crate) struct OneUnit {
    /// The unit; nginx means nginx.service.
    pub(crate) unit: UnitName,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Journal {
    /// Only lines of this unit and what systemd says of it.
    #[arg(long, short = 'u')]
    pub(crate) unit: Option<UnitName>,
    /// Only lines as bad as this or worse: emerg, alert, crit, err, warning, notice, info, debug.
    #[arg(long, short = 'p', value_parser = priority)]
    pub(crate) priority: Option<Priority>,
    /// Not before: RFC 3339, or an age such as 30m, 24h, 7d.
    #[arg(long)]
    pub(crate) since: Option<Since>,
    /// Not after: RFC 3339, or an age.
    #[arg(long)]
    pub(crate) until: Option<Since>,
    /// Only lines whose message fits this regular expression.
    #[arg(long = "match", short = 'g', value_name = "PATTERN")]
    pub(crate) matching: Option<String>,
    /// How many lines at the most [default: 100].
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
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

#[derive(Debug, clap::Args)]
pub(crate) struct Incidents {
    /// Show this one with its steps.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<IncidentId>,
    /// Only those without a cause.
    #[arg(long, conflicts_with = "id")]
    pub(crate) open: bool,
    /// How many at the most.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, conflicts_with = "id")]
    pub(crate) limit: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Receipts {
    /// Show this one with its events.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<ReceiptId>,
    /// The exact call; one with a trailing dot, such as agentd.backup., takes all that begin so.
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "id")]
    pub(crate) kind: Option<String>,
    /// Exact actor, such as agent:main or operator:root.
    #[arg(long, conflicts_with = "id")]
    pub(crate) actor: Option<String>,
    /// Not before: RFC 3339, or an age such as 30m, 24h, 7d.
    #[arg(long, conflicts_with = "id")]
    pub(crate) since: Option<Since>,
    /// How many at the most.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, conflicts_with = "id")]
    pub(crate) limit: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Make a backup of all state, encrypted.
    Create,
    /// List the backups in the backups folder, newest first.
    List,
    /// Decrypt a backup and check everything in it; changes nothing.
    ///
    /// Exits with 0 if it is whole and of this machine, 1 if not.
    Verify(OneBackup),
    /// Merge a backup of this machine into its state, after everything in it was verified.
    Restore(Restore),
}

#[derive(Debug, clap::Args)]
pub(crate) struct OneBackup {
    /// The backup.
    #[arg(value_name = "ID")]
    pub(crate) id: BackupId,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "ID")]
    pub(crate) id: BackupId,
    /// Also if the ledger here does not say that this machine made it: for a ledger that was lost.
    #[arg(long)]
    pub(crate) accept_unrecorded: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Memory {
    /// Find memories by words, the best first.
    Search(MemorySearch),
    /// Keep something.
    Store(MemoryStoreArgs),
    /// List memories, newest first; with --id, one of them whole.
    List(MemoryListArgs),
    /// Forget one memory, or all that came from a source alone.
    Forget(MemoryForgetArgs),
    /// Build the search index again from the Markdown files.
    Reindex,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MemorySearch {
    /// What to look for.
    #[arg(required = true, value_name = "WORD")]
    pub(crate) words: Vec<String>,
    /// Not before: an age such as 7d, or RFC 3339.
    #[arg(long)]
    pub(crate) since: Option<Since>,
    /// Only this category.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// How many at the most [default: 10].
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MemoryStoreArgs {
    /// One line.
    pub(crate) summary: String,
    /// All there is to say, or - to read it from stdin.
    #[arg(long, value_name = "TEXT")]
    pub(crate) detail: Option<String>,
    /// What kind of knowledge, such as user_pattern.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// A word to find it by; may be given several times.
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Where it came from.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// A memory that it replaces; may be given several times.
    #[arg(long, value_name = "ID")]
    pub(crate) supersedes: Vec<MemoryId>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct MemoryListArgs {
    /// Only this one, with its whole text and origins.
    #[arg(long)]
    pub(crate) id: Option<MemoryId>,
    /// Only this category.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Only what came from this source, session or actor.
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Not before: an age such as 7d, or RFC 3339.
    #[arg(long)]
    pub(crate) since: Option<Since>,
    /// How many at the most [default: 100].
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct MemoryForgetArgs {
    /// This memory.
    pub(crate) id: Option<MemoryId>,
    /// All that came from this source, session or actor alone.
    #[arg(long)]
    pub(crate) source: Option<String>,
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
    pub(crate) shell: clap_complete::Shell,
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

fn priority(text: &str) -> Result<Priority, String> {
    let named = Priority::ALL.iter().copied().find(|priority| priority.name() == text);
    named.ok_or_else(|| "one of emerg, alert, crit, err, warning, notice, info, debug".into())
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
    fn a_service_is_looked_at_or_acted_on() {
        let read = |words: &[&str]| Cli::try_parse_from([&["agentctl", "service"], words].concat());
        let Ok(Cli { verb: Verb::Service(service), .. }) = read(&["nginx", "-n", "3"]) else {
            panic!("a unit")
        };
        assert_eq!((service.unit.unwrap().as_str(), service.lines), ("nginx.service", Some(3)));
        assert!(
            read(&[]).is_ok() && read(&["restart", "nginx"]).is_ok() && read(&["--state", "failed"]).is_ok()
        );
        for bad in [
            &["nginx", "--state", "failed"][..],
            &["-n", "3"],
            &["stop"],
            &["stop", "a/b"],
            &["-x", "stop", "a"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
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
