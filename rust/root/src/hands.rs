//! The asking side: the privileged half, wherever it runs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use osmoda_types::{Code, Problem};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::UnixStream;

use crate::half::Half;
use crate::verb::{Answer, Verb};
use crate::wire;

/// agentd's hands.
#[derive(Clone, Debug)]
pub enum Hands {
    /// In this process, as this user.
    Here(Arc<Half>),
    /// Behind this socket, as root.
    There(PathBuf),
}

impl Hands {
    /// Asks for one verb.
    ///
    /// # Errors
    /// What [`Half::perform`] answers; `root.absent` when nobody serves the socket.
    pub async fn ask(&self, verb: Verb) -> Result<Answer, Problem> {
        self.ask_with(verb, Vec::new()).await.map(|(answer, _)| answer)
    }

    /// Asks for one verb that takes or gives descriptors.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn ask_with(&self, verb: Verb, given: Vec<OwnedFd>) -> Result<(Answer, Vec<OwnedFd>), Problem> {
        match self {
            Self::Here(half) => half.perform(verb, given).await,
            Self::There(path) => {
                let absent = |error: io::Error| {
                    Problem::new(Code::RootAbsent).detail(format!("{}: {error}", path.display()))
                };
                let socket = connected(path).map_err(absent)?;
                wire::send(&socket, &verb, given).await.map_err(absent)?;
                match wire::receive::<Result<Answer, Problem>>(&socket).await {
                    Ok(Some((answer, fds))) => answer.map(|answer| (answer, fds)),
                    // It took the verb and did not say what came of it.
                    Ok(None) | Err(_) => Err(Problem::new(Code::OutcomeUnknown)
                        .detail("the privileged half went away in the middle of the call")),
                }
            }
        }
    }
}

fn connected(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    UnixStream::from_std(socket.into())
}
