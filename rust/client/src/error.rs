//! Why a call got no answer.

use std::io;
use std::path::PathBuf;

use osmoda_types::{Daemon, Problem};

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
