//! The users and groups of an installed system, made when they are missing.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use osmoda_types::Daemon;

use crate::say;

/// Who the daemons run as.
#[derive(Debug)]
pub(crate) struct Accounts {
    users: HashMap<String, User>,
    /// The group that may open sockets.
    pub(crate) sockets: u32,
    /// Whether the machine has a group that may read the journal.
    pub(crate) journal: bool,
}

/// One user's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Accounts {
    /// The accounts of these daemons; those that are missing are made.
    pub(crate) fn ensure(daemons: &[Daemon]) -> Result<Self> {
        let (users, groups) = read()?;
        let users: Vec<_> = daemons
            .iter()
            .map(|d| d.user())
            .chain([SHELL])
            .filter(|name| !users.contains_key(*name))
            .collect();
        let groups: Vec<_> =
            [SOCKETS, OPERATORS].into_iter().filter(|name| !groups.contains_key(*name)).collect();
        if !(users.is_empty() && groups.is_empty()) {
            say(format_args!(
                "making users and groups: {}",
                [groups.clone(), users.clone()].concat().join(" ")
            ));
            make(&users, &groups)?;
        }
        let (users, groups) = read()?;
        let sockets = *groups.get(SOCKETS).context("the group osmoda could not be made")?;
        Ok(Self { users, sockets, journal: groups.contains_key(JOURNAL) })
    }

    /// The user a daemon runs as.
    pub(crate) fn user(&self, daemon: Daemon) -> Result<User> {
        self.users
            .get(daemon.user())
            .copied()
            .with_context(|| format!("the user {} could not be made", daemon.user()))
    }
}

/// systemd-sysusers where there is one, so that a later systemd unit finds what it would have made itself.
fn make(users: &[&str], groups: &[&str]) -> Result<()> {
    let mut lines = String::new();
    groups.iter().for_each(|name| _ = writeln!(lines, "g {name} -"));
    users.iter().for_each(|name| _ = writeln!(lines, "u {name} - \"osModa\" {HOME}"));
    if run(Command::new("systemd-sysusers").arg("-"), &lines)? {
        return Ok(());
    }
    for name in groups {
        made(run(Command::new("groupadd").args(["--system", name]), "")?, "groupadd")?;
    }
    for name in users {
        let options = ["--system", "--user-group", "--no-create-home", "--home-dir", HOME, "--shell"];
        made(run(Command::new("useradd").args(options).args([NOLOGIN, name]), "")?, "useradd")?;
    }
    Ok(())
}

/// Runs a program with `input`; false if the machine does not have it.
fn run(command: &mut Command, input: &str) -> Result<bool> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = match command.stdin(Stdio::piped()).spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        other => other.with_context(|| format!("cannot run {name}"))?,
    };
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).with_context(|| format!("cannot write to {name}"))?;
    }
    let status = child.wait().with_context(|| format!("cannot wait for {name}"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(true)
}

fn made(ran: bool, name: &str) -> Result<()> {
    if ran { Ok(()) } else { bail!("neither systemd-sysusers nor {name} is there to make users with") }
}

/// Users with their numbers, and groups with theirs.
fn read() -> Result<(HashMap<String, User>, HashMap<String, u32>)> {
    let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let group = fs::read_to_string("/etc/group").context("cannot read /etc/group")?;
    let field = |line: &str, at: usize| line.split(':').nth(at).map(str::to_owned);
    let number = |line: &str, at: usize| field(line, at).and_then(|text| text.parse().ok());
    let user = |line: &str| Some((field(line, 0)?, User { uid: number(line, 2)?, gid: number(line, 3)? }));
    let users = passwd.lines().filter_map(user).collect();
    let groups = group.lines().filter_map(|line| Some((field(line, 0)?, number(line, 2)?))).collect();
    Ok((users, groups))
}

/// What runs commands for agents.
pub(crate) const SHELL: &str = "osmoda-shell";
/// systemd's group of those who may read the journal.
pub(crate) const JOURNAL: &str = "systemd-journal";
/// Its members may open the daemons' sockets.
pub(crate) const SOCKETS: &str = "osmoda";
/// Its members answer for the machine.
const OPERATORS: &str = "osmoda-operator";
const HOME: &str = "/var/lib/osmoda";
const NOLOGIN: &str = "/usr/sbin/nologin";
