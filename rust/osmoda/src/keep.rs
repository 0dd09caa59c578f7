//! Keeps one daemon running: start, hear READY, start again when it dies, stop when told.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use osmoda_types::Daemon;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::CONFIGURATION;
use crate::launch::Launch;
use crate::log::Log;

/// What happens to a daemon.
#[derive(Debug)]
pub(crate) enum News {
    /// It serves, so long after its start.
    Ready(Duration),
    /// It ended by itself and is started again after the pause.
    Ended { why: String, again_in: Duration },
    /// Its configuration, this file, is wrong: it is not started again.
    Refused { why: String, config: PathBuf },
}

/// News, and of whom.
pub(crate) type Told = (Daemon, News);

/// How a daemon is told to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// Finish and go.
    pub(crate) gently: CancellationToken,
    /// Go at once.
    pub(crate) now: CancellationToken,
}

/// Runs the daemon until it is told to stop or refuses to run.
pub(crate) async fn keep(launch: Launch, news: UnboundedSender<Told>, stop: Stop) {
    let mut pause = FIRST_PAUSE;
    loop {
        let (was_ready, end) = run(&launch, &news, &stop).await;
        let why = match end {
            Ok(End::Stopped) => return,
            Ok(End::Itself { status, last_word }) if status.code() == Some(CONFIGURATION.into()) => {
                let _ = news.send((launch.daemon, News::Refused { why: last_word, config: launch.config() }));
                return;
            }
            // A daemon that is killed has no last word, only a last line of something else.
            Ok(End::Itself { status, last_word }) if status.code().is_none() || last_word.is_empty() => {
                status.to_string()
            }
            Ok(End::Itself { status, last_word }) => format!("{status}: {last_word}"),
            Err(error) => error.to_string(),
        };
        if was_ready {
            pause = FIRST_PAUSE;
        }
        let _ = news.send((launch.daemon, News::Ended { why, again_in: pause }));
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = stop.gently.cancelled() => return,
        }
    }
}

enum End {
    Stopped,
    Itself { status: ExitStatus, last_word: String },
}

/// One life of the daemon, and whether it ever served.
async fn run(launch: &Launch, news: &UnboundedSender<Told>, stop: &Stop) -> (bool, io::Result<End>) {
    let mut ready = false;
    let life = async {
        let log = Log::open(&launch.log())?;
        let (notify, readiness) = launch.readiness()?;
        let started = Instant::now();
        let mut child = launch.spawn(&notify)?;
        let stderr = child.stderr.take().expect("spawn pipes stderr");
        let mut logging = tokio::spawn(log.follow(stderr));
        loop {
            tokio::select! {
                () = readiness.ready(), if !ready => {
                    ready = true;
                    let _ = news.send((launch.daemon, News::Ready(started.elapsed())));
                }
                status = child.wait() => {
                    // A process it left behind may hold stderr open; its words can wait.
                    let last_word = timeout(LAST_WORD, &mut logging).await;
                    let last_word = last_word.ok().and_then(Result::ok).unwrap_or_default();
                    return Ok(End::Itself { status: status?, last_word });
                }
                () = stop.gently.cancelled() => {
                    end(&mut child, stop).await?;
                    let _ = timeout(LAST_WORD, &mut logging).await;
                    return Ok(End::Stopped);
                }
            }
        }
    };
    let end = life.await;
    (ready, end)
}

/// SIGTERM, and SIGKILL once the deadline has passed or there is no more patience.
async fn end(child: &mut Child, stop: &Stop) -> io::Result<()> {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(pid, Signal::TERM)?;
    }
    tokio::select! {
        status = child.wait() => return status.map(drop),
        () = sleep(DEADLINE) => tracing::warn!(after_secs = DEADLINE.as_secs(), "daemon does not stop, killing it"),
        () = stop.now.cancelled() => {}
    }
    child.kill().await
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longer than the 10 s a daemon lets its calls finish (`drain_secs`).
const DEADLINE: Duration = Duration::from_secs(15);
/// How long the rest of a dead daemon's stderr is waited for.
const LAST_WORD: Duration = Duration::from_millis(200);
