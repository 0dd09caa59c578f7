//! Processes. They come and go while they are looked at: one that went is left out.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::system::{Process, Sort};
use procfs::process::{Stat, all_processes};

use super::HostError;
use super::accounts::Accounts;
use super::machine::{Shared, booted_at};

/// CPU time of a process, and when it started, so that a reused pid is not taken for the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    started: u64,
    used: u64,
}

/// Longest command line that is shown.
const COMMAND_BYTES: usize = 4096;

/// The processes that use most, most first; equals by pid.
pub(super) fn processes(shared: &Shared, sort: Sort, limit: usize) -> Result<Vec<Process>, HostError> {
    let accounts = Accounts::read()?;
    let booted = booted_at(shared.clock.as_ref())?;
    let now = shared.clock.now();
    let mut found = Vec::new();
    for process in all_processes()?.flatten() {
        // Its owner is read from the folder, which costs less than its status.
        let (Ok(stat), Ok(uid)) = (process.stat(), process.uid()) else { continue };
        let started_at = started(booted, stat.starttime);
        let cpu_percent = cpu_percent(shared, &stat, now, started_at);
        found.push(Process {
            pid: stat.pid.unsigned_abs(),
            ppid: stat.ppid.unsigned_abs(),
            memory_bytes: stat.rss * procfs::page_size(),
            threads: u32::try_from(stat.num_threads).unwrap_or(0),
            state: stat.state.to_string(),
            user: accounts.name(uid),
            uid,
            cpu_percent,
            started_at,
            command: String::new(),
            name: stat.comm,
        });
    }
    found.sort_by(|a, b| {
        let by_use = match sort {
            Sort::Cpu => b.cpu_percent.total_cmp(&a.cpu_percent),
            Sort::Memory => b.memory_bytes.cmp(&a.memory_bytes),
        };
        by_use.then(a.pid.cmp(&b.pid))
    });
    found.truncate(limit);
    for process in &mut found {
        process.command = command(process.pid);
    }
    Ok(found)
}

/// CPU time of every process.
pub(super) fn ticks() -> HashMap<u32, Ticks> {
    let one = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        parse_ticks(&text).map(|ticks| (pid, ticks))
    };
    pids().filter_map(one).collect()
}

/// Every process there is right now.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// What the kernel calls its program.
pub(super) fn name(pid: u32) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}

/// The systemd unit it runs in, by its control group.
pub(super) fn unit(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    unit_of(&text)
}

/// The innermost service or scope of any line of /proc/PID/cgroup.
fn unit_of(cgroups: &str) -> Option<String> {
    let is_unit =
        |part: &&str| Path::new(part).extension().is_some_and(|kind| kind == "service" || kind == "scope");
    cgroups.lines().find_map(|line| line.rsplit('/').find(is_unit).map(str::to_owned))
}

/// Fields 14, 15 and 22 of /proc/PID/stat (proc_pid_stat(5)); the name before them may hold anything.
fn parse_ticks(stat: &str) -> Option<Ticks> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    Some(Ticks { used: number(14)? + number(15)?, started: number(22)? })
}

fn cpu_percent(shared: &Shared, stat: &Stat, now: Timestamp, started_at: Timestamp) -> f32 {
    let used = stat.utime + stat.stime;
    let (ticks, over) = match shared.sampler.earlier(stat.pid.unsigned_abs()) {
        Some((before, age)) if before.started == stat.starttime => (used.saturating_sub(before.used), age),
        // It is younger than the last look, so all it used was used since it started.
        _ => {
            let age_ms = now.as_millis().saturating_sub(started_at.as_millis()).max(10);
            (used, Duration::from_millis(age_ms.unsigned_abs()))
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a share shown with one digit")]
    let percent = ticks as f32 * 100.0 / procfs::ticks_per_second() as f32 / over.as_secs_f32();
    (percent * 10.0).round() / 10.0
}

fn started(booted: Timestamp, ticks: u64) -> Timestamp {
    let after_ms = i64::try_from(ticks * 1000 / procfs::ticks_per_second()).unwrap_or(0);
    Timestamp::from_millis(booted.as_millis().saturating_add(after_ms)).unwrap_or(booted)
}

fn command(pid: u32) -> String {
    let mut text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    text.truncate(COMMAND_BYTES);
    let words = String::from_utf8_lossy(&text).replace('\0', " ");
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let line = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 50 60 0 0 20 0 1 0 12345 100 5";
        assert_eq!(parse_ticks(line), Some(Ticks { used: 110, started: 12345 }));
        for bad in ["", "7", "7 (a", "7 (a) S 1 2", "7 (a) S x x x x x x x x x x x x x x x x x x x x"] {
            assert_eq!(parse_ticks(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_unit_is_the_innermost_service_in_either_cgroup_version() {
        assert_eq!(unit_of("0::/system.slice/nginx.service\n").as_deref(), Some("nginx.service"));
        assert_eq!(
            unit_of("2:cpu:/\n1:name=systemd:/user.slice/user@0.service/app.slice/a.scope/x\n").as_deref(),
            Some("a.scope")
        );
        assert_eq!(unit_of("0::/\n"), None);
    }
}
