//! One packet each way on a SEQPACKET socket: JSON, and descriptors beside it. What is longer than a packet travels in a
//! memory file.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::cmsg_space;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Longest packet; well below the default send buffer.
const PACKET: usize = 64 * 1024;
/// Longest message in a memory file.
const MOST: u64 = 32 << 20;
/// Descriptors beside a message.
const MOST_FDS: usize = 4;
/// A packet of this alone: the message is in the last descriptor.
const ELSEWHERE: &[u8] = b"@";

/// Sends one message.
pub(crate) async fn send(
    socket: &UnixStream,
    message: &impl Serialize,
    mut given: Vec<OwnedFd>,
) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(message)?;
    if bytes.len() > PACKET {
        given.push(memory_file(&bytes)?);
        bytes = ELSEWHERE.to_vec();
    }
    let send = || {
        let fds: Vec<_> = given.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FDS))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(sendmsg(socket, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL)?)
    };
    socket.async_io(Interest::WRITABLE, send).await.map(drop)
}

/// Receives one message; None when the other side is gone.
pub(crate) async fn receive<T: DeserializeOwned>(
    socket: &UnixStream,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let receive = || {
        let mut bytes = vec![0; PACKET];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST_FDS))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        let mut given = Vec::new();
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                given.extend(fds);
            }
        }
        if got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        bytes.truncate(got.bytes);
        Ok((bytes, given))
    };
    let (mut bytes, mut given) = socket.async_io(Interest::READABLE, receive).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes == ELSEWHERE {
        let file = given.pop().ok_or(io::ErrorKind::InvalidData)?;
        bytes.clear();
        File::from(file).take(MOST).read_to_end(&mut bytes)?;
    }
    Ok(Some((serde_json::from_slice(&bytes)?, given)))
}

/// A file in memory that holds the bytes, to be read from its beginning: what travels beside a verb.
///
/// # Errors
/// When the system gives no memory or no descriptor.
pub fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("osmoda", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}
