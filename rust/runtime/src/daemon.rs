//! A daemon's life: arguments, configuration, bind, READY, serve, SIGTERM, drain, exit code.

use std::convert::Infallible;
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use osmoda_types::{Clock, Daemon, Entropy, chain};
use rustix::fs::{FlockOperation, flock};
use sd_notify::NotifyState;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::config::{Common, ConfigError, Log, load};
use crate::gate::Gate;
use crate::idempotency::Idempotency;
use crate::listener::{ListenError, Listener};
use crate::logging::Logging;
use crate::metrics::Metrics;
use crate::record::{READS_EVERY, Record, Recorder};
use crate::salt::Salt;
use crate::service::{Kit, Service};
use crate::state::StateDb;
use crate::system::{SystemClock, SystemEntropy, Unique};

/// What `bind` is given.
pub struct Setup<C> {
    /// The daemon.
    pub daemon: Daemon,
    /// Its release.
    pub version: &'static str,
    /// The state root all daemons share.
    pub state_root: PathBuf,
    /// The daemon's own folder in it, 0700.
    pub state_dir: PathBuf,
    /// Where the daemons' sockets are.
    pub run_dir: PathBuf,
    /// Its configuration.
    pub config: C,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Fires when the daemon stops.
    pub shutdown: CancellationToken,
    pub(crate) state: Arc<StateDb>,
}

type Close = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A daemon with its state open, ready to serve.
pub struct Bound {
    router: Router,
    kit: Arc<Kit>,
    close: Close,
}

impl Bound {
    /// Joins a service with the place its records go; `close` runs after the last call.
    pub fn new<C, S: Send + Sync + 'static>(
        setup: &Setup<C>,
        service: Service<S>,
        recorder: Arc<dyn Recorder>,
        close: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, StartError> {
        let run = osmoda_types::RequestId::new(setup.clock.as_ref(), setup.entropy.as_ref()).to_string();
        let kit = Arc::new(Kit {
            daemon: setup.daemon,
            version: setup.version,
            started_at: setup.clock.now(),
            clock: setup.clock.clone(),
            names: Unique::new(setup.entropy.as_ref()),
            salt: Salt::new(setup.state_dir.join("salt.key"), setup.entropy.clone()),
            gate: Gate::new(),
            state: setup.state.clone(),
            record: Record::new(setup.daemon, recorder),
            idempotency: Idempotency::new(setup.state.clone(), setup.clock.clone(), run),
            metrics: Metrics::new(),
            shutdown: setup.shutdown.clone(),
        });
        let router = service.router(&kit).map_err(|what| StartError::Catalogue { what })?;
        Ok(Self { router, kit, close: Box::pin(close) })
    }
}

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is wrong.
    #[error("configuration")]
    Config(#[from] ConfigError),
    /// There is no socket.
    #[error("socket")]
    Listen(#[from] ListenError),
    /// Handlers and catalogue differ: a defect of the build.
    #[error("the catalogue and the handlers differ: {what}")]
    Catalogue {
        /// The first difference.
        what: String,
    },
    /// Another process owns the state.
    #[error("{path} is in use by another {daemon}: stop it, or choose another --state-dir")]
    StateTaken {
        /// The state folder.
        path: PathBuf,
        /// The daemon.
        daemon: &'static str,
    },
    /// The system refused something every process needs.
    #[error("the system refused {what}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

impl StartError {
    /// 78 for what an operator must change in a file or an argument (EX_CONFIG of sysexits.h), else 1.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Listen(ListenError::TooLong { .. }) => 78,
            _ => 1,
        }
    }
}

/// Runs a daemon from its arguments to its exit code.
pub fn main<C, B, F>(daemon: Daemon, version: &'static str, bind: B) -> ExitCode
where
    C: DeserializeOwned,
    B: FnOnce(Setup<C>) -> F,
    F: Future<Output = Result<Bound, StartError>>,
{
    let args = Args::parse();
    if args.version {
        print(&args.version_text(daemon, version));
        return ExitCode::SUCCESS;
    }
    let file = args.config.clone().or_else(|| default_config(daemon));
    let loaded = load::<C>(file.as_deref());
    let logging =
        Logging::start(&loaded.as_ref().map_or_else(|_| Log::default(), |(common, _)| common.log.clone()));
    let ended = loaded.map_err(StartError::from).and_then(|(common, config)| {
        if args.check_config {
            return Ok(());
        }
        let (_, own) = load(file.as_deref())?;
        run(daemon, version, &args, config, Hot { file, common, own, logging }, bind)
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %chain(&error), "cannot start");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run<C, B, F>(
    daemon: Daemon,
    version: &'static str,
    args: &Args,
    config: C,
    hot: Hot,
    bind: B,
) -> Result<(), StartError>
where
    B: FnOnce(Setup<C>) -> F,
    F: Future<Output = Result<Bound, StartError>>,
{
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = runtime.map_err(|source| StartError::System { what: "threads", source })?;
    let ended = runtime.block_on(async {
        let socket = args.socket(daemon);
        let state_dir = args.state_dir.join(daemon.folder());
        let lock = own_soon(&args.state_dir, &state_dir, daemon).await?;
        let setup = Setup {
            daemon,
            version,
            state_root: args.state_dir.clone(),
            state: Arc::new(StateDb::new(
                "state",
                state_dir.join("state.db"),
                crate::state::SCHEMA,
                Arc::new(SystemClock),
            )),
            state_dir,
            run_dir: socket.parent().map_or_else(PathBuf::new, Path::to_owned),
            config,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            shutdown: CancellationToken::new(),
        };
        let (shutdown, own_dir) = (setup.shutdown.clone(), setup.state_dir.clone());
        let bound = bind(setup).await?;
        let common = hot.common.clone();
        // Before READY: whoever is told that we serve may tell us to stop.
        let signals =
            Signals::listen().map_err(|source| StartError::System { what: "signal handlers", source })?;
        let listener = Listener::bind(&socket, &common.socket)?;
        tokio::select! {
            never = signals.obey(hot, &shutdown) => match never {},
            taken = keep_trying_to_own(lock, &args.state_dir, &own_dir, daemon) => Err(taken),
            () = serve(bound, listener, &socket, &common, &shutdown) => Ok(()),
        }
    });
    // A blocking read that hangs (a dead disk, a lost mount) must not keep a stopped daemon alive.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Serves until `shutdown`, then drains and closes.
async fn serve(
    bound: Bound,
    listener: Listener,
    socket: &Path,
    common: &Common,
    shutdown: &CancellationToken,
) {
    let Bound { router, kit, close } = bound;
    let reads = {
        let (kit, shutdown) = (kit.clone(), shutdown.clone());
        tokio::spawn(async move {
            while tokio::time::timeout(READS_EVERY, shutdown.cancelled()).await.is_err() {
                kit.record.flush().await;
            }
        })
    };
    let state = kit.state.clone();
    let watching = tokio::spawn(async move { state.watch().await });
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let watchdog = sd_notify::watchdog_enabled().map(|limit| tokio::spawn(keep_alive(limit)));
    tracing::info!(socket = %socket.display(), version = kit.version, "ready");
    let drain = Duration::from_secs(common.drain_secs);
    crate::connections::serve(listener, router, kit.clone(), drain).await;
    let _ = reads.await;
    kit.record.flush().await;
    close.await;
    watching.abort();
    kit.state.close().await;
    if let Some(watchdog) = watchdog {
        watchdog.abort();
    }
    tracing::info!("stopped");
}

/// Tells systemd that the loop which serves requests still turns.
async fn keep_alive(limit: Duration) {
    let mut beat = tokio::time::interval(limit / 2);
    loop {
        beat.tick().await;
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }
}

struct Hot {
    file: Option<PathBuf>,
    common: Common,
    /// The daemon's own keys as they stood in the file.
    own: Value,
    logging: Logging,
}

/// SIGTERM and SIGINT stop, SIGHUP re-reads.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn obey(mut self, mut hot: Hot, shutdown: &CancellationToken) -> Infallible {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => stop(shutdown),
                _ = self.interrupt.recv() => stop(shutdown),
                _ = self.hangup.recv() => hot.reload(),
            }
        }
    }
}

fn stop(shutdown: &CancellationToken) {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    shutdown.cancel();
}

impl Hot {
    /// Only the log's filter can change while running; a changed other key is an error and nothing changes.
    fn reload(&mut self) {
        let _ = sd_notify::notify(&[
            NotifyState::Reloading,
            NotifyState::monotonic_usec_now().unwrap_or(NotifyState::Status("reloading")),
        ]);
        match load::<Value>(self.file.as_deref()) {
            Err(error) => {
                tracing::error!(error = %chain(&error), "the configuration is wrong; the old one stays");
            }
            Ok((common, own))
                if own != self.own
                    || Common { log: self.common.log.clone(), ..common.clone() } != self.common =>
            {
                tracing::error!("a setting changed that needs a restart; the old ones stay");
            }
            Ok((common, _)) => {
                self.logging.apply(&common.log);
                self.common = common;
                tracing::info!("configuration read again");
            }
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
    }
}

fn default_config(daemon: Daemon) -> Option<PathBuf> {
    let path = PathBuf::from(format!("/etc/osmoda/{}.json", daemon.name()));
    path.exists().then_some(path)
}

/// A state folder that could not be made at the start is ours as soon as it can be; if somebody else was faster, this daemon
/// ends. Returns only then.
async fn keep_trying_to_own(mut lock: Option<File>, root: &Path, dir: &Path, daemon: Daemon) -> StartError {
    while lock.is_none() {
        // Sooner than anything else tries the folder again: what works there must be ours.
        tokio::time::sleep(Duration::from_millis(50)).await;
        match own(root, dir, daemon) {
            Ok(held) => lock = held,
            Err(taken) => return taken,
        }
    }
    // Held until the daemon ends.
    std::future::pending().await
}

/// As [`own`], once more and again for two seconds: a killed daemon's lock lives on in a program it was about to start.
async fn own_soon(root: &Path, dir: &Path, daemon: Daemon) -> Result<Option<File>, StartError> {
    let mut taken = own(root, dir, daemon);
    for _ in 0..40 {
        if taken.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        taken = own(root, dir, daemon);
    }
    taken
}

/// Makes the daemon's folder and holds it for this process. Where it cannot be made the daemon runs degraded: what needs
/// state says so, and works as soon as it can.
fn own(root: &Path, dir: &Path, daemon: Daemon) -> Result<Option<File>, StartError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(root);
    let made = made.and_then(|()| fs::DirBuilder::new().recursive(true).mode(0o700).create(dir));
    let lock =
        made.and_then(|()| File::options().create(true).truncate(false).write(true).open(dir.join("lock")));
    match lock {
        Err(error) => {
            tracing::debug!(path = %dir.display(), %error, "the state folder cannot be owned yet");
            Ok(None)
        }
        Ok(file) => match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(_) => Err(StartError::StateTaken { path: dir.to_owned(), daemon: daemon.binary() }),
        },
    }
}

#[expect(clippy::print_stdout, reason = "the answer to --version")]
fn print(text: &str) {
    println!("{text}");
}
