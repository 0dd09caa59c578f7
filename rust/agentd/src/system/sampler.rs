//! One task looks at /proc at a gentle pace, so that no request has to wait between two looks.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::system::{Cpu, Disk, LoadAverage, Memory, Swap};
use procfs::Current;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cores::{CoreTime, boot_time, core_times, usage};
use super::disks::Disks;
use super::keeper::Keeper;
use super::processes::{self, Ticks};
use super::{HostError, procfiles::ProcFiles};

/// Between two looks at cores, memory and load: 0.1 ms each.
const READ_EVERY: Duration = Duration::from_secs(2);
/// So many of these looks between two at processes and disks: 1 ms for each 100 processes.
const WALK_EVERY: u32 = 5;
/// A share of less time than this says little.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The samples; the task behind them ends when this is dropped.
pub(super) struct Sampler {
    samples: Arc<Mutex<Samples>>,
    pub(super) disks: Arc<Disks>,
    task: AbortHandle,
}

/// The machine when it was last looked at.
#[derive(Clone)]
pub(super) struct Reading {
    pub(super) booted_at: Timestamp,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) swap: Swap,
    pub(super) load_average: LoadAverage,
    pub(super) disks: Vec<Disk>,
}

/// The CPU time of each process at one moment, by pid.
pub(super) struct Walk {
    at: Instant,
    ticks: Vec<(u32, Ticks)>,
}

#[derive(Default)]
struct Samples {
    /// None while /proc cannot be read.
    reading: Option<Reading>,
    /// The last walk and the one before it.
    walks: [Option<Arc<Walk>>; 2],
}

/// What the task remembers from one look to the next.
#[derive(Default)]
struct Looker {
    cores: Vec<CoreTime>,
    disks: Vec<Disk>,
    blind: bool,
    keeper: Option<Keeper>,
}

impl Sampler {
    /// Takes the first sample and begins to take the others; every walk's also goes to the keeper.
    pub(super) async fn start(keeper: Option<Keeper>) -> Self {
        let (samples, disks) = (Arc::new(Mutex::new(Samples::default())), Arc::new(Disks::default()));
        let mut looker = Looker { keeper, ..Looker::default() };
        looker.look(&samples, &disks, true).await;
        let (sampling, asking) = (samples.clone(), disks.clone());
        let task = tokio::spawn(async move {
            let mut beat = interval(READ_EVERY);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat.tick().await;
            for turn in 1_u32.. {
                beat.tick().await;
                looker.look(&sampling, &asking, turn.is_multiple_of(WALK_EVERY)).await;
            }
        });
        Self { samples, disks, task: task.abort_handle() }
    }

    /// The last sample.
    ///
    /// # Errors
    /// [`HostError::Blind`] while /proc cannot be read.
    pub(super) fn reading(&self) -> Result<Reading, HostError> {
        lock(&self.samples).reading.clone().ok_or(HostError::Blind)
    }

    /// The last walk over the processes that is old enough to compare with.
    pub(super) fn earlier(&self) -> Option<Arc<Walk>> {
        lock(&self.samples).earlier()
    }
}

impl Samples {
    fn earlier(&self) -> Option<Arc<Walk>> {
        self.walks.iter().flatten().find(|walk| walk.at.elapsed() >= LEAST_INTERVAL).cloned()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Walk {
    /// The CPU time of a process at that moment, and how long ago it was.
    pub(super) fn ticks(&self, pid: u32) -> Option<(Ticks, Duration)> {
        let at = self.ticks.binary_search_by_key(&pid, |(pid, _)| *pid).ok()?;
        Some((self.ticks[at].1, self.at.elapsed()))
    }
}

impl Looker {
    async fn look(&mut self, samples: &Mutex<Samples>, disks: &Disks, walk: bool) {
        if walk {
            // Thousands of processes take longer than a worker of the runtime may be held.
            let walked = tokio::task::spawn_blocking(|| {
                let at = Instant::now();
                Some(Walk { at, ticks: processes::ticks(&mut ProcFiles::open().ok()?).ok()? })
            });
            if let Ok(Some(walk)) = walked.await {
                let mut samples = lock(samples);
                samples.walks[1] = samples.walks[0].replace(Arc::new(walk));
            }
            self.disks = disks.ask().await.unwrap_or_default();
        }
        let reading = self.read();
        if let (Err(error), false) = (&reading, self.blind) {
            tracing::error!(error = error as &dyn std::error::Error, "the machine cannot be sampled");
        }
        self.blind = reading.is_err();
        let reading = reading.ok();
        lock(samples).reading.clone_from(&reading);
        if let (Some(keeper), Some(reading)) = (&mut self.keeper, reading) {
            keeper.look(&reading, walk).await;
        }
    }

    fn read(&mut self) -> Result<Reading, HostError> {
        let path = "/proc/stat";
        let stat =
            std::fs::read_to_string(path).map_err(|source| HostError::Read { path: path.into(), source })?;
        let booted_at = boot_time(&stat).and_then(|secs| Timestamp::from_millis(secs.saturating_mul(1000)));
        let now = core_times(&stat);
        let cpu = usage(&self.cores, &now);
        self.cores = now;
        let memory = procfs::Meminfo::current()?;
        let load = procfs::LoadAverage::current()?;
        let available = memory.mem_available.unwrap_or(memory.mem_free);
        Ok(Reading {
            booted_at: booted_at.ok_or(HostError::Shape { path: path.into() })?,
            cpu,
            memory: Memory {
                total_bytes: memory.mem_total,
                used_bytes: memory.mem_total.saturating_sub(available),
                available_bytes: available,
            },
            swap: Swap {
                total_bytes: memory.swap_total,
                used_bytes: memory.swap_total.saturating_sub(memory.swap_free),
            },
            load_average: LoadAverage { one: load.one, five: load.five, fifteen: load.fifteen },
            disks: self.disks.clone(),
        })
    }
}

fn lock(samples: &Mutex<Samples>) -> MutexGuard<'_, Samples> {
    samples.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_sample_is_there_at_once() {
        let sampler = Sampler::start(None).await;
        let reading = sampler.reading().unwrap();
        assert!(!reading.cpu.cores.is_empty() && reading.memory.available_bytes > 0);
        assert!(reading.disks.iter().any(|disk| disk.mount == "/" && disk.total_bytes > 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_walk_is_compared_with_once_it_is_old_enough() {
        let mut files = ProcFiles::open().unwrap();
        let mut walk =
            || Some(Arc::new(Walk { at: Instant::now(), ticks: processes::ticks(&mut files).unwrap() }));
        let mut samples = Samples { reading: None, walks: [walk(), None] };
        assert!(samples.earlier().is_none());
        tokio::time::advance(LEAST_INTERVAL).await;
        let ours = std::process::id();
        let (before, age) = samples.earlier().unwrap().ticks(ours).unwrap();
        assert_eq!(age, LEAST_INTERVAL);
        assert!(samples.earlier().unwrap().ticks(0).is_none());

        // A new walk is too young at first: the one before it still serves.
        samples.walks = [walk(), samples.walks[0].take()];
        assert_eq!(samples.earlier().unwrap().ticks(ours), Some((before, LEAST_INTERVAL)));
        tokio::time::advance(LEAST_INTERVAL).await;
        assert_eq!(samples.earlier().unwrap().ticks(ours).unwrap().1, LEAST_INTERVAL);
    }
}
