//! Processes. They come and go while they are looked at: one that went is left out.

use std::time::Duration;

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::system::{Process, Sort};
use procfs::FromRead;
use procfs::process::Stat;

use super::HostError;
use super::accounts::Accounts;
use super::procfiles::ProcFiles;
use super::sampler::Walk;

/// CPU time of a process, and when it started, so that a reused pid is not taken for the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    started: u64,
    used: u64,
}

/// What processes are compared with.
pub(super) struct Since {
    /// When the machine was booted.
    pub(super) booted_at: Timestamp,
    /// How long ago that was.
    pub(super) uptime: Duration,
    /// An earlier look.
    pub(super) earlier: Option<std::sync::Arc<Walk>>,
}

/// The `limit` processes that use most, most first, equals by pid; and how many there are.
pub(super) fn processes(since: &Since, sort: Sort, limit: usize) -> Result<(Vec<Process>, u64), HostError> {
    let accounts = Accounts::read()?;
    let mut files = ProcFiles::open()?;
    let mut all: Vec<(Stat, f32)> = Vec::new();
    for pid in files.pids()? {
        let stat = files.read(pid, "stat").and_then(|text| Stat::from_read(text).ok());
        all.extend(stat.map(|stat| {
            let percent = since.cpu_percent(&stat);
            (stat, percent)
        }));
    }
    let total = all.len() as u64;
    all.sort_by(|(a, a_percent), (b, b_percent)| {
        let by_use = match sort {
            Sort::Cpu => b_percent.total_cmp(a_percent),
            Sort::Memory => b.rss.cmp(&a.rss),
        };
        by_use.then(a.pid.cmp(&b.pid))
    });
    // Only for those that are shown is more read than one file.
    let mut shown = Vec::new();
    for (stat, cpu_percent) in all {
        if shown.len() == limit {
            break;
        }
        let pid = stat.pid.unsigned_abs();
        let Some(uid) = files.uid(pid) else { continue };
        shown.push(Process {
            pid,
            ppid: stat.ppid.unsigned_abs(),
            memory_bytes: stat.rss * procfs::page_size(),
            threads: u32::try_from(stat.num_threads).unwrap_or(0),
            state: stat.state.to_string(),
            user: accounts.name(uid),
            uid,
            cpu_percent,
            started_at: since.started_at(stat.starttime),
            command: files.read(pid, "cmdline").map(command).unwrap_or_default(),
            name: stat.comm,
        });
    }
    Ok((shown, total))
}

/// CPU time of every process, by pid.
pub(super) fn ticks(files: &mut ProcFiles) -> Result<Vec<(u32, Ticks)>, HostError> {
    let mut all = Vec::new();
    for pid in files.pids()? {
        all.extend(files.read(pid, "stat").and_then(Ticks::parse).map(|ticks| (pid, ticks)));
    }
    Ok(all)
}

/// The words of /proc/PID/cmdline, as one line.
pub(super) fn command(words: &[u8]) -> String {
    String::from_utf8_lossy(words).replace('\0', " ").trim_end().to_owned()
}

/// The unit of the system manager that a process runs in, from /proc/PID/cgroup: the outermost service, or else scope.
/// What is further in belongs to a user's manager or to the service itself.
pub(super) fn unit_of(cgroups: &[u8]) -> Option<String> {
    let cgroups = String::from_utf8_lossy(cgroups);
    // Hierarchies of version 1 that systemd does not own may lag behind.
    let systemds = cgroups.lines().filter_map(|line| {
        line.strip_prefix("0::").or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
    });
    let unit =
        |kind: &str| systemds.clone().find_map(|path| path.split('/').find(|part| part.ends_with(kind)));
    unit(".service").or_else(|| unit(".scope")).map(str::to_owned)
}

/// The unit of a control group's path.
pub(super) fn unit_of_path(path: &str) -> Option<String> {
    unit_of(format!("0::{path}").as_bytes())
}

impl Ticks {
    /// Fields 14, 15 and 22 of /proc/PID/stat (proc_pid_stat(5)); the name before them may hold anything.
    fn parse(stat: &[u8]) -> Option<Self> {
        let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
        let mut fields = std::str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace();
        let mut number = |skipped: usize| fields.nth(skipped)?.parse::<u64>().ok();
        let used = number(14 - 3)?.saturating_add(number(0)?);
        Some(Self { used, started: number(22 - 16)? })
    }
}

impl Since {
    /// The share of one core since the earlier look; of a process that is younger than it, since its start.
    fn cpu_percent(&self, stat: &Stat) -> f32 {
        let earlier = self.earlier.as_ref().and_then(|walk| walk.ticks(stat.pid.unsigned_abs()));
        let known = earlier.filter(|(before, _)| before.started == stat.starttime);
        let age = || self.uptime.saturating_sub(ticks_to_time(stat.starttime));
        let (before, over) = known.map_or_else(|| (0, age()), |(before, age)| (before.used, age));
        let used = ticks_to_time((stat.utime + stat.stime).saturating_sub(before));
        // Both are known to a tick: shorter than some ticks, a share is noise.
        let percent = 100.0 * used.as_secs_f32() / over.max(LEAST_AGE).as_secs_f32();
        (percent * 10.0).round() / 10.0
    }

    fn started_at(&self, ticks: u64) -> Timestamp {
        let after_boot = i64::try_from(ticks_to_time(ticks).as_millis()).unwrap_or(0);
        Timestamp::from_millis(self.booted_at.as_millis().saturating_add(after_boot))
            .unwrap_or(self.booted_at)
    }
}

const LEAST_AGE: Duration = Duration::from_millis(100);

fn ticks_to_time(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(1000) / procfs::ticks_per_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let line = b"7 (a) b (\xff)) S 1 7 7 0 -1 4194560 1 2 3 4 50 60 0 0 20 0 1 0 12345 100 5";
        assert_eq!(Ticks::parse(line), Some(Ticks { used: 110, started: 12345 }));
        for bad in ["", "7", "7 (a", "7 (a) S 1 2", "7 (a) S x x x x x x x x x x x x x x x x x x x x"] {
            assert_eq!(Ticks::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_share_of_a_young_process_is_that_since_its_start() {
        let line =
            "7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 40 10 0 0 20 0 1 0 1000 100 5 1 1 1 1 1 1 1 1 1 1 1 1 1";
        let stat = Stat::from_read(line.as_bytes()).unwrap();
        let booted_at = Timestamp::from_millis(5_000).unwrap();
        let at = |millis| Since { booted_at, uptime: Duration::from_millis(millis), earlier: None };
        // 0.5 s of CPU, started 10 s after boot.
        assert_eq!(at(12_000).cpu_percent(&stat), 25.0);
        assert_eq!(at(10_001).cpu_percent(&stat), 500.0);
        assert_eq!(at(12_000).started_at(stat.starttime).as_millis(), 15_000);
    }

    #[test]
    fn the_unit_is_the_system_managers_in_either_cgroup_version() {
        let unit = |text: &str| unit_of(text.as_bytes());
        assert_eq!(unit("0::/system.slice/nginx.service\n").as_deref(), Some("nginx.service"));
        assert_eq!(
            unit("2:cpu:/old.service\n1:name=systemd:/user.slice/user@0.service/app.slice/a.scope/x\n")
                .as_deref(),
            Some("user@0.service")
        );
        assert_eq!(unit("0::/system.slice/docker-12.scope/init\n").as_deref(), Some("docker-12.scope"));
        assert_eq!(unit("0::/\n"), None);
        assert_eq!(unit(""), None);
    }

    #[test]
    fn a_command_line_is_one_line() {
        assert_eq!(command(b"sh\0-c\0a b\0"), "sh -c a b");
        assert_eq!(command(b""), "");
    }
}
