//! A folder of sockets, a real agentd in it, and agentctl to run.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use osmoda_client::Client;
use osmoda_tlog::chain::{GENESIS, link_hash};
use osmoda_tlog::to_hex;
use osmoda_types::api::agentd::ledger::{EventsAppend, EventsAppendIn};
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Actor, Daemon, Text, Within, json};
use serde_json::{Map, Value};
use tempfile::TempDir;

/// How long anything may take on a busy machine before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run folder, and perhaps an agentd in it.
pub(crate) struct Ground {
    dir: TempDir,
    agentd: Option<Child>,
    chain: Chain,
}

/// What this test appended as the daemon it plays.
struct Chain {
    seq: u64,
    head: String,
}

impl Ground {
    /// Without a daemon.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["run", "state", "notify"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir, agentd: None, chain: Chain { seq: 0, head: GENESIS.into() } }
    }

    /// With agentd; none where it was not built, which only a run of this package alone may be.
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    pub(crate) fn with_agentd() -> Option<Self> {
        if !agentd().exists() {
            assert!(std::env::var_os("OSMODA_TEST").is_none(), "{} was not built", agentd().display());
            eprintln!("skipped: {} was not built", agentd().display());
            return None;
        }
        let mut ground = Self::empty();
        ground.start();
        Some(ground)
    }

    /// Starts agentd and returns when it is ready.
    pub(crate) fn start(&mut self) {
        let ready = self.path("notify/ready");
        let _ = std::fs::remove_file(&ready);
        let socket = UnixDatagram::bind(&ready).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = Command::new(agentd())
            .args([&"--socket".into(), &self.socket(), &"--state-dir".into(), &self.path("state")])
            .env("NOTIFY_SOCKET", &ready)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.agentd = Some(child.unwrap());
        let mut message = [0; 4096];
        loop {
            let length = socket.recv(&mut message).unwrap();
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return;
            }
        }
    }

    /// Kills agentd as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.agentd.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run").join(Daemon::Agentd.socket())
    }

    /// A run of agentctl in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentctl"));
        command.args(arguments).env("OSMODA_RUN_DIR", self.path("run")).current_dir(self.dir.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::new(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// Appends events to the ledger as osmoda-watch would; returns the id of the last.
    pub(crate) fn append(&mut self, count: u64) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let actor = Actor::Daemon(Daemon::Watch);
        let client = Client::new(self.path("run")).actor(&actor);
        let mut last = 0;
        for number in 0..count {
            let payload = Map::from_iter([("number".to_owned(), Value::from(number))]);
            let event = NewEvent { kind: "watch.test.written".into(), actor: actor.clone(), payload };
            let text = json::canonical(&Value::Object(event.payload.clone()));
            let seq = self.chain.seq + 1;
            let head = to_hex(&link_hash(seq, &event.kind, &actor.to_string(), &text, &self.chain.head));
            let input = EventsAppendIn {
                source: Text::new("watch").unwrap(),
                epoch: Text::new("01kaq3v8e2m6zr0t5h9xw4c7yd").unwrap(),
                first_seq: Within::new(seq).unwrap(),
                head: Text::new(head.clone()).unwrap(),
                events: vec![event],
            };
            last = runtime.block_on(client.send::<EventsAppend>(&input)).unwrap().events[0].id;
            self.chain = Chain { seq, head };
        }
        last
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(child) = &mut self.agentd {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn agentd() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_agentctl")).with_file_name("agentd")
}

/// A finished run.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn new(output: Output) -> Self {
        let code = output.status.code().unwrap_or(-1);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// stdout as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// agentctl running, what it prints line by line as it comes.
pub(crate) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Running {
    pub(crate) fn new(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let (out, err) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    pub(crate) fn line(&self) -> String {
        self.out.recv_timeout(PATIENCE).expect("agentctl prints another line")
    }

    pub(crate) fn complaint(&self) -> String {
        self.err.recv_timeout(PATIENCE).expect("agentctl complains")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    lines
}
