//! What runs here: programs that listen, and programs we know, with where they listen and which unit they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use osmoda_types::api::agentd::system::{Discovered, Port, PortNumber, SystemDiscoverOut, Unit};
use procfs::FromRead;
use procfs::process::Stat;

use super::HostError;
use super::accounts::Accounts;
use super::known::{self, Kind};
use super::procfiles::ProcFiles;
use super::{processes, sockets};

/// Listening ports that are listed; what is beyond is only counted.
pub(super) const MOST_PORTS: usize = 10_000;

/// What is known of a process before its ports are.
struct Program {
    name: String,
    ppid: u32,
    kind: Option<Kind>,
    /// The unit of the system manager it runs in.
    unit: Option<String>,
}

impl Program {
    fn service(&self, pid: u32, user: String, ports: Vec<PortNumber>) -> Discovered {
        Discovered {
            name: self.name.clone(),
            kind: self.kind.map_or("other", |kind| kind.name).to_owned(),
            pid: Some(pid),
            unit: self.unit.clone(),
            user,
            ports,
        }
    }
}

/// What a look at /proc found.
pub(super) struct Found {
    out: SystemDiscoverOut,
    /// The main process of each unit that has processes.
    main_pids: HashMap<String, u32>,
}

/// What a look at /proc finds; systemd's side is added by whoever asks it.
pub(super) fn discover() -> Result<Found, HostError> {
    let accounts = Accounts::read()?;
    let mut files = ProcFiles::open()?;
    let listening = sockets::ports(&mut files, MOST_PORTS)?;
    let mut ports: HashMap<u32, Vec<PortNumber>> = HashMap::new();
    for port in &listening.ports {
        if let Some(pid) = port.pid {
            ports.entry(pid).or_default().push(number(port));
        }
    }
    let programs = programs(&mut files)?;
    let mut services: Vec<Discovered> = Vec::new();
    for (pid, program) in &programs {
        let ports = ports.remove(pid).unwrap_or_default();
        if ports.is_empty() && !serves_without_port(program, &programs) {
            continue;
        }
        let Some(uid) = files.uid(*pid) else { continue };
        add(&mut services, program.service(*pid, accounts.name(uid), ports));
    }
    for service in hidden(&listening.ports, &programs, |pid| files.uid(pid).map(|uid| accounts.name(uid))) {
        add(&mut services, service);
    }
    let units: BTreeSet<&str> = programs.values().filter_map(|program| program.unit.as_deref()).collect();
    let main_pids = units.into_iter().filter_map(|unit| Some((unit.to_owned(), main_pid(&programs, unit)?)));
    let main_pids = main_pids.collect();
    let out = SystemDiscoverOut {
        services,
        listening_total: listening.total,
        pids_hidden: listening.hidden,
        listening: listening.ports,
        units: Vec::new(),
        systemd: false,
    };
    Ok(Found { out, main_pids })
}

impl Found {
    /// Adds the units that do or did something, `None` without systemd: all that was found.
    pub(super) fn with_units(self, units: Option<Vec<Unit>>) -> SystemDiscoverOut {
        let Self { mut out, main_pids } = self;
        out.systemd = units.is_some();
        out.units = units.unwrap_or_default();
        out.units.retain(|unit| unit.active != "inactive");
        for unit in out.units.iter_mut().filter(|unit| unit.main_pid.is_none()) {
            unit.main_pid = main_pids.get(&unit.unit).copied();
        }
        out
    }
}

fn programs(files: &mut ProcFiles) -> Result<BTreeMap<u32, Program>, HostError> {
    let mut all = BTreeMap::new();
    for pid in files.pids()? {
        let Some(stat) = files.read(pid, "stat").and_then(|text| Stat::from_read(text).ok()) else {
            continue;
        };
        let kind = files.read(pid, "cmdline").and_then(|command| known::kind(&stat.comm, command));
        let name = known::program(&stat.comm).to_owned();
        let unit = files.read(pid, "cgroup").and_then(processes::unit_of);
        all.insert(pid, Program { name, ppid: stat.ppid.unsigned_abs(), kind, unit });
    }
    Ok(all)
}

/// A worker of a known program that listens on nothing says nothing new.
fn serves_without_port(program: &Program, programs: &BTreeMap<u32, Program>) -> bool {
    let parent = programs.get(&program.ppid).and_then(|parent| parent.kind);
    program.kind.is_some_and(|kind| kind.serves && parent != Some(kind))
}

/// Adds a process to the entry of its service, or as a new one. A scope holds what somebody happened to start together,
/// so it joins nothing.
fn add(services: &mut Vec<Discovered>, service: Discovered) {
    let is_service = |unit: &str| unit.ends_with(".service");
    let same = |known: &&mut Discovered| {
        let same_process = service.pid.is_some() && known.pid == service.pid;
        let same_unit = service.unit.as_deref().is_some_and(is_service)
            && (&known.unit, &known.kind, &known.name) == (&service.unit, &service.kind, &service.name);
        same_process || same_unit
    };
    match services.iter_mut().find(same) {
        Some(known) => {
            known.ports.extend(service.ports);
            known.ports.sort();
            known.ports.dedup();
        }
        None => services.push(service),
    }
}

/// Services whose process we may not see: by the unit that made their socket, or else by their usual ports.
fn hidden(
    listening: &[Port],
    programs: &BTreeMap<u32, Program>,
    user: impl Fn(u32) -> Option<String>,
) -> Vec<Discovered> {
    let mut of_process: BTreeMap<u32, Vec<PortNumber>> = BTreeMap::new();
    let mut of_kind: BTreeMap<(&str, &str), Vec<PortNumber>> = BTreeMap::new();
    for port in listening.iter().filter(|port| port.pid_hidden) {
        // init listens for others: the unit that will get the socket is not known yet.
        let unit = port.unit.as_deref().filter(|unit| *unit != "init.scope");
        if let Some(pid) = unit.and_then(|unit| main_pid(programs, unit)) {
            of_process.entry(pid).or_default().push(number(port));
        } else if let Some(kind) = known::kind_at(port.port) {
            of_kind.entry((kind, &port.user)).or_default().push(number(port));
        }
    }
    let known = of_process
        .into_iter()
        .filter_map(|(pid, ports)| Some(programs.get(&pid)?.service(pid, user(pid)?, ports)));
    let guessed = of_kind.into_iter().map(|((kind, user), ports)| Discovered {
        name: kind.to_owned(),
        kind: kind.to_owned(),
        pid: None,
        unit: None,
        user: user.to_owned(),
        ports,
    });
    known.chain(guessed).collect()
}

/// The process of a unit that systemd itself started, or else its first.
fn main_pid(programs: &BTreeMap<u32, Program>, unit: &str) -> Option<u32> {
    let of_unit = || programs.iter().filter(|(_, program)| program.unit.as_deref() == Some(unit));
    let first = of_unit().next();
    of_unit().find(|(_, program)| program.ppid == 1).or(first).map(|(pid, _)| *pid)
}

fn number(port: &Port) -> PortNumber {
    PortNumber { protocol: port.protocol, address: port.address.clone(), port: port.port }
}

#[cfg(test)]
mod tests {
    use osmoda_types::api::agentd::system::Protocol;

    use super::*;

    fn service(pid: u32, unit: Option<&str>, port: u16) -> Discovered {
        Discovered {
            name: "nginx".into(),
            kind: "nginx".into(),
            pid: Some(pid),
            unit: unit.map(str::to_owned),
            user: "root".into(),
            ports: vec![PortNumber { protocol: Protocol::Tcp, address: "::".into(), port }],
        }
    }

    #[test]
    fn the_processes_of_a_unit_are_one_service_and_those_of_a_scope_are_not() {
        let mut services = Vec::new();
        for (pid, unit, port) in [
            (1, Some("nginx.service"), 80),
            (2, Some("nginx.service"), 443),
            (3, Some("nginx.service"), 80),
            (4, Some("session-1.scope"), 80),
            (5, Some("session-1.scope"), 81),
            (6, None, 80),
            (7, None, 81),
        ] {
            add(&mut services, service(pid, unit, port));
        }
        let short: Vec<_> = services.iter().map(|s| (s.pid.unwrap(), s.ports.len())).collect();
        assert_eq!(short, [(1, 2), (4, 1), (5, 1), (6, 1), (7, 1)]);
    }

    fn program(ppid: u32, kind: Option<Kind>, unit: Option<&str>) -> Program {
        Program { name: "program".into(), ppid, kind, unit: unit.map(str::to_owned) }
    }

    #[test]
    fn a_hidden_process_is_known_by_its_unit_or_else_by_its_port() {
        let port = |port, pid_hidden, unit: Option<&str>| Port {
            protocol: Protocol::Tcp,
            address: "127.0.0.1".into(),
            port,
            pid: None,
            process: None,
            user: "postgres".into(),
            pid_hidden,
            unit: unit.map(str::to_owned),
        };
        let nginx = known::kind("nginx", b"nginx");
        let programs = BTreeMap::from([
            (7, program(9, nginx, Some("web.service"))),
            (9, program(1, nginx, Some("web.service"))),
            (12, program(9, None, Some("web.service"))),
        ]);
        let listening = [
            port(5432, true, None),
            port(6379, false, None),
            port(5433, true, None),
            port(80, true, Some("web.service")),
            port(443, true, Some("web.service")),
            port(22, true, Some("init.scope")),
            port(3306, true, Some("gone.service")),
        ];
        let found = hidden(&listening, &programs, |_| Some("www".into()));
        let short: Vec<_> = found.iter().map(|s| (s.kind.as_str(), s.pid, s.ports.len())).collect();
        assert_eq!(
            short,
            [("nginx", Some(9), 2), ("mysql", None, 1), ("postgres", None, 1), ("sshd", None, 1)]
        );
    }

    #[test]
    fn a_worker_without_a_port_is_not_listed() {
        let kind = |command: &[u8]| known::kind("", command);
        let program = |ppid, kind| program(ppid, kind, None);
        let programs = BTreeMap::from([
            (1, program(0, None)),
            (2, program(1, kind(b"postgres"))),
            (3, program(2, kind(b"postgres"))),
            (4, program(1, kind(b"node\0x.js"))),
        ]);
        let listed: Vec<u32> = programs
            .iter()
            .filter(|(_, program)| serves_without_port(program, &programs))
            .map(|(pid, _)| *pid)
            .collect();
        assert_eq!(listed, [2]);
    }
}
