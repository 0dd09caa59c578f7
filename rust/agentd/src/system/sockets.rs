//! Ports and connections, joined with the processes that hold them in one walk over /proc/*/fd.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind::PermissionDenied;
use std::net::SocketAddr;

use osmoda_types::api::agentd::system::{Connection, Port, Protocol};
use procfs::net::{TcpState, UdpState, tcp, tcp6, udp, udp6};

use super::HostError;
use super::accounts::Accounts;
use super::processes;

/// Which process holds which socket.
#[derive(Debug, Default)]
struct Holders {
    by_inode: HashMap<u64, u32>,
    names: HashMap<u32, String>,
    /// Some processes did not let us look.
    hidden: bool,
}

/// Every listening port in a fixed order, and whether some holders are hidden from us.
pub(super) fn ports() -> Result<(Vec<Port>, bool), HostError> {
    let accounts = Accounts::read()?;
    let mut found: Vec<(Protocol, SocketAddr, u64, u32)> = Vec::new();
    for entry in
        tcp()?.into_iter().chain(tcp6().unwrap_or_default()).filter(|entry| entry.state == TcpState::Listen)
    {
        found.push((Protocol::Tcp, entry.local_address, entry.inode, entry.uid));
    }
    // A UDP socket has no state of its own for listening: it waits for anybody unless it is connected.
    for entry in
        udp()?.into_iter().chain(udp6().unwrap_or_default()).filter(|entry| entry.state == UdpState::Close)
    {
        found.push((Protocol::Udp, entry.local_address, entry.inode, entry.uid));
    }
    let mut holders = Holders::find(found.iter().map(|(_, _, inode, _)| *inode));
    let port = |(protocol, local, inode, uid): (Protocol, SocketAddr, u64, u32)| {
        let pid = holders.by_inode.get(&inode).copied();
        let process = pid.and_then(|pid| name(&mut holders.names, pid));
        Port {
            protocol,
            address: local.ip().to_string(),
            port: local.port(),
            pid,
            process,
            user: accounts.name(uid),
        }
    };
    let mut ports: Vec<Port> = found.into_iter().map(port).collect();
    ports.sort();
    ports.dedup();
    Ok((ports, holders.hidden))
}

/// The first `limit` TCP connections, by local and remote address.
pub(super) fn connections(limit: usize) -> Result<Vec<Connection>, HostError> {
    let accounts = Accounts::read()?;
    let mut entries: Vec<_> = tcp()?.into_iter().chain(tcp6().unwrap_or_default()).collect();
    entries.retain(|entry| entry.state != TcpState::Listen);
    entries.sort_by_key(|entry| (entry.local_address, entry.remote_address));
    entries.truncate(limit);
    let mut holders = Holders::find(entries.iter().map(|entry| entry.inode));
    let connection = |entry: procfs::net::TcpNetEntry| {
        let pid = holders.by_inode.get(&entry.inode).copied();
        Connection {
            state: state(&entry.state).to_owned(),
            local: entry.local_address.to_string(),
            remote: entry.remote_address.to_string(),
            pid,
            process: pid.and_then(|pid| name(&mut holders.names, pid)),
            user: accounts.name(entry.uid),
        }
    };
    Ok(entries.into_iter().map(connection).collect())
}

impl Holders {
    /// Looks for the holders of these sockets; 0 is a socket that nobody holds any more.
    fn find(inodes: impl Iterator<Item = u64>) -> Self {
        let mut wanted: HashMap<u64, Option<u32>> =
            inodes.filter(|inode| *inode != 0).map(|inode| (inode, None)).collect();
        let mut hidden = false;
        let mut missing = wanted.len();
        for pid in processes::pids() {
            if missing == 0 {
                break;
            }
            match fs::read_dir(format!("/proc/{pid}/fd")) {
                Err(error) => hidden |= error.kind() == PermissionDenied,
                Ok(files) => {
                    for file in files.flatten() {
                        let inode = match fs::read_link(file.path()) {
                            Ok(link) => socket_of(&link),
                            Err(error) => {
                                hidden |= error.kind() == PermissionDenied;
                                None
                            }
                        };
                        if let Some(holder @ None) = inode.and_then(|inode| wanted.get_mut(&inode)) {
                            *holder = Some(pid);
                            missing -= 1;
                        }
                    }
                }
            }
        }
        let by_inode = wanted.into_iter().filter_map(|(inode, pid)| Some((inode, pid?))).collect();
        Self { by_inode, names: HashMap::new(), hidden: hidden && missing > 0 }
    }
}

fn name(names: &mut HashMap<u32, String>, pid: u32) -> Option<String> {
    if let Some(known) = names.get(&pid) {
        return Some(known.clone());
    }
    let name = processes::name(pid)?;
    names.insert(pid, name.clone());
    Some(name)
}

/// The inode in `socket:[123]`.
fn socket_of(link: &std::path::Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn state(state: &TcpState) -> &'static str {
    match state {
        TcpState::Established => "established",
        TcpState::SynSent => "syn_sent",
        TcpState::SynRecv => "syn_recv",
        TcpState::FinWait1 => "fin_wait_1",
        TcpState::FinWait2 => "fin_wait_2",
        TcpState::TimeWait => "time_wait",
        TcpState::Close => "close",
        TcpState::CloseWait => "close_wait",
        TcpState::LastAck => "last_ack",
        TcpState::Listen => "listen",
        TcpState::Closing => "closing",
        TcpState::NewSynRecv => "new_syn_recv",
    }
}
