//! What the network can reach.

use std::net::IpAddr;

use osmoda_types::api::agentd::system::Port;

use super::Seen;
use super::check::{Check, Rule};

pub(super) fn checks(seen: &Seen<'_>) -> Vec<Check> {
    vec![inner(seen.ports), plain(seen.ports), firewall(seen)]
}

/// Ports of services that trust whoever reaches them, or are a constant target.
const INNER: &[(u16, &str)] = &[
    (2375, "docker"),
    (2379, "etcd"),
    (3306, "mysql"),
    (5432, "postgres"),
    (5672, "rabbitmq"),
    (6379, "redis"),
    (8500, "consul"),
    (9200, "elasticsearch"),
    (11211, "memcached"),
    (27017, "mongodb"),
];

/// Ports whose protocols send passwords as they are.
const PLAIN: &[(u16, &str)] = &[(21, "ftp"), (23, "telnet"), (512, "rexec"), (513, "rlogin"), (514, "rsh")];

fn inner(ports: &[Port]) -> Check {
    let rule = Rule {
        id: "ports.databases",
        weight: 9,
        title: "databases and control ports listen only on the machine itself",
        why: "they are found within minutes and many trust whoever connects",
        nixos: "services.postgresql.enableTCPIP = false; services.redis.servers.<name>.bind = \"127.0.0.1\"; and so on",
        debian: "listen_addresses = 'localhost' (postgresql.conf), bind 127.0.0.1 (redis.conf), bind-address = 127.0.0.1 (mysqld.cnf), then restart",
    };
    judged(rule, ports, INNER)
}

fn plain(ports: &[Port]) -> Check {
    let rule = Rule {
        id: "ports.plain",
        weight: 6,
        title: "nothing takes passwords in plain text",
        why: "whoever is on the way reads them",
        nixos: "services.vsftpd.enable = false; use ssh",
        debian: "apt purge telnetd vsftpd rsh-server; use ssh",
    };
    judged(rule, ports, PLAIN)
}

fn judged(rule: Rule, ports: &[Port], known: &[(u16, &str)]) -> Check {
    let is_open = |port: &&Port| {
        !port.address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    };
    let mut open: Vec<String> = ports
        .iter()
        .filter(is_open)
        .filter_map(|port| {
            known.iter().find(|(number, _)| *number == port.port).map(|(_, name)| (port, name))
        })
        .map(|(port, name)| format!("{name} on {}:{}", port.address, port.port))
        .collect();
    open.dedup();
    rule.judge(open.is_empty(), if open.is_empty() { "none is reachable".into() } else { open.join(", ") })
}

/// Rules are for root's eyes; whether a firewall was started is not.
fn firewall(seen: &Seen<'_>) -> Check {
    let rule = Rule {
        id: "firewall.active",
        weight: 6,
        title: "a firewall is active",
        why: "a service that was started by mistake is otherwise open to everybody",
        nixos: "networking.firewall.enable = true;",
        debian: "apt install nftables, rules in /etc/nftables.conf, then systemctl enable --now nftables; or ufw, firewalld",
    };
    let Some(units) = seen.units else {
        return rule.unknown("without systemd, only root can see whether there is a firewall");
    };
    let names = [
        "firewall.service",
        "nftables.service",
        "ufw.service",
        "firewalld.service",
        "netfilter-persistent.service",
    ];
    match units.iter().find(|unit| names.contains(&unit.unit.as_str()) && unit.active == "active") {
        Some(unit) => rule.pass(format!("{} is active", unit.unit)),
        None => rule.fail(format!("none of {} is active", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use osmoda_types::api::agentd::security::FindingState;
    use osmoda_types::api::agentd::system::{Protocol, Unit};

    use super::*;

    fn port(address: &str, port: u16) -> Port {
        Port {
            protocol: Protocol::Tcp,
            address: address.into(),
            port,
            pid: None,
            process: None,
            user: "x".into(),
            pid_hidden: false,
            unit: None,
        }
    }

    #[test]
    fn a_database_is_open_only_beyond_the_loopback() {
        for address in ["127.0.0.1", "::1", "127.9.9.9", "::ffff:127.0.0.1"] {
            assert_eq!(inner(&[port(address, 5432)]).state, FindingState::Pass, "{address}");
        }
        assert_eq!(inner(&[port("0.0.0.0", 6379), port("0.0.0.0", 80)]).detail, "redis on 0.0.0.0:6379");
        assert_eq!(plain(&[port("::", 23)]).state, FindingState::Fail);
    }

    #[test]
    fn a_firewall_is_known_by_its_unit_and_unknown_without_systemd() {
        let state =
            |units: Option<&[Unit]>| firewall(&Seen { root: Path::new("/"), ports: &[], units }).state;
        let unit = |name: &str, active: &str| Unit {
            unit: name.into(),
            load: "loaded".into(),
            active: active.into(),
            sub: "exited".into(),
            description: String::new(),
            main_pid: None,
        };
        assert_eq!(state(None), FindingState::Unknown);
        assert_eq!(state(Some(&[unit("nftables.service", "active")])), FindingState::Pass);
        assert_eq!(
            state(Some(&[unit("nftables.service", "inactive"), unit("ssh.service", "active")])),
            FindingState::Fail
        );
    }
}
