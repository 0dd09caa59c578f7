//! Which process holds which socket, found in one walk over /proc/*/fd.

use std::collections::HashMap;

use rustix::io::Errno;

use super::HostError;
use super::procfiles::ProcFiles;

/// The holders of some sockets.
pub(super) struct Holders {
    by_inode: HashMap<u64, Option<u32>>,
    names: HashMap<u32, String>,
    /// Some process did not let us look.
    hidden: bool,
}

/// Who holds one socket.
pub(super) struct Holder {
    pub(super) pid: Option<u32>,
    pub(super) process: Option<String>,
    pub(super) hidden: bool,
}

impl Holders {
    /// Looks for the holders of these sockets; of several, the lowest pid, which is the parent of its workers.
    pub(super) fn find(files: &mut ProcFiles, inodes: impl Iterator<Item = u64>) -> Result<Self, HostError> {
        // 0 is a socket that nobody holds any more, or nobody accepted yet.
        let mut by_inode: HashMap<u64, Option<u32>> =
            inodes.filter(|inode| *inode != 0).map(|inode| (inode, None)).collect();
        let mut missing = by_inode.len();
        let mut hidden = false;
        for pid in files.pids()? {
            if missing == 0 {
                break;
            }
            let looked = files.sockets(pid, |inode| {
                if let Some(holder @ None) = by_inode.get_mut(&inode) {
                    *holder = Some(pid);
                    missing -= 1;
                }
            });
            hidden |= matches!(looked, Err(Errno::ACCESS | Errno::PERM));
        }
        let mut names = HashMap::new();
        for pid in by_inode.values().flatten() {
            if !names.contains_key(pid)
                && let Some(name) = files.name(*pid)
            {
                names.insert(*pid, name);
            }
        }
        Ok(Self { by_inode, names, hidden })
    }

    pub(super) fn pid(&self, inode: u64) -> Option<u32> {
        self.by_inode.get(&inode).copied().flatten()
    }

    pub(super) fn of(&self, inode: u64) -> Holder {
        let pid = self.pid(inode);
        let process = pid.and_then(|pid| self.names.get(&pid).cloned());
        Holder { pid, process, hidden: self.hidden && pid.is_none() && inode != 0 }
    }

    /// Whether some of the sockets may have a holder that is hidden from us.
    pub(super) fn hides_some(&self) -> bool {
        self.hidden && self.by_inode.values().any(Option::is_none)
    }
}
