//! Where things are: one folder for a trial, or the places of an installed system.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use osmoda_types::Daemon;

use crate::Misconfigured;
use crate::accounts::Accounts;
use crate::args::Where;

/// The folders of one running osModa.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The folder given with --dir; none on an installed system.
    dir: Option<PathBuf>,
    pub(crate) run: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) etc: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) backups: PathBuf,
}

impl Place {
    /// What the command line names. Nothing is made.
    pub(crate) fn new(place: &Where) -> Result<Self> {
        if place.system {
            return Ok(Self {
                dir: None,
                run: "/run/osmoda".into(),
                state: "/var/lib/osmoda".into(),
                etc: "/etc/osmoda".into(),
                log: "/var/log/osmoda".into(),
                backups: "/var/backups/osmoda".into(),
            });
        }
        let dir = std::path::absolute(&place.dir).context("no current folder")?;
        let dir: PathBuf = dir.components().collect(); // without a trailing slash
        if dir.as_os_str().as_bytes().len() + SOCKET_ROOM > SOCKET_PATH_MAX {
            let most = SOCKET_PATH_MAX - SOCKET_ROOM;
            return Err(Misconfigured(format!(
                "{} is longer than {most} bytes, too long for the sockets in it: choose a shorter --dir",
                dir.display()
            ))
            .into());
        }
        Ok(Self {
            run: dir.join("run"),
            state: dir.join("state"),
            etc: dir.join("etc"),
            log: dir.join("log"),
            backups: dir.join("backups"),
            dir: Some(dir),
        })
    }

    /// Whether each daemon has its own user here.
    pub(crate) fn is_system(&self) -> bool {
        self.dir.is_none()
    }

    /// The options that name this place on a command line.
    pub(crate) fn options(&self) -> String {
        self.dir.as_ref().map_or("--system".into(), |dir| format!("--dir {}", dir.display()))
    }

    /// The socket a daemon serves the catalogue on.
    pub(crate) fn socket(&self, daemon: Daemon) -> PathBuf {
        self.run.join(daemon.socket())
    }

    /// Makes the folders, and an empty configuration where --dir has none: without a file of its own a daemon would
    /// read the one in /etc/osmoda.
    pub(crate) fn make(&self, daemons: &[Daemon], accounts: Option<&Accounts>) -> Result<()> {
        for folder in [&self.run, &self.state, &self.etc] {
            make_folder(folder, 0o755)?;
        }
        for folder in [&self.log, &self.backups] {
            make_folder(folder, 0o700)?;
        }
        match accounts {
            None => daemons.iter().try_for_each(|daemon| self.make_config(*daemon)),
            Some(accounts) => self.hand_over(daemons, accounts),
        }
    }

    fn make_config(&self, daemon: Daemon) -> Result<()> {
        let path = self.config(daemon);
        match fs::File::create_new(&path) {
            Ok(mut file) => std::io::Write::write_all(&mut file, b"{}\n"),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
        .with_context(|| format!("cannot write {}", path.display()))
    }

    /// A daemon's configuration file.
    pub(crate) fn config(&self, daemon: Daemon) -> PathBuf {
        self.etc.join(format!("{}.json", daemon.name()))
    }

    /// Nobody but root may add a socket to the run folder: a member of the group could pose as a daemon.
    fn hand_over(&self, daemons: &[Daemon], accounts: &Accounts) -> Result<()> {
        own(&self.run, 0, accounts.sockets)?;
        fs::set_permissions(&self.run, Permissions::from_mode(0o755)).context("cannot close /run/osmoda")?;
        for daemon in daemons {
            let user = accounts.user(*daemon)?;
            for name in state_folders(*daemon) {
                let folder = self.state.join(name);
                make_folder(&folder, 0o700)?;
                own(&folder, user.uid, user.gid)?;
            }
        }
        let agentd = accounts.user(Daemon::Agentd)?;
        own(&self.backups, agentd.uid, agentd.gid)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.dir {
            Some(dir) => dir.display().fmt(f),
            None => f.write_str("this system"),
        }
    }
}

/// What each daemon keeps in the shared state root.
fn state_folders(daemon: Daemon) -> &'static [&'static str] {
    match daemon {
        Daemon::Agentd => &["ledger", "memory", "config", "secrets", "agentd"],
        Daemon::Keyd => &["keyd"],
        Daemon::Watch => &["watch"],
        Daemon::Routines => &["routines"],
        Daemon::Mesh => &["mesh"],
        Daemon::Mcpd => &["mcp"],
        Daemon::Teachd => &["teachd"],
        Daemon::Voice => &["voice"],
        Daemon::Egress => &["egress"],
    }
}

/// Makes a folder with exactly this mode; one that is there keeps its own.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(mode).create(path);
    made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .with_context(|| format!("cannot make {}", path.display()))
}

fn own(path: &Path, uid: u32, gid: u32) -> Result<()> {
    chown(path, Some(uid), Some(gid))
        .with_context(|| format!("cannot change the owner of {}", path.display()))
}

/// Longest path of a Unix socket: sun_path holds 108 bytes with the closing NUL (unix(7)).
const SOCKET_PATH_MAX: usize = 107;
/// Room for the longest name below --dir, `/run/` and a socket with its temporary suffix.
const SOCKET_ROOM: usize = 24;
