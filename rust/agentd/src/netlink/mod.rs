//! Asking the kernel over netlink (netlink(7)): one request, a stream of answers, attributes in each. Written here because
//! three dumps need no crate; every length is checked, since the other side may be any kernel.

pub(crate) mod diag;
pub(crate) mod route;

use std::ops::ControlFlow;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// The kernel answers at once; this is for a defect.
const PATIENCE: Duration = Duration::from_secs(2);
/// The kernel fills datagrams of a dump up to this size.
const DATAGRAM: usize = 32 * 1024;

/// A socket to one part of the kernel.
pub(crate) struct Netlink {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Netlink {
    /// Opens a socket; no protocol is the one of routes.
    pub(crate) fn open(protocol: Option<Protocol>) -> Result<Self, Errno> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM] })
    }

    /// Sends a request for everything of a kind; each answer's body goes to `visit` until it has enough.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        body: &[u8],
        mut visit: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        let length = u32::try_from(HEADER + body.len()).map_err(|_| Errno::MSGSIZE)?;
        let mut request = Vec::with_capacity(HEADER + body.len());
        request.extend(length.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend((REQUEST | DUMP).to_ne_bytes());
        request.extend([0; 8]);
        request.extend(body);
        sendto(&self.socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        loop {
            let (_, length) = recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC)?;
            let datagram = self.buffer.get(..length).ok_or(Errno::MSGSIZE)?;
            for (kind, body) in messages(datagram) {
                match kind {
                    DONE => return Ok(()),
                    ERROR => return Err(refusal(body)),
                    _ if visit(body).is_break() => return Ok(()),
                    _ => {}
                }
            }
        }
    }
}

/// `struct nlmsghdr`: length, kind, flags, sequence number, port.
const HEADER: usize = 16;
/// NLM_F_REQUEST and NLM_F_DUMP of linux/netlink.h.
const REQUEST: u16 = 0x001;
const DUMP: u16 = 0x300;
/// NLMSG_ERROR and NLMSG_DONE.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// The messages of one datagram as kind and body; a length that does not fit ends them.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let kind = u16_at(rest, 4)?;
        let body = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// The attributes in the rest of a message as kind and value; a length that does not fit ends them.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & KIND;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const KIND: u16 = 0x3fff;

/// `struct nlmsgerr` begins with a negative errno.
fn refusal(body: &[u8]) -> Errno {
    let number = u32_at(body, 0).map_or(0, |number| number.cast_signed().saturating_neg());
    if number > 0 { Errno::from_raw_os_error(number) } else { Errno::PROTO }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_that_does_not_fit_ends_the_messages() {
        let message = |length: u32| [&length.to_ne_bytes()[..], &[5, 0, 0, 0], &[0; 8], &[7; 4]].concat();
        let mut two = message(20);
        two.extend(message(20));
        assert_eq!(messages(&two).collect::<Vec<_>>(), [(5, &[7; 4][..]), (5, &[7; 4])]);
        for bad in [0, 15, 21, u32::MAX] {
            assert_eq!(messages(&message(bad)).count(), 0, "{bad}");
        }
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[5, 0, 1, 0x80, 9]).collect::<Vec<_>>(), [(1, &[9][..])]);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for (_, body) in messages(&bytes) {
                let _ = (refusal(body), attributes(body).count());
            }
            prop_assert!(attributes(&bytes).count() <= bytes.len() / 4);
        }
    }
}
