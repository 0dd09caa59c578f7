//! What runs here: programs that listen, and programs we know, with where they listen and which unit they are.

use std::collections::BTreeMap;

use osmoda_types::api::agentd::system::{Discovered, PortNumber, SystemDiscoverOut, Unit};

use super::accounts::Accounts;
use super::{HostError, processes, sockets};

/// Programs by the name the kernel keeps (at most 15 bytes), and what they are.
const KNOWN: &[(&str, &str)] = &[
    ("agentd", "osmoda"),
    ("apache2", "apache"),
    ("beam.smp", "erlang"),
    ("caddy", "caddy"),
    ("cloudflared", "cloudflared"),
    ("containerd", "containerd"),
    ("dockerd", "docker"),
    ("dovecot", "dovecot"),
    ("grafana", "grafana"),
    ("grafana-server", "grafana"),
    ("haproxy", "haproxy"),
    ("httpd", "apache"),
    ("java", "java"),
    ("mariadbd", "mysql"),
    ("master", "postfix"),
    ("memcached", "memcached"),
    ("mongod", "mongodb"),
    ("mysqld", "mysql"),
    ("named", "bind"),
    ("nginx", "nginx"),
    ("node", "node"),
    ("ollama", "ollama"),
    ("php-fpm", "php"),
    ("podman", "podman"),
    ("postgres", "postgres"),
    ("prometheus", "prometheus"),
    ("redis-server", "redis"),
    ("sshd", "sshd"),
    ("systemd-resolve", "resolved"),
    ("tailscaled", "tailscale"),
    ("traefik", "traefik"),
    ("unbound", "unbound"),
    ("valkey-server", "valkey"),
];

/// Looks around; `units` is what systemd lists, `None` without systemd.
pub(super) fn discover(units: Option<Vec<Unit>>) -> Result<SystemDiscoverOut, HostError> {
    let accounts = Accounts::read()?;
    let (listening, pids_hidden) = sockets::ports()?;
    let mut ports: BTreeMap<u32, Vec<PortNumber>> = BTreeMap::new();
    for port in &listening {
        let Some(pid) = port.pid else { continue };
        let number = PortNumber { protocol: port.protocol, address: port.address.clone(), port: port.port };
        ports.entry(pid).or_default().push(number);
    }
    let service = |pid: u32| {
        let name = processes::name(pid)?;
        let kind = KNOWN.iter().find(|(program, _)| *program == name).map(|(_, kind)| *kind);
        let ports = ports.remove(&pid).unwrap_or_default();
        let uid = procfs::process::Process::new(pid.cast_signed()).and_then(|process| process.uid()).ok()?;
        // A worker of a known program that listens on nothing says nothing new.
        let known = kind.filter(|_| !ports.is_empty() || is_first_of_its_kind(pid, &name));
        (known.is_some() || !ports.is_empty()).then(|| Discovered {
            kind: kind.unwrap_or("other").to_owned(),
            name,
            pid,
            unit: processes::unit(pid),
            user: accounts.name(uid),
            ports,
        })
    };
    let services = processes::pids().filter_map(service).collect();
    let systemd = units.is_some();
    let mut units = units.unwrap_or_default();
    units.retain(|unit| {
        matches!(unit.active.as_str(), "active" | "failed" | "activating" | "reloading" | "deactivating")
    });
    Ok(SystemDiscoverOut { services, listening, units, systemd, pids_hidden })
}

/// Whether its parent is another program.
fn is_first_of_its_kind(pid: u32, name: &str) -> bool {
    let stat = procfs::process::Process::new(pid.cast_signed()).and_then(|process| process.stat());
    stat.is_ok_and(|stat| processes::name(stat.ppid.unsigned_abs()).as_deref() != Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_fits_the_kernels_names() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(KNOWN.iter().all(|(program, _)| program.len() <= 15));
    }
}
