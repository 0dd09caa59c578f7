//! The units that no call may act on: what osModa, logins and the machine itself stand on.

use osmoda_types::UnitName;

/// Why no call may act on the unit; `None` for one that may be started and stopped. Judges the name alone: ask with
/// every name that systemd has for the unit.
pub fn protected(unit: &UnitName) -> Option<&'static str> {
    let acted_on = ["service", "socket", "timer", "path"].contains(&unit.kind());
    by_name(unit).or((!acted_on).then_some("only services, sockets, timers and paths are acted on"))
}

/// The same for a unit that would only be drawn along: there its kind does not matter.
pub(crate) fn by_name(unit: &UnitName) -> Option<&'static str> {
    let stem = unit.stem();
    let exact = EXACT.iter().find(|(name, _)| *name == stem);
    exact.or_else(|| BEGINNINGS.iter().find(|(start, _)| stem.starts_with(start))).map(|(_, why)| *why)
}

const OSMODA: &str = "it is a part of osModa";
const LOGIN: &str = "people reach the machine through it";
const SYSTEM: &str = "the machine itself stands on it";
const FIREWALL: &str = "it is the machine's firewall";
const DECIDES: &str = "it decides or records who may do what";
const SHELL: &str = "it gives a shell of root or takes the machine down to one";

const EXACT: &[(&str, &str)] = &[
    ("ssh", LOGIN),
    ("sshd", LOGIN),
    ("autovt", LOGIN),
    ("console-getty", LOGIN),
    ("container-getty", LOGIN),
    ("getty", LOGIN),
    ("serial-getty", LOGIN),
    ("user", LOGIN),
    ("user-runtime-dir", LOGIN),
    ("debug-shell", SHELL),
    ("emergency", SHELL),
    ("rescue", SHELL),
    ("firewall", FIREWALL),
    ("firewalld", FIREWALL),
    ("ip6tables", FIREWALL),
    ("iptables", FIREWALL),
    ("netfilter-persistent", FIREWALL),
    ("nftables", FIREWALL),
    ("ufw", FIREWALL),
    ("apparmor", DECIDES),
    ("auditd", DECIDES),
    ("polkit", DECIDES),
];

const BEGINNINGS: &[(&str, &str)] = &[
    ("osmoda", OSMODA),
    ("systemd-", SYSTEM),
    ("dbus", SYSTEM),
    ("initrd-", SYSTEM),
    ("nix-daemon", SYSTEM),
    ("sshd-", LOGIN),
];

#[cfg(test)]
mod tests {
    use bolero::check;

    use super::*;

    fn why(name: &str) -> Option<&'static str> {
        protected(&name.parse().unwrap())
    }

    #[test]
    fn what_the_machine_stands_on_is_protected_under_each_of_its_names() {
        for name in [
            "osmoda-agentd",
            "osmoda-keyd@ledger.service",
            "sshd",
            "ssh.socket",
            "sshd@3-1.2.3.4:22-5.6.7.8:9.service",
            "dbus.socket",
            "dbus-broker",
            "dbus-org.freedesktop.login1",
            "systemd-journald.socket",
            "systemd-logind",
            "nix-daemon.socket",
            "firewall",
            "nftables",
            "debug-shell",
            "getty@tty1",
            "user@1000",
            "multi-user.target",
            "user.slice",
            "-.mount",
            "init.scope",
            "srv.automount",
            "dev-sda1.swap",
        ] {
            assert!(why(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_not() {
        for name in [
            "nginx",
            "sshguard",
            "redis@1",
            "certbot.timer",
            "my-osmoda",
            "users",
            "firewall-log",
            "postgresql@16-main",
        ] {
            assert_eq!(why(name), None, "{name}");
        }
    }

    #[test]
    fn any_text_is_one_name_or_none_and_can_be_judged() {
        let parts = [
            "ssh", "@", ".service", ".target", "-", "--", "/", "\\x2d", "..", "\0", "osmoda-", "é", ".", "a",
        ];
        check!().with_iterations(20_000).with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(picks, noise)| {
            let built: String = picks.iter().map(|pick| parts[usize::from(*pick) % parts.len()]).collect();
            for text in [built, String::from_utf8_lossy(noise).into_owned()] {
                let Ok(unit) = text.parse::<UnitName>() else { continue };
                let name = unit.as_str();
                assert!(name.len() <= 255 && !name.contains(['/', '\0', '*']) && !name.starts_with("--"));
                assert_eq!(name.parse::<UnitName>().as_ref(), Ok(&unit));
                let is_osmoda = name.starts_with("osmoda");
                assert!(protected(&unit).is_some() || !is_osmoda);
            }
        });
    }
}
