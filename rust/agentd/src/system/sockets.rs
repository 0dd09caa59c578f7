//! Ports and connections, from /proc/net. The tables are read line by line, because a busy machine has 10^5 of them and
//! only the rows that are shown are kept; a crate that returns a whole table would need tens of megabytes for it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use osmoda_types::api::agentd::system::{Connection, Port, Protocol};

use super::HostError;
use super::accounts::Accounts;
use super::first::First;
use super::holders::Holders;
use super::procfiles::ProcFiles;
use super::{cgroups, processes};
use crate::netlink::diag;

/// Listening ports, and what is known about all of them.
pub(super) struct Listening {
    pub(super) ports: Vec<Port>,
    pub(super) total: u64,
    /// Some ports have a process that we may not see.
    pub(super) hidden: bool,
}

/// One line of a table, in the order it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    uid: u32,
    inode: u64,
}

/// The first `limit` listening ports.
pub(super) fn ports(files: &mut ProcFiles, limit: usize) -> Result<Listening, HostError> {
    let accounts = Accounts::read()?;
    let mut first = First::new(limit);
    each_socket(|socket| {
        // A UDP socket has no state of its own for listening: it waits for anybody unless it is connected.
        let listening = match socket.protocol {
            Protocol::Tcp => LISTEN,
            Protocol::Udp => CLOSE,
        };
        if socket.state == listening {
            first.push(socket);
        }
    })?;
    let (mut sockets, rest) = first.into_rows();
    let holders = Holders::find(files, sockets.iter().map(|socket| socket.inode))?;
    sockets.sort_by_key(|socket| (socket.protocol, socket.local, holders.pid(socket.inode)));
    let units = if holders.hides_some() { units_of(&sockets, &holders) } else { HashMap::new() };
    let port = |socket: Socket| {
        let holder = holders.of(socket.inode);
        Port {
            protocol: socket.protocol,
            address: socket.local.ip().to_string(),
            port: socket.local.port(),
            pid: holder.pid,
            process: holder.process,
            user: accounts.name(socket.uid),
            pid_hidden: holder.hidden,
            unit: units.get(&socket.inode).cloned(),
        }
    };
    let mut ports: Vec<Port> = sockets.into_iter().map(port).collect();
    // Several sockets of one process on one port (SO_REUSEPORT) are one port.
    ports.dedup();
    Ok(Listening { total: ports.len() as u64 + rest, hidden: holders.hides_some(), ports })
}

/// The units of the sockets whose process is hidden, by inode: through the control group the socket was made in.
fn units_of(sockets: &[Socket], holders: &Holders) -> HashMap<u64, String> {
    let groups = diag::cgroups_of_listeners();
    let group_of = |socket: &Socket| {
        let hidden = holders.of(socket.inode).hidden;
        Some((socket.inode, *groups.get(&socket.inode).filter(|_| hidden)?))
    };
    let wanted: Vec<(u64, u64)> = sockets.iter().filter_map(group_of).collect();
    let paths = cgroups::paths_of(wanted.iter().map(|(_, group)| *group).collect());
    let unit = |(inode, group): (u64, u64)| Some((inode, processes::unit_of_path(paths.get(&group)?)?));
    wanted.into_iter().filter_map(unit).collect()
}

/// The first `limit` TCP connections by local and remote address, and how many there are.
pub(super) fn connections(files: &mut ProcFiles, limit: usize) -> Result<(Vec<Connection>, u64), HostError> {
    let accounts = Accounts::read()?;
    let mut first = First::new(limit);
    each_socket(|socket| {
        if socket.protocol == Protocol::Tcp && socket.state != LISTEN {
            first.push(socket);
        }
    })?;
    let (sockets, rest) = first.into_rows();
    let holders = Holders::find(files, sockets.iter().map(|socket| socket.inode))?;
    let connection = |socket: Socket| {
        let holder = holders.of(socket.inode);
        Connection {
            state: state(socket.state).to_owned(),
            local: socket.local.to_string(),
            remote: socket.remote.to_string(),
            pid: holder.pid,
            process: holder.process,
            user: accounts.name(socket.uid),
            pid_hidden: holder.hidden,
        }
    };
    let total = sockets.len() as u64 + rest;
    Ok((sockets.into_iter().map(connection).collect(), total))
}

/// The tables of our network namespace.
fn each_socket(mut visit: impl FnMut(Socket)) -> Result<(), HostError> {
    for (path, protocol) in [
        ("/proc/net/tcp", Protocol::Tcp),
        ("/proc/net/tcp6", Protocol::Tcp),
        ("/proc/net/udp", Protocol::Udp),
        ("/proc/net/udp6", Protocol::Udp),
    ] {
        match File::open(path) {
            Ok(table) => each_line(BufReader::with_capacity(64 * 1024, table), path, protocol, &mut visit)?,
            // A kernel without IPv6.
            Err(error) if error.kind() == ErrorKind::NotFound && path.ends_with('6') => {}
            Err(source) => return Err(HostError::Read { path: path.into(), source }),
        }
    }
    Ok(())
}

fn each_line(
    mut table: impl BufRead,
    path: &'static str,
    protocol: Protocol,
    visit: &mut impl FnMut(Socket),
) -> Result<(), HostError> {
    let mut line = String::new();
    let mut is_header = true;
    loop {
        line.clear();
        let read = table.read_line(&mut line);
        if read.map_err(|source| HostError::Read { path: path.into(), source })? == 0 {
            return Ok(());
        }
        if !std::mem::take(&mut is_header) {
            visit(parse(&line, protocol).ok_or(HostError::Shape { path: path.into() })?);
        }
    }
}

/// `0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 1000 0 12345 …` (proc_pid_net(5)).
fn parse(line: &str, protocol: Protocol) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace();
    let local = address(fields.nth(1)?)?;
    let remote = address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Socket { protocol, local, remote, state, uid, inode })
}

/// `0100007F:1F90`: groups of 32 bits, each in the machine's byte order, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let group = |at: usize| {
        let group = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(u128::from(u32::from_be_bytes(group.to_ne_bytes())))
    };
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(group(0)?).ok()?)),
        32 => {
            let bits = (0..4).try_fold(0, |bits, at| Some(bits << 32 | group(at)?))?;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// include/net/tcp_states.h.
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;

fn state(state: u8) -> &'static str {
    match state {
        1 => "established",
        2 => "syn_sent",
        3 => "syn_recv",
        4 => "fin_wait_1",
        5 => "fin_wait_2",
        6 => "time_wait",
        CLOSE => "close",
        8 => "close_wait",
        9 => "last_ack",
        LISTEN => "listen",
        11 => "closing",
        12 => "new_syn_recv",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as a little-endian kernel prints them.
    const LISTENING: &str = "   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1066 1 00000000e7f01732 100 0 0 10 0\n";
    const SIX: &str = "   1: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 06 00000000:00000000 03:00000A2B 00000000     0        0 0 3 0000000000000000\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_line_of_either_family_is_read() {
        let four = parse(LISTENING, Protocol::Tcp).unwrap();
        assert_eq!(four.local, "127.0.0.1:2024".parse().unwrap());
        assert_eq!((four.state, four.uid, four.inode), (LISTEN, 1000, 1066));
        let six = parse(SIX, Protocol::Tcp).unwrap();
        assert_eq!(six.local, "[2001:db8::1]:22".parse().unwrap());
        assert_eq!((state(six.state), six.inode), ("time_wait", 0));
    }

    #[test]
    fn a_line_that_is_none_is_an_error_and_no_panic() {
        for cut in 0..100 {
            assert_eq!(parse(&LISTENING[..cut.min(LISTENING.find("1066").unwrap())], Protocol::Tcp), None);
        }
        for bad in ["0100007F", "0100007F:", "01:02", "é100007F:1F90", "zz00007F:1F90", "0100007F:10000"] {
            assert_eq!(address(bad), None, "{bad}");
        }
        let table = "header\nno line\n".as_bytes();
        let read = each_line(table, "/proc/net/tcp", Protocol::Tcp, &mut |_| panic!("no socket"));
        assert!(matches!(read, Err(HostError::Shape { .. })));
    }

    #[test]
    fn of_a_hundred_thousand_sockets_only_the_asked_for_are_kept() {
        let mut table = String::from("header\n");
        for number in (0..100_000_u32).rev() {
            let line = format!(
                "0: {:08X}:{:04X} 0A00000A:01BB 01 0:0 0:0 0 0 0 {number} 1\n",
                number.to_be(),
                number % 65_536
            );
            table.push_str(&line);
        }
        let mut first = First::new(2);
        each_line(table.as_bytes(), "", Protocol::Tcp, &mut |socket| first.push(socket)).unwrap();
        let (rows, rest) = first.into_rows();
        assert_eq!(rows.iter().map(|row| row.inode).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(rest, 99_998);
    }
}
