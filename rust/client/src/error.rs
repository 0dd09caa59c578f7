//! Why a call got no answer.

use std::io;
use std::path::{Path, PathBuf};

use osmoda_types::{Code, Daemon, Problem, chain};

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answers on the socket.
    #[error("{} does not answer on {}", daemon.binary(), socket.display())]
    Absent {
        /// Who should.
        daemon: Daemon,
        /// Where.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else answers on the socket.
    #[error("{} belongs to uid {uid}, not to {}", socket.display(), daemon.user())]
    Untrusted {
        /// Who should.
        daemon: Daemon,
        /// Where.
        socket: PathBuf,
        /// Who does.
        uid: u32,
    },
    /// The daemon says no.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The daemon took the request and says nothing; whether the call took effect is not known.
    #[error("{} gave no answer within {secs} s", daemon.binary())]
    Silent {
        /// Who.
        daemon: Daemon,
        /// How long it was waited for.
        secs: u64,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to {} broke", daemon.binary())]
    Broken {
        /// Whose.
        daemon: Daemon,
        /// How.
        source: hyper::Error,
    },
    /// The answer is not one a daemon of ours gives.
    #[error("{} gave an answer that is none: {what}", daemon.binary())]
    Garbage {
        /// Who.
        daemon: Daemon,
        /// What is wrong with it.
        what: String,
    },
}

impl CallError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Absent { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "you may not open the socket: run it as root, or join the group osmoda".into()
            }
            Self::Absent { daemon, socket, .. } => {
                format!("start it: {}", start_command(*daemon, socket.parent().unwrap_or(Path::new("."))))
            }
            Self::Untrusted { .. } => Code::DaemonUntrusted.next_step().into(),
            Self::Problem(problem) => problem.next_step.clone(),
            Self::Silent { .. } => "look at the daemon's log; it may hang".into(),
            Self::Broken { .. } => "the daemon may have stopped or be restarting: agentctl status".into(),
            Self::Garbage { .. } => {
                "this program and the daemon may be of different releases: agentctl status".into()
            }
        }
    }

    /// The error as the problem a program or a model can read, whoever noticed it.
    pub fn problem(&self) -> Problem {
        let code = match self {
            Self::Problem(problem) => return (**problem).clone(),
            Self::Untrusted { .. } => Code::DaemonUntrusted,
            Self::Absent { .. } | Self::Silent { .. } | Self::Broken { .. } | Self::Garbage { .. } => {
                Code::DaemonAbsent
            }
        };
        Problem::new(code).detail(chain(self)).next_step(self.remedy())
    }
}

/// How a daemon is started where its sockets are.
fn start_command(daemon: Daemon, run_dir: &Path) -> String {
    let systemd = Path::new("/run/systemd/system").is_dir();
    match run_dir.parent() {
        _ if run_dir == Path::new("/run/osmoda") && systemd => format!("systemctl start {}", daemon.user()),
        _ if run_dir == Path::new("/run/osmoda") => "osmoda up --system".into(),
        Some(dir) if run_dir.ends_with("run") && dir != Path::new("") => {
            format!("osmoda up --dir {}", dir.display())
        }
        _ => "osmoda up".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_start_a_daemon_fits_where_its_socket_is() {
        let start = |dir: &str| start_command(Daemon::Agentd, Path::new(dir));
        assert_eq!(start("/home/ann/.osmoda/run"), "osmoda up --dir /home/ann/.osmoda");
        assert_eq!(start("/tmp/sockets"), "osmoda up");
        assert!(["systemctl start osmoda-agentd", "osmoda up --system"].contains(&&*start("/run/osmoda")));
    }
}
