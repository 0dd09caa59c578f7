//! How busy the cores are, from /proc/stat.

use osmoda_types::api::agentd::system::{Core, Cpu};

/// Jiffies of one `cpu` line since boot.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CoreTime {
    name: String,
    busy: u64,
    all: u64,
}

/// The `cpu` lines: user nice system idle iowait irq softirq steal (proc_stat(5)); guest time is in user already.
pub(super) fn core_times(stat: &str) -> Vec<CoreTime> {
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

/// When the machine was booted, in seconds since 1970: the `btime` line.
pub(super) fn boot_time(stat: &str) -> Option<i64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The use between two looks; without an earlier one, since boot.
pub(super) fn usage(before: &[CoreTime], now: &[CoreTime]) -> Cpu {
    let percent = |now: &CoreTime| now.percent_since(before.iter().find(|before| before.name == now.name));
    // The first line is all of them together.
    let usage_percent = now.first().map_or(0.0, percent);
    let core = |now: &CoreTime| Core { name: now.name.clone(), usage_percent: percent(now) };
    Cpu { usage_percent, cores: now.iter().skip(1).map(core).collect() }
}

impl CoreTime {
    fn percent_since(&self, before: Option<&Self>) -> f32 {
        let (busy, all) = before.map_or((0, 0), |before| (before.busy, before.all));
        let (busy, all) = (self.busy.saturating_sub(busy), self.all.saturating_sub(all));
        #[expect(clippy::cast_precision_loss, reason = "a share of two numbers, shown with one digit")]
        let percent = if all == 0 { 0.0 } else { busy as f32 * 100.0 / all as f32 };
        // The kernel may take back some iowait (proc_stat(5)), which looks as if more was busy than passed.
        (percent.min(100.0) * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_as_busy_as_its_time_that_was_not_idle() {
        let before = core_times("cpu 100 0 0 100 0 0 0 0\ncpu0 100 0 0 100 0 0 0 0\nintr 1\nbtime 9\n");
        // cpu0 went away, cpu1 and cpu3 came: a core is known by its name.
        let stat =
            "cpu 150 0 0 200 0 0 0 0 9 9\ncpu1 5 0 0 5 0 0 0 0\ncpu3 0 0 0 0 0 0 0 0\nintr 1\nbtime 9\n";
        let cpu = usage(&before, &core_times(stat));
        assert!((cpu.usage_percent - 33.3).abs() < 0.01);
        let cores: Vec<_> = cpu.cores.iter().map(|core| (core.name.as_str(), core.usage_percent)).collect();
        assert_eq!(cores, [("cpu1", 50.0), ("cpu3", 0.0)]);
        assert_eq!((boot_time(stat), boot_time("")), (Some(9), None));
    }

    #[test]
    fn iowait_that_runs_backwards_does_not_make_more_than_all_of_a_core() {
        let before = core_times("cpu 0 0 0 100 50 0 0 0\n");
        let cpu = usage(&before, &core_times("cpu 10 0 0 101 45 0 0 0\n"));
        assert_eq!(cpu.usage_percent, 100.0);
        assert!(usage(&[], &[]).cores.is_empty());
    }
}
