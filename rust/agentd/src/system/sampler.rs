//! CPU use over time: one task looks at /proc at a gentle pace, so that no request has to wait between two looks.
//!
//! A look at /proc/stat costs about 50 us, one at every process 3 ms with 200 of them.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use osmoda_types::api::agentd::system::Core;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::processes::{self, Ticks};

/// Between two looks at the cores.
const CORES_EVERY: Duration = Duration::from_secs(2);
/// Looks at the cores between two looks at the processes.
const PROCESSES_EVERY: u32 = 5;
/// A share over less time than this says little.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// The samples; the task behind them ends when this is dropped.
pub(super) struct Sampler {
    samples: Arc<Mutex<Samples>>,
    task: AbortHandle,
}

#[derive(Default)]
struct Samples {
    times: Vec<CoreTime>,
    usage: f32,
    cores: Vec<Core>,
    /// The last look at the processes and the one before it.
    processes: [Option<(Instant, HashMap<u32, Ticks>)>; 2],
}

/// Jiffies of one line of /proc/stat since boot.
#[derive(Clone, Debug, PartialEq)]
struct CoreTime {
    name: String,
    busy: u64,
    all: u64,
}

impl Sampler {
    pub(super) fn start() -> Self {
        let samples = Arc::new(Mutex::new(Samples::default()));
        let sampling = samples.clone();
        // The first interval is over at once: until then the use since boot is the best there is.
        lock(&samples).look_at_cores(&read_cores());
        let task = tokio::spawn(async move {
            let mut beat = interval(CORES_EVERY);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut turn = 0;
            loop {
                if turn % PROCESSES_EVERY == 0 {
                    let seen = (Instant::now(), processes::ticks());
                    let older = lock(&sampling).processes[0].replace(seen);
                    lock(&sampling).processes[1] = older;
                }
                beat.tick().await;
                lock(&sampling).look_at_cores(&read_cores());
                turn += 1;
            }
        });
        Self { samples, task: task.abort_handle() }
    }

    /// All cores together and each, in percent of the last interval.
    pub(super) fn cpu(&self) -> (f32, Vec<Core>) {
        let samples = lock(&self.samples);
        (samples.usage, samples.cores.clone())
    }

    /// The CPU time of a process at an earlier look that is old enough to compare with, and how long ago that was.
    pub(super) fn earlier(&self, pid: u32) -> Option<(Ticks, Duration)> {
        let samples = lock(&self.samples);
        let looks = samples.processes.iter().flatten();
        let (at, ticks) =
            looks.map(|(at, ticks)| (at.elapsed(), ticks)).find(|(age, _)| *age >= LEAST_INTERVAL)?;
        Some((*ticks.get(&pid)?, at))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Samples {
    fn look_at_cores(&mut self, stat: &str) {
        let now = core_times(stat);
        let before = |name: &str| self.times.iter().find(|time| time.name == name);
        let mut usages = now.iter().map(|time| (time.name.clone(), time.percent_since(before(&time.name))));
        // The first line is all of them together.
        self.usage = usages.next().map_or(0.0, |(_, percent)| percent);
        self.cores = usages.map(|(name, usage_percent)| Core { name, usage_percent }).collect();
        self.times = now;
    }
}

impl CoreTime {
    fn percent_since(&self, before: Option<&Self>) -> f32 {
        let (busy, all) = before.map_or((0, 0), |before| (before.busy, before.all));
        let (busy, all) = (self.busy.saturating_sub(busy), self.all.saturating_sub(all));
        #[expect(clippy::cast_precision_loss, reason = "a share of two numbers, shown with one digit")]
        let percent = if all == 0 { 0.0 } else { busy as f32 * 100.0 / all as f32 };
        (percent * 10.0).round() / 10.0
    }
}

fn read_cores() -> String {
    fs::read_to_string("/proc/stat").unwrap_or_default()
}

/// The `cpu` lines: user nice system idle iowait irq softirq steal (proc_stat(5)); guest time is in user already.
fn core_times(stat: &str) -> Vec<CoreTime> {
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let name = fields.next().filter(|name| name.starts_with("cpu"))?;
        let jiffies: Vec<u64> = fields.take(8).filter_map(|field| field.parse().ok()).collect();
        let all: u64 = jiffies.iter().sum();
        let idle: u64 = jiffies.iter().skip(3).take(2).sum();
        Some(CoreTime { name: name.to_owned(), busy: all - idle, all })
    };
    stat.lines().map_while(line).collect()
}

fn lock(samples: &Mutex<Samples>) -> MutexGuard<'_, Samples> {
    samples.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_as_busy_as_its_time_that_was_not_idle() {
        let mut samples = Samples::default();
        samples.look_at_cores("cpu 100 0 0 100 0 0 0 0\ncpu0 100 0 0 100 0 0 0 0\nintr 1\n");
        samples.look_at_cores(
            "cpu 150 0 0 200 0 0 0 0 9 9\ncpu0 125 0 0 150 25 0 0 0\ncpu1 5 0 0 5 0 0 0 0\nintr 1\n",
        );
        assert!((samples.usage - 33.3).abs() < 0.01);
        assert_eq!(
            samples.cores,
            [
                Core { name: "cpu0".into(), usage_percent: 25.0 },
                Core { name: "cpu1".into(), usage_percent: 50.0 },
            ]
        );
        samples.look_at_cores("");
        assert!(samples.cores.is_empty() && samples.usage == 0.0);
    }
}
