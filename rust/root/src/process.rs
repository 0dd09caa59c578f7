//! What tells one process from another: its start time, its unit, whether it may be touched at all.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A process as /proc shows it to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Name of its program, at most 15 bytes.
    pub name: String,
    /// Its parent.
    pub ppid: u32,
    /// When it started, in ticks since boot: field 22 of its stat.
    pub start_time: u64,
    /// The unit of the system manager it runs in.
    pub unit: Option<String>,
    /// Its effective user.
    pub uid: u32,
    is_kernel: bool,
}

impl Process {
    /// Looks at a process; `None` when there is none.
    pub fn look(pid: u32) -> Option<Self> {
        Self::look_below(Path::new("/proc"), pid)
    }

    fn look_below(root: &Path, pid: u32) -> Option<Self> {
        let folder = root.join(pid.to_string());
        let uid = fs::metadata(&folder).ok()?.uid();
        let unit =
            fs::read(folder.join("cgroup")).ok().and_then(|text| unit_of(&String::from_utf8_lossy(&text)));
        Self::parse(pid, &fs::read(folder.join("stat")).ok()?, unit, uid)
    }

    /// `7 (name) S ppid …` (proc_pid_stat(5)); the name may hold anything.
    fn parse(pid: u32, stat: &[u8], unit: Option<String>, uid: u32) -> Option<Self> {
        let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
        let end = stat.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(stat.get(begin..end)?).into_owned();
        let fields: Vec<&str> =
            std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().collect();
        // The first of these is field 3.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ppid = u32::try_from(number(4)?).ok()?;
        Some(Self {
            pid,
            name,
            ppid,
            start_time: number(22)?,
            unit,
            uid,
            is_kernel: number(9)? & PF_KTHREAD != 0,
        })
    }

    /// Why nobody may signal it through us; `None` for one that is not protected.
    pub fn protection(&self) -> Option<&'static str> {
        self.protection_with(|| Self::look(self.ppid).is_some_and(|parent| is_sshd(&parent.name)))
    }

    fn protection_with(&self, sshd_is_parent: impl Fn() -> bool) -> Option<&'static str> {
        let unit = self.unit.as_deref().unwrap_or_default();
        if self.pid == 1 || unit == "init.scope" {
            return Some("the init process");
        }
        if self.is_kernel || self.pid == 2 {
            return Some("a thread of the kernel");
        }
        if self.pid == std::process::id() || is_ours(&self.name) || unit.starts_with("osmoda-") {
            return Some("one of osModa's own");
        }
        let service = unit.strip_suffix(".service").unwrap_or_default();
        let is_main = ["sshd", "ssh"].contains(&service) && self.ppid == 1;
        // Children of sshd are sessions; they may be ended.
        if (is_main || is_sshd(&self.name)) && !sshd_is_parent() {
            return Some("the ssh daemon");
        }
        if service.starts_with("dbus")
            || ["dbus-daemon", "dbus-broker", "dbus-broker-lau"].contains(&self.name.as_str())
        {
            return Some("the message bus");
        }
        // systemd's own daemons are found by their names, where there is no unit that says so, only as root's.
        if service.starts_with("systemd-")
            || self.name.starts_with("systemd-")
            || (self.name == "systemd" && self.uid == 0)
        {
            return Some("part of systemd");
        }
        if service == "nix-daemon" || self.name == "nix-daemon" {
            return Some("the Nix daemon");
        }
        None
    }
}

/// PF_KTHREAD of include/linux/sched.h.
const PF_KTHREAD: u64 = 0x0020_0000;

/// The kernel keeps 15 bytes of a name.
fn is_ours(name: &str) -> bool {
    ["agentd", "agentd-root", "osmoda"].contains(&name) || name.starts_with("osmoda-")
}

/// Nix calls it `.sshd-wrapped`.
fn is_sshd(name: &str) -> bool {
    name.trim_start_matches('.').starts_with("sshd")
}

/// The outermost service, or else scope, of the system manager.
fn unit_of(cgroups: &str) -> Option<String> {
    let paths = cgroups.lines().filter_map(|line| {
        line.strip_prefix("0::").or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
    });
    let unit = |kind: &str| paths.clone().find_map(|path| path.split('/').find(|part| part.ends_with(kind)));
    unit(".service").or_else(|| unit(".scope")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process(name: &str, unit: Option<&str>) -> Process {
        Process {
            pid: 77,
            name: name.into(),
            ppid: 7,
            start_time: 1,
            unit: unit.map(str::to_owned),
            uid: 0,
            is_kernel: false,
        }
    }

    #[test]
    fn what_a_machine_needs_to_stay_reachable_is_protected() {
        let protected = |name, unit| process(name, unit).protection_with(|| false).is_some();
        for (name, unit) in [
            ("systemd-journal", Some("systemd-journald.service")),
            ("anything", Some("systemd-networkd.service")),
            ("sshd", None),
            ("sshd", Some("ssh.service")),
            (".sshd-wrapped", Some("sshd.service")),
            ("dbus-daemon", None),
            ("dbus-broker", Some("dbus-broker.service")),
            ("agentd", None),
            ("osmoda-keyd", None),
            ("sh", Some("osmoda-watch.service")),
            ("nix-daemon", None),
        ] {
            assert!(protected(name, unit), "{name} {unit:?}");
        }
        for (name, unit) in [
            ("python3", Some("report.service")),
            ("nginx", None),
            ("bash", Some("session-3.scope")),
            ("systemctl", None),
        ] {
            assert!(!protected(name, unit), "{name} {unit:?}");
        }
    }

    #[test]
    fn a_session_of_sshd_is_not_the_daemon() {
        assert_eq!(process("sshd", Some("session-3.scope")).protection_with(|| true), None);
    }

    #[test]
    fn pid_1_kernel_threads_and_this_process_are_protected() {
        let line = |flags: u64| format!("9 (a) b) S 2 0 0 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 123 0 0");
        let parsed = |flags| Process::parse(9, line(flags).as_bytes(), None, 0).unwrap();
        assert_eq!((parsed(0).name.as_str(), parsed(0).start_time, parsed(0).ppid), ("a) b", 123, 2));
        assert!(parsed(0).protection_with(|| false).is_none());
        assert!(parsed(PF_KTHREAD).protection_with(|| false).is_some());
        assert!(Process { pid: 1, ..process("init", None) }.protection_with(|| false).is_some());
        assert!(Process::look(std::process::id()).unwrap().protection().is_some());
    }

    proptest! {
        #[test]
        fn any_stat_is_read_or_is_none(stat in prop::collection::vec(any::<u8>(), 0..200), cgroup in ".*") {
            let _ = Process::parse(7, &stat, unit_of(&cgroup), 0);
        }
    }
}
