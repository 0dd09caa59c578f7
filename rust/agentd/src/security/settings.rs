//! Settings of the kernel that make an attack harder.

use std::fs;
use std::path::Path;

use super::check::{Check, Rule};

/// A parameter below /proc/sys and the values that are good.
struct Setting {
    rule: Rule,
    good: &'static [i64],
}

pub(super) fn checks(root: &Path) -> Vec<Check> {
    let mut checks: Vec<Check> = SETTINGS.iter().map(|setting| setting.check(root)).collect();
    checks.push(vulnerabilities(root));
    checks
}

impl Setting {
    fn check(&self, root: &Path) -> Check {
        let key = self.rule.id;
        let path = root.join("proc/sys").join(key.replace('.', "/"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return self.rule.unknown(format!("{key} cannot be read: {}", error.kind())),
        };
        match text.trim().parse::<i64>() {
            Ok(value) if self.good.contains(&value) => self.rule.pass(format!("{key} is {value}")),
            Ok(value) => self.rule.fail(format!("{key} is {value}, should be {}", self.good[0])),
            Err(_) => self.rule.unknown(format!("{key} is no number")),
        }
    }
}

/// What the kernel says of its processor's flaws.
fn vulnerabilities(root: &Path) -> Check {
    let rule = Rule {
        id: "cpu.vulnerabilities",
        weight: 5,
        title: "the kernel guards against every known flaw of the processor",
        why: "a program can otherwise read the memory of others",
        nixos: "hardware.cpu.intel.updateMicrocode = true; (or amd), and no boot.kernelParams = [ \"mitigations=off\" ]",
        debian: "install intel-microcode or amd64-microcode, remove mitigations=off from /etc/default/grub, update-grub, reboot",
    };
    let folder = root.join("sys/devices/system/cpu/vulnerabilities");
    let Ok(entries) = fs::read_dir(&folder) else {
        return rule.unknown("the kernel does not tell of its processor's flaws");
    };
    let mut open = Vec::new();
    for entry in entries.flatten() {
        if fs::read_to_string(entry.path()).is_ok_and(|text| text.starts_with("Vulnerable")) {
            open.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    open.sort();
    rule.judge(
        open.is_empty(),
        if open.is_empty() { "none is open".into() } else { format!("open: {}", open.join(", ")) },
    )
}

macro_rules! setting {
    ($id:literal, $weight:literal, $good:expr, $title:literal, $why:literal) => {
        Setting {
            rule: Rule {
                id: $id,
                weight: $weight,
                title: $title,
                why: $why,
                nixos: concat!("boot.kernel.sysctl.\"", $id, "\"; see the value in detail"),
                debian: concat!(
                    "a line ",
                    $id,
                    "=VALUE in /etc/sysctl.d/60-hardening.conf, then sysctl --system"
                ),
            },
            good: &$good,
        }
    };
}

const SETTINGS: &[Setting] = &[
    setting!(
        "kernel.randomize_va_space",
        5,
        [2],
        "address spaces are laid out at random",
        "an attacker must not know where code lies"
    ),
    setting!(
        "kernel.kptr_restrict",
        3,
        [1, 2],
        "addresses of the kernel are hidden",
        "they tell an attacker where to aim"
    ),
    setting!(
        "kernel.dmesg_restrict",
        3,
        [1],
        "only root reads the kernel's log",
        "the log tells addresses and hardware that help an attacker"
    ),
    setting!(
        "kernel.unprivileged_bpf_disabled",
        4,
        [1, 2],
        "only root loads BPF programs",
        "flaws of its verifier gave users the kernel more than once"
    ),
    setting!(
        "kernel.yama.ptrace_scope",
        4,
        [1, 2, 3],
        "a program cannot take over its neighbours",
        "one program of a user could otherwise read the keys in another"
    ),
    setting!(
        "kernel.sysrq",
        1,
        [0, 1 << 4, 176, 438],
        "the magic key can do little",
        "whoever has the keyboard could otherwise kill and read everything"
    ),
    setting!(
        "fs.protected_hardlinks",
        3,
        [1],
        "links to files of others cannot be made",
        "a program of root could be led to a file it should not touch"
    ),
    setting!(
        "fs.protected_symlinks",
        3,
        [1],
        "links in shared folders are followed only by their owner",
        "a program of root could be led out of /tmp"
    ),
    setting!(
        "fs.protected_fifos",
        2,
        [1, 2],
        "pipes in shared folders belong to who opens them",
        "data could be taken by who was there first"
    ),
    setting!(
        "fs.protected_regular",
        2,
        [1, 2],
        "files in shared folders belong to who opens them",
        "data could be taken by who was there first"
    ),
    setting!("fs.suid_dumpable", 3, [0], "programs with more rights leave no core", "a core holds secrets"),
    setting!(
        "net.ipv4.tcp_syncookies",
        2,
        [1, 2],
        "a flood of half-open connections is survived",
        "a server could be made silent by anybody"
    ),
    setting!(
        "net.ipv4.conf.all.accept_redirects",
        2,
        [0],
        "routes cannot be changed from the network",
        "a neighbour could lead traffic through himself"
    ),
    setting!(
        "net.ipv4.conf.all.accept_source_route",
        2,
        [0],
        "packets do not choose their way",
        "it passes by filters"
    ),
];

#[cfg(test)]
mod tests {
    use osmoda_types::api::agentd::security::FindingState;

    use super::*;

    fn state(root: &Path, id: &str) -> (FindingState, String) {
        let check = checks(root).into_iter().find(|check| check.rule.id == id).unwrap();
        (check.state, check.detail)
    }

    #[test]
    fn a_setting_is_judged_by_its_value_and_unknown_without_one() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("proc/sys/kernel/dmesg_restrict");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let id = "kernel.dmesg_restrict";
        assert_eq!(state(root.path(), id).0, FindingState::Unknown);
        for (text, wanted) in
            [("1\n", FindingState::Pass), ("0\n", FindingState::Fail), ("x\n", FindingState::Unknown)]
        {
            fs::write(&file, text).unwrap();
            assert_eq!(state(root.path(), id).0, wanted, "{text}");
        }
    }

    #[test]
    fn an_open_flaw_of_the_processor_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/devices/system/cpu/vulnerabilities");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("meltdown"), "Mitigation: PTI\n").unwrap();
        assert_eq!(state(root.path(), "cpu.vulnerabilities").0, FindingState::Pass);
        fs::write(folder.join("mds"), "Vulnerable: Clear CPU buffers attempted\n").unwrap();
        assert_eq!(state(root.path(), "cpu.vulnerabilities"), (FindingState::Fail, "open: mds".into()));
    }
}
