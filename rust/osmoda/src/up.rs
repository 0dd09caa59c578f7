//! `osmoda up`: starts the daemons in order, keeps them running, stops them in order.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use osmoda_types::Daemon;
use osmoda_types::health::Status;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::args::Up;
use crate::half::Half;
use crate::keep::{News, Stop, Told, keep};
use crate::launch::Launch;
use crate::lock::Lock;
use crate::place::Place;
use crate::{CONFIGURATION, Misconfigured, detach, say, status};

/// Runs until a signal ends it, or until every daemon has refused to run.
pub(crate) async fn up(args: &Up) -> Result<ExitCode> {
    let place = Place::new(&args.place)?;
    let daemons: Vec<Daemon> = Daemon::ALL.iter().copied().filter(|daemon| daemon.exists()).collect();
    if place.is_system() && !rustix::process::geteuid().is_root() {
        bail!("--system gives each daemon its own user, so it needs root: sudo osmoda up --system");
    }
    if args.detached {
        rustix::process::setsid().context("cannot leave the terminal")?;
    }
    let mut quit = Quit::listen().context("cannot listen for signals")?;
    let accounts = if place.is_system() { Some(Accounts::ensure(&daemons)?) } else { None };
    place.make(&daemons, accounts.as_ref())?;
    let lock = Lock::take(&place).await?;
    let half = if place.is_system() { Some(Half::new(&place)?) } else { None };
    let launch = |daemon: &Daemon| Launch::new(*daemon, &place, accounts.as_ref());
    let launches = daemons.iter().map(launch).collect::<Result<Vec<_>>>()?;

    say(format_args!("osModa {} in {place}", env!("CARGO_PKG_VERSION")));
    let end_half = CancellationToken::new();
    let half = half.map(|half| tokio::spawn(half.keep(end_half.clone())));
    let mut run = Run::new(&place, args.detached);
    let ended = tokio::select! {
        ended = run.supervise(launches) => ended,
        () = quit.signal() => Ok(ExitCode::SUCCESS),
    };
    let now = run.now.clone();
    let stopping = run.stop();
    tokio::pin!(stopping);
    tokio::select! {
        () = &mut stopping => {}
        () = quit.signal() => {
            now.cancel();
            stopping.await;
        }
    }
    end_half.cancel();
    if let Some(half) = half {
        half.await.context("the privileged half's keeper broke")?;
    }
    drop(lock);
    ended
}

/// The daemons while they run.
struct Run<'a> {
    place: &'a Place,
    detached: bool,
    /// The start is over and was announced.
    announced: bool,
    /// Not READY yet.
    starting: BTreeSet<Daemon>,
    /// Not refused.
    running: BTreeSet<Daemon>,
    news: (UnboundedSender<Told>, UnboundedReceiver<Told>),
    /// agentd starts first and ends last: the others record through it what they do.
    first: (JoinSet<()>, CancellationToken),
    rest: (JoinSet<()>, CancellationToken),
    /// Cancelled by a second signal: nobody wants to wait any longer.
    now: CancellationToken,
}

impl<'a> Run<'a> {
    fn new(place: &'a Place, detached: bool) -> Self {
        Self {
            place,
            detached,
            announced: false,
            starting: BTreeSet::new(),
            running: BTreeSet::new(),
            news: mpsc::unbounded_channel(),
            first: (JoinSet::new(), CancellationToken::new()),
            rest: (JoinSet::new(), CancellationToken::new()),
            now: CancellationToken::new(),
        }
    }

    /// Starts everything and reports what happens; returns when it is of no use to go on.
    async fn supervise(&mut self, launches: Vec<Launch>) -> Result<ExitCode> {
        let began = Instant::now();
        self.running = launches.iter().map(|launch| launch.daemon).collect();
        self.starting = self.running.clone();
        let (first, rest): (Vec<_>, Vec<_>) = launches.into_iter().partition(|l| l.daemon == Daemon::Agentd);
        start(first, &mut self.first, &self.news.0, &self.now);
        while self.starting.contains(&Daemon::Agentd) {
            self.hear(began).await?;
        }
        start(rest, &mut self.rest, &self.news.0, &self.now);
        while !self.starting.is_empty() {
            self.hear(began).await?;
        }
        if !self.running.is_empty() {
            self.announce(began.elapsed()).await?;
        }
        while !self.running.is_empty() {
            self.hear(began).await?;
        }
        Ok(ExitCode::from(CONFIGURATION))
    }

    /// Takes in one piece of news.
    async fn hear(&mut self, began: Instant) -> Result<()> {
        let (daemon, what) = tokio::select! {
            heard = self.news.1.recv() => heard.expect("self holds a sender"),
            () = sleep_until(began + START_LIMIT), if self.detached && !self.announced => {
                bail!("not every daemon is READY after {} s: see {}", START_LIMIT.as_secs(), self.place.log.display());
            }
        };
        let name = daemon.name();
        match what {
            News::Ready(took) if self.starting.remove(&daemon) => {
                say(format_args!("  {name:<9} READY in {} ms", took.as_millis()));
            }
            News::Ready(took) => {
                tracing::info!(daemon = name, elapsed_ms = took.as_millis(), "daemon is back");
            }
            News::Ended { why, again_in } => {
                tracing::warn!(
                    daemon = name,
                    error = why,
                    again_in_ms = again_in.as_millis(),
                    "daemon ended"
                );
            }
            News::Refused { why, config } => {
                if self.detached && !self.announced {
                    return Err(Misconfigured(format!("{name} refuses {}: {why}", config.display())).into());
                }
                tracing::error!(daemon = name, path = %config.display(), error = why, "daemon refuses its configuration");
                self.starting.remove(&daemon);
                self.running.remove(&daemon);
            }
        }
        Ok(())
    }

    /// The last lines of the start: who is not well although READY, and where things are.
    async fn announce(&mut self, took: Duration) -> Result<()> {
        say(format_args!("up in {} ms", took.as_millis()));
        for daemon in &self.running {
            let answer = status::ask(self.place, *daemon).await;
            if !matches!(&answer, Ok(health) if health.status == Status::Ok) {
                status::lines(*daemon, &answer).iter().for_each(|line| say(format_args!("{line}")));
            }
        }
        let stop = if self.detached { "" } else { "Ctrl-C, or " };
        say(format_args!("  state     {}", self.place.state.display()));
        say(format_args!("  logs      {}", self.place.log.display()));
        say(format_args!("  stop      {stop}osmoda down {}", self.place.options()));
        say(format_args!("{}", detach::last_line(self.place)));
        self.announced = true;
        if self.detached { detach::let_go(self.place) } else { Ok(()) }
    }

    /// Ends every daemon, agentd last.
    async fn stop(mut self) {
        for (tasks, gently) in [&mut self.rest, &mut self.first] {
            gently.cancel();
            while tasks.join_next().await.is_some() {}
        }
    }
}

fn start(
    launches: Vec<Launch>,
    (tasks, gently): &mut (JoinSet<()>, CancellationToken),
    news: &UnboundedSender<Told>,
    now: &CancellationToken,
) {
    for launch in launches {
        tasks.spawn(keep(launch, news.clone(), Stop { gently: gently.clone(), now: now.clone() }));
    }
}

/// The signals that end us: Ctrl-C, `osmoda down`, a closed terminal.
struct Quit([Signal; 3]);

impl Quit {
    fn listen() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn signal(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// How long --detach waits for all to be READY before it gives up and ends them.
const START_LIMIT: Duration = Duration::from_secs(60);
