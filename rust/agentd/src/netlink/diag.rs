//! Which control group each listening socket was made in (sock_diag(7)). The kernel tells that to everybody, while it
//! shows the files of a process only to its user.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rustix::io::Errno;
use rustix::net::netlink::SOCK_DIAG;

use super::{Netlink, attributes, u32_at, u64_at};

/// The control group of each listening socket, by the socket's inode.
pub(crate) fn cgroups_of_listeners() -> HashMap<u64, u64> {
    let mut found = HashMap::new();
    for (family, protocol, states) in [
        (INET, TCP, 1 << LISTEN),
        (INET6, TCP, 1 << LISTEN),
        (INET, UDP, 1 << CLOSE),
        (INET6, UDP, 1 << CLOSE),
    ] {
        // A kernel without one of them still has the others.
        if let Err(error) = dump(family, protocol, states, &mut found) {
            tracing::debug!(family, protocol, %error, "the kernel does not tell of its sockets");
        }
    }
    found
}

fn dump(family: u8, protocol: u8, states: u32, found: &mut HashMap<u64, u64>) -> Result<(), Errno> {
    // struct inet_diag_req_v2: family, protocol, extensions, padding, states, and 48 bytes of an id that all match.
    let mut request = vec![family, protocol, 0, 0];
    request.extend(states.to_ne_bytes());
    request.resize(56, 0);
    Netlink::open(Some(SOCK_DIAG))?.dump(BY_FAMILY, &request, |body| {
        found.extend(parse(body));
        if found.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

/// Inode and control group of one `struct inet_diag_msg` (72 bytes) and its attributes.
fn parse(body: &[u8]) -> Option<(u64, u64)> {
    let inode = u32_at(body, 68)?;
    let cgroup = attributes(body.get(72..)?).find(|(kind, _)| *kind == CGROUP_ID)?;
    Some((inode.into(), u64_at(cgroup.1, 0)?))
}

/// A machine with more listeners is answered in part.
const MOST: usize = 100_000;
/// SOCK_DIAG_BY_FAMILY of linux/sock_diag.h, INET_DIAG_CGROUP_ID of linux/inet_diag.h.
const BY_FAMILY: u16 = 20;
const CGROUP_ID: u16 = 21;
const INET: u8 = 2;
const INET6: u8 = 10;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// include/net/tcp_states.h.
const CLOSE: u32 = 7;
const LISTEN: u32 = 10;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::fd::AsFd;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_own_listeners_are_in_a_group() {
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let inode = |socket: std::os::fd::BorrowedFd<'_>| rustix::fs::fstat(socket).unwrap().st_ino;
        let found = cgroups_of_listeners();
        assert!(found.contains_key(&inode(tcp.as_fd())), "{found:?}");
        // udp_diag is a module that some kernels do not have.
        if let Some(group) = found.get(&inode(udp.as_fd())) {
            assert_eq!(Some(group), found.get(&inode(tcp.as_fd())));
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_is_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
