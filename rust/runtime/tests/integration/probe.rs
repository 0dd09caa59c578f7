//! The example daemon `probe` as a process of its own: its socket, what it tells a service manager, its end.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Generous: a test waits for an event and never measures speed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A running probe; killed when dropped.
pub(crate) struct Probe {
    pub(crate) socket: PathBuf,
    pub(crate) config: PathBuf,
    dir: TempDir,
    child: Child,
    notify: UnixDatagram,
}

impl Probe {
    /// Starts it with this configuration and further environment, and waits for READY.
    pub(crate) fn start(config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_by(config, environment, |probe| Command::new(probe))
    }

    /// The same, with a command of the test's own in front of the probe's arguments.
    pub(crate) fn start_by(
        config: &str,
        environment: &[(&str, &str)],
        command: impl FnOnce(&Path) -> Command,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let notify = UnixDatagram::bind(path("notify")).unwrap();
        notify.set_read_timeout(Some(DEADLINE)).unwrap();
        std::fs::write(path("config.json"), config).unwrap();
        let child = command(&executable())
            .args(["--socket".into(), path("watch.sock")])
            .args(["--state-dir".into(), path("state")])
            .args(["--config".into(), path("config.json")])
            .env("NOTIFY_SOCKET", path("notify"))
            .env_remove("OSMODA_LOG")
            .envs(environment.iter().copied())
            .stderr(Stdio::from(File::create(path("log")).unwrap()))
            .spawn()
            .unwrap();
        let probe = Self { socket: path("watch.sock"), config: path("config.json"), dir, child, notify };
        probe.told("READY=1");
        probe
    }

    /// Waits until it tells its service manager this.
    pub(crate) fn told(&self, what: &str) {
        let mut message = [0; 4096];
        loop {
            let length = self
                .notify
                .recv(&mut message)
                .unwrap_or_else(|error| panic!("{what}: {error}; {}", self.log()));
            if String::from_utf8_lossy(&message[..length]).lines().any(|line| line == what) {
                return;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    /// One call on a connection of its own; the whole answer.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = self.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        rest_of(&mut stream)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What still comes until the other side closes.
pub(crate) fn rest_of(stream: &mut UnixStream) -> String {
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => text,
    }
}

/// Cargo puts examples beside the folder of test binaries.
fn executable() -> PathBuf {
    let target = std::env::current_exe().unwrap();
    target.parent().and_then(Path::parent).unwrap().join("examples/probe")
}
