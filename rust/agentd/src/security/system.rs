//! Updates, what was booted, what the agent's own files allow.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::Seen;
use super::check::{Check, Rule};

pub(super) fn checks(seen: &Seen<'_>) -> Vec<Check> {
    vec![updates(seen.root), reboot(seen.root), secure_boot(seen.root)]
}

fn updates(root: &Path) -> Check {
    let rule = Rule {
        id: "updates.automatic",
        weight: 5,
        title: "security updates come by themselves",
        why: "a known flaw is used within days",
        nixos: "system.autoUpgrade.enable = true;",
        debian: "apt install unattended-upgrades, then dpkg-reconfigure -plow unattended-upgrades",
    };
    if root.join("etc/NIXOS").exists() {
        let timer = root.join("etc/systemd/system/nixos-upgrade.timer").exists();
        return rule.judge(
            timer,
            if timer { "nixos-upgrade.timer is there" } else { "there is no nixos-upgrade.timer" },
        );
    }
    let path = root.join("etc/apt/apt.conf.d/20auto-upgrades");
    match fs::read_to_string(&path) {
        Ok(text) => {
            // APT::Periodic::Unattended-Upgrade "1"; is a number of days.
            let days =
                text.lines().find_map(|line| line.trim().strip_prefix("APT::Periodic::Unattended-Upgrade"));
            let days = days.map(|rest| rest.trim_matches([' ', '\t', '"', ';'])).unwrap_or("0");
            let on = days == "always" || days.parse::<u32>().is_ok_and(|days| days > 0);
            rule.judge(on, format!("APT::Periodic::Unattended-Upgrade is {days}"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && root.join("etc/debian_version").exists() => {
            rule.fail("unattended-upgrades is not set up")
        }
        Err(_) => rule.unknown("it is not known how this system gets its updates"),
    }
}

fn reboot(root: &Path) -> Check {
    let rule = Rule {
        id: "updates.booted",
        weight: 4,
        title: "the kernel that runs is the one that is installed",
        why: "an update of the kernel helps only after a reboot",
        nixos: "reboot; or system.autoUpgrade.allowReboot = true;",
        debian: "reboot; or Unattended-Upgrade::Automatic-Reboot \"true\";",
    };
    if root.join("run/reboot-required").exists() {
        return rule.fail("/run/reboot-required says that a reboot is needed");
    }
    let kernel = |system: &str| fs::canonicalize(root.join("run").join(system).join("kernel")).ok();
    match (kernel("booted-system"), kernel("current-system")) {
        (Some(booted), Some(current)) => rule.judge(
            booted == current,
            format!("booted: {}, installed: {}", booted.display(), current.display()),
        ),
        _ if root.join("etc/debian_version").exists() => rule.pass("no package asked for a reboot"),
        _ => rule.unknown("it is not known how this system says that it needs a reboot"),
    }
}

fn secure_boot(root: &Path) -> Check {
    let rule = Rule {
        id: "boot.secure",
        weight: 3,
        title: "the firmware starts only what is signed",
        why: "whoever has the disk for a moment could otherwise change the kernel",
        nixos: "boot.lanzaboote.enable = true; (the lanzaboote module), then enrol keys with sbctl",
        debian: "switch Secure Boot on in the firmware; Debian's boot loader is signed",
    };
    // The global variable of the UEFI specification: four bytes of attributes, then the value.
    let path = root.join("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
    match fs::read(&path) {
        Ok(bytes) if bytes.len() == 5 => {
            let on = bytes[4] == 1;
            rule.judge(on, if on { "it is on" } else { "it is off" })
        }
        Ok(_) => rule.unknown("the firmware's answer is not in its known form"),
        Err(_) => rule.unknown("the machine was not booted by UEFI, or hides it"),
    }
}

#[cfg(test)]
mod tests {
    use osmoda_types::api::agentd::security::FindingState;

    use super::*;

    fn put(root: &Path, name: &str, content: &[u8]) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn updates_are_judged_by_what_the_system_is() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(updates(root.path()).state, FindingState::Unknown);
        put(root.path(), "etc/debian_version", b"12\n");
        assert_eq!(updates(root.path()).state, FindingState::Fail);
        for (value, wanted) in
            [("0", FindingState::Fail), ("1", FindingState::Pass), ("always", FindingState::Pass)]
        {
            let line = format!(
                "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"{value}\";\n"
            );
            put(root.path(), "etc/apt/apt.conf.d/20auto-upgrades", line.as_bytes());
            assert_eq!(updates(root.path()).state, wanted, "{value}");
        }
        put(root.path(), "etc/NIXOS", b"");
        assert_eq!(updates(root.path()).state, FindingState::Fail);
        put(root.path(), "etc/systemd/system/nixos-upgrade.timer", b"");
        assert_eq!(updates(root.path()).state, FindingState::Pass);
    }

    #[test]
    fn a_reboot_that_is_needed_is_seen() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(reboot(root.path()).state, FindingState::Unknown);
        put(root.path(), "run/booted-system/kernel", b"");
        put(root.path(), "run/current-system/kernel", b"");
        assert_eq!(reboot(root.path()).state, FindingState::Fail, "two kernels");
        put(root.path(), "run/reboot-required", b"");
        assert!(reboot(root.path()).detail.contains("reboot-required"));
    }

    #[test]
    fn secure_boot_is_the_fifth_byte() {
        let root = tempfile::tempdir().unwrap();
        let name = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        assert_eq!(secure_boot(root.path()).state, FindingState::Unknown);
        for (bytes, wanted) in [
            (&[6, 0, 0, 0, 1][..], FindingState::Pass),
            (&[6, 0, 0, 0, 0], FindingState::Fail),
            (&[1], FindingState::Unknown),
        ] {
            put(root.path(), name, bytes);
            assert_eq!(secure_boot(root.path()).state, wanted);
        }
    }
}
