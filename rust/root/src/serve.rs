//! The socket of the privileged half: who may ask, one verb a connection, a bounded number of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use osmoda_types::{Code, Problem};
use rustix::fs::{Gid, Mode, Uid, chmod, chown};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};
use serde::Deserialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::file::Places;
use crate::half::Half;
use crate::verb::{Answer, Verb};
use crate::wire;

/// `/etc/osmoda/agentd-root.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Users whose processes may ask.
    pub callers: Vec<String>,
    /// The user that programs are run as.
    pub shell_user: String,
    /// Folders of osModa itself, which no file verb reaches.
    #[serde(default)]
    pub own: Vec<PathBuf>,
    /// Declared roots.
    #[serde(default)]
    pub files: Roots,
}

/// Folders that file tools may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roots {
    /// May be read.
    #[serde(default = "all")]
    pub read: Vec<PathBuf>,
    /// May be changed.
    #[serde(default = "usual")]
    pub write: Vec<PathBuf>,
}

impl Default for Roots {
    fn default() -> Self {
        Self { read: all(), write: usual() }
    }
}

fn all() -> Vec<PathBuf> {
    vec!["/".into()]
}

/// Content and what a deploy gates; nothing that runs as root or as a person by itself.
fn usual() -> Vec<PathBuf> {
    ["/etc/nixos", "/srv", "/tmp", "/var/tmp", "/var/www"].map(PathBuf::from).to_vec()
}

impl Roots {
    /// These roots, with `own` protected.
    pub fn places(&self, own: Vec<PathBuf>) -> Places {
        Places::new(self.read.clone(), self.write.clone(), own)
    }
}

/// Connections served at once.
const MOST: usize = 64;
/// How long a stopping half lets what was begun come to its end.
const DRAIN: Duration = Duration::from_secs(10);
/// A caller that connects and says nothing.
const QUIET: Duration = Duration::from_secs(5);

/// The uids of these users.
///
/// # Errors
/// `NotFound`, naming a user that is none.
pub fn uids(names: &[String]) -> io::Result<Vec<u32>> {
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    let uid = |name: &String| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    };
    let missing = |name| io::Error::new(io::ErrorKind::NotFound, format!("there is no user {name}"));
    names.iter().map(|name| uid(name).ok_or_else(|| missing(name))).collect()
}

/// The socket to listen on: inherited from systemd, else bound at `path` for the first of the callers alone.
///
/// # Errors
/// What the system says; `InvalidInput` with neither.
pub fn socket(path: Option<&Path>, callers: &[u32]) -> io::Result<UnixListener> {
    let inherited = ListenFd::from_env().take_custom::<std::os::unix::net::UnixListener>(
        0,
        AddressFamily::UNIX.as_raw().into(),
        SocketType::SEQPACKET.as_raw().cast_signed(),
        "SEQPACKET socket of the family unix",
    )?;
    if let Some(inherited) = inherited {
        inherited.set_nonblocking(true)?;
        return UnixListener::from_std(inherited);
    }
    let path = path.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "give --socket, or start it by a socket unit of systemd")
    })?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    chmod(path, Mode::from_raw_mode(0o600))?;
    if let Some(caller) = callers.first()
        && *caller != rustix::process::geteuid().as_raw()
    {
        chown(path, Some(Uid::from_raw(*caller)), None::<Gid>)?;
    }
    listen(&socket, 128)?;
    UnixListener::from_std(socket.into())
}

/// Serves until told to stop, then ends what was begun; callers that come meanwhile wait in the socket's queue.
///
/// # Errors
/// When the socket breaks.
pub async fn serve(
    socket: UnixListener,
    half: Half,
    callers: Vec<u32>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (half, callers) = (Arc::new(half), Arc::new(callers));
    let places = Arc::new(Semaphore::new(MOST));
    let mut stop = std::pin::pin!(stop);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
        let (caller, _) = tokio::select! {
            caller = socket.accept() => caller?,
            () = &mut stop => break,
        };
        let (half, callers) = (half.clone(), callers.clone());
        tokio::spawn(async move {
            if let Err(error) = answer(caller, &half, &callers).await {
                tracing::debug!(%error, "a caller went away");
            }
            drop(place);
        });
    }
    let all = u32::try_from(MOST).expect("a small number");
    if tokio::time::timeout(DRAIN, places.acquire_many(all)).await.is_err() {
        tracing::warn!("ended while something was still being done");
    }
    Ok(())
}

async fn answer(caller: UnixStream, half: &Half, callers: &[u32]) -> io::Result<()> {
    let uid = caller.peer_cred()?.uid();
    // Read first: a socket that is closed with something unread resets the connection, and the answer is lost.
    let asked = tokio::time::timeout(QUIET, wire::receive::<Verb>(&caller)).await;
    if !callers.contains(&uid) {
        tracing::warn!(peer_uid = uid, "a stranger asked the privileged half");
        let refused: Result<Answer, Problem> = Err(Problem::new(Code::AuthRing));
        return wire::send(&caller, &refused, Vec::new()).await;
    }
    let (verb, given) = match asked {
        Ok(Ok(Some(asked))) => asked,
        Ok(Ok(None)) | Err(_) => return Ok(()),
        Ok(Err(error)) => {
            let refused: Result<Answer, Problem> =
                Err(Problem::new(Code::RequestSyntax).detail(error.to_string()));
            return wire::send(&caller, &refused, Vec::new()).await;
        }
    };
    let done = tokio::select! {
        done = half.perform(verb, given) => done,
        // A caller that hangs up ends a program it started.
        _ = wire::receive::<Verb>(&caller) => return Ok(()),
    };
    match done {
        Ok((done, fds)) => wire::send(&caller, &Ok::<_, Problem>(done), fds).await,
        Err(problem) => wire::send(&caller, &Err::<Answer, _>(problem), Vec::new()).await,
    }
}
