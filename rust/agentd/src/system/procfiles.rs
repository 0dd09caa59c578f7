//! Small files of processes, read through one open folder into one buffer. A process may end at any moment: then there
//! is nothing to read.

use std::mem::MaybeUninit;

use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw, statat};
use rustix::io::Errno;

use super::HostError;

/// /proc, held open.
pub(super) struct ProcFiles {
    root: rustix::fd::OwnedFd,
    buffer: Vec<u8>,
}

/// As much of a file as is read; a command line may be longer.
const MOST_BYTES: usize = 4096;

impl ProcFiles {
    pub(super) fn open() -> Result<Self, HostError> {
        let root = openat(CWD, "/proc", FOLDER, Mode::empty()).map_err(unreadable)?;
        Ok(Self { root, buffer: vec![0; MOST_BYTES] })
    }

    /// Every process there is right now, by pid.
    pub(super) fn pids(&self) -> Result<Vec<u32>, HostError> {
        let mut pids: Vec<u32> = Vec::new();
        for entry in Dir::read_from(&self.root).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            pids.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// The first 4 KiB of a file of a process.
    pub(super) fn read(&mut self, pid: u32, file: &str) -> Option<&[u8]> {
        let path = format!("{pid}/{file}");
        let opened =
            openat(&self.root, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut filled = 0;
        while filled < self.buffer.len() {
            // A process that ends while its file is read is ESRCH.
            match rustix::io::read(&opened, &mut self.buffer[filled..]).ok()? {
                0 => break,
                more => filled += more,
            }
        }
        Some(&self.buffer[..filled])
    }

    /// What the kernel calls its program, at most 15 bytes.
    pub(super) fn name(&mut self, pid: u32) -> Option<String> {
        let text = self.read(pid, "comm")?;
        Some(String::from_utf8_lossy(text).trim_end_matches('\n').to_owned())
    }

    /// The user it acts as: the folder of a process belongs to its effective user, whatever it is allowed to dump.
    pub(super) fn uid(&self, pid: u32) -> Option<u32> {
        statat(&self.root, pid.to_string().as_str(), rustix::fs::AtFlags::empty())
            .ok()
            .map(|stat| stat.st_uid)
    }

    /// The inodes of its sockets.
    ///
    /// # Errors
    /// `EACCES` for a process that is not ours to look into, `ENOENT` or `ESRCH` for one that ended.
    pub(super) fn sockets(&self, pid: u32, mut found: impl FnMut(u64)) -> Result<(), Errno> {
        let files = openat(&self.root, format!("{pid}/fd").as_str(), FOLDER, Mode::empty())?;
        for entry in Dir::read_from(&files)? {
            let entry = entry?;
            let mut target = [MaybeUninit::uninit(); 64];
            // A file that was closed meanwhile is none of the sockets we look for.
            match readlinkat_raw(&files, entry.file_name(), &mut target) {
                Ok((link, _)) => socket_of(link).into_iter().for_each(&mut found),
                Err(Errno::ACCESS) => return Err(Errno::ACCESS),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn unreadable(error: Errno) -> HostError {
    HostError::Read { path: "/proc".into(), source: error.into() }
}

/// The inode in `socket:[123]`.
fn socket_of(link: &[u8]) -> Option<u64> {
    std::str::from_utf8(link).ok()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_has_no_files() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        let mut files = ProcFiles::open().unwrap();
        assert!(!files.pids().unwrap().contains(&pid));
        assert_eq!(files.read(pid, "stat"), None);
        assert_eq!((files.name(pid), files.uid(pid)), (None, None));
        assert!(files.sockets(pid, |_| panic!("a socket of nobody")).is_err());
    }

    #[test]
    fn our_own_files_are_read() {
        let mut files = ProcFiles::open().unwrap();
        let ours = std::process::id();
        assert!(files.pids().unwrap().contains(&ours));
        assert!(files.read(ours, "stat").unwrap().starts_with(ours.to_string().as_bytes()));
        assert_eq!(files.uid(ours), Some(rustix::process::geteuid().as_raw()));
    }

    #[test]
    fn only_a_socket_is_a_socket() {
        assert_eq!(socket_of(b"socket:[123]"), Some(123));
        for other in [&b"pipe:[123]"[..], b"socket:[]", b"socket:[1", b"/tmp/socket:[1]", b"\xff"] {
            assert_eq!(socket_of(other), None);
        }
    }
}
