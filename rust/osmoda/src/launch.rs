//! How a daemon is started: where its program is, under whom it runs, and that it dies with us.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use osmoda_types::Daemon;
use tokio::process::{Child, Command};

use crate::accounts::{Accounts, JOURNAL, SOCKETS, User};
use crate::place::{Place, make_folder};
use crate::ready::Readiness;
use crate::sockets;

/// Everything needed to start one daemon again and again.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) daemon: Daemon,
    place: Place,
    program: PathBuf,
    identity: Option<Identity>,
}

/// What a daemon with its own user is given.
#[derive(Debug)]
struct Identity {
    user: User,
    /// Beside its own group: that of the sockets, and for agentd the journal's readers.
    groups: String,
    listener: UnixListener,
}

impl Launch {
    /// Finds the program and, where the daemon has its own user, makes its socket.
    pub(crate) fn new(daemon: Daemon, place: &Place, accounts: Option<&Accounts>) -> Result<Self> {
        let mut program = find(daemon.binary()).with_context(|| {
            format!(
                "{} is neither beside osmoda nor on PATH: build it with cargo build --release",
                daemon.binary()
            )
        })?;
        let identity = match accounts {
            None => None,
            Some(accounts) => {
                program = within_reach(program, &place.state.join("bin"))?;
                let listener = sockets::listen(&place.socket(daemon), accounts.sockets)?;
                let reads_the_journal = daemon == Daemon::Agentd && accounts.journal;
                let groups = if reads_the_journal { format!("{SOCKETS},{JOURNAL}") } else { SOCKETS.into() };
                Some(Identity { user: accounts.user(daemon)?, groups, listener })
            }
        };
        Ok(Self { daemon, place: place.clone(), program, identity })
    }

    /// Its configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.place.config(self.daemon)
    }

    /// Its log file.
    pub(crate) fn log(&self) -> PathBuf {
        self.place.log.join(format!("{}.log", self.daemon.name()))
    }

    /// Where it will say that it is ready.
    pub(crate) fn readiness(&self) -> io::Result<(PathBuf, Readiness)> {
        let path = self.place.run.join(format!("{}.notify", self.daemon.name()));
        let readiness = Readiness::bind(&path, self.identity.as_ref().map(|identity| identity.user))?;
        Ok((path, readiness))
    }

    /// Starts it, stderr piped.
    pub(crate) fn spawn(&self, notify: &Path) -> io::Result<Child> {
        let mut command = match &self.identity {
            None => self.as_ourselves(),
            Some(identity) => self.as_its_user(identity)?,
        };
        command.arg("--socket").arg(self.place.socket(self.daemon)).arg("--state-dir").arg(&self.place.state);
        if !self.place.is_system() {
            command.arg("--config").arg(self.config());
        }
        command
            .env("NOTIFY_SOCKET", notify)
            .env("OSMODA_RUN_DIR", &self.place.run)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .current_dir("/")
            // Ctrl-C is for us; we stop the daemons in order.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot run setpriv of util-linux: {error}"))
            })
    }

    fn as_ourselves(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(DIE_WITH_US).arg("--").arg(&self.program).stdin(Stdio::null());
        ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID"]
            .into_iter()
            .for_each(|name| _ = command.env_remove(name));
        command
    }

    /// The socket goes in as descriptor 3, as systemd passes it (sd_listen_fds(3)); a shell moves it there because a
    /// safe spawn can only set the standard three.
    fn as_its_user(&self, identity: &Identity) -> io::Result<Command> {
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$@" 3<&0 0</dev/null"#, "sh", "setpriv"]).args(DIE_WITH_US);
        command.arg(format!("--reuid={}", identity.user.uid)).arg(format!("--regid={}", identity.user.gid));
        command
            .arg(format!("--groups={}", identity.groups))
            .args(["--no-new-privs", "--inh-caps=-all", "--"])
            .arg(&self.program);
        command.stdin(Stdio::from(std::os::fd::OwnedFd::from(identity.listener.try_clone()?)));
        command.env_clear().env("LISTEN_FDS", "1");
        for name in ["PATH", "OSMODA_LOG", "NO_COLOR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Ok(command)
    }
}

impl Drop for Launch {
    /// Nothing is left where somebody could knock.
    fn drop(&mut self) {
        self.identity = None;
        let _ = sockets::clear(&self.place.socket(self.daemon));
    }
}

/// Beside our own program, else on PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = beside.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    found.into_iter().find(|program| mode(program).is_some_and(|mode| mode & 0o111 != 0) && program.is_file())
}

/// A program that other users cannot reach, such as one in root's home, is copied to where they can.
fn within_reach(program: PathBuf, bin: &Path) -> Result<PathBuf> {
    if program.ancestors().all(|part| mode(part).is_some_and(|mode| mode & 0o001 != 0)) {
        return Ok(program);
    }
    let copy = bin.join(program.file_name().unwrap_or_default());
    let fresh = copy.with_extension("new");
    make_folder(bin, 0o755)?;
    fs::copy(&program, &fresh)
        .and_then(|_| fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&fresh, &copy))
        .with_context(|| format!("cannot copy {} to {}", program.display(), bin.display()))?;
    Ok(copy)
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|meta| meta.permissions().mode())
}

/// Even kill -9 of `osmoda up` takes the daemons along. What they acknowledged is durable, so KILL costs nothing, and
/// nothing can outlive it.
pub(crate) const DIE_WITH_US: [&str; 2] = ["--pdeathsig", "KILL"];
