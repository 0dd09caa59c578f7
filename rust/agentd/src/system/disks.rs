//! How full the disks are. Each is asked on a thread of its own, because nothing takes back the question from a server
//! that does not answer: such a disk is reported as hung, blocks nobody and is not asked again before it answered.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use osmoda_types::api::agentd::system::Disk;
use tokio::sync::mpsc;

use super::HostError;
use super::mounts::{Mounted, mounted};

/// How long a disk may take to say how full it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// The question to a file system; statvfs(3) but in tests.
type Ask = fn(&Path) -> Option<Sizes>;

/// Asks disks.
pub(super) struct Disks {
    ask: Ask,
    patience: Duration,
    /// One round at a time: a disk that is being asked for somebody else is not hung.
    round: tokio::sync::Mutex<()>,
    /// Mounts that were asked and did not answer yet.
    waiting: Arc<Mutex<HashSet<PathBuf>>>,
}

#[derive(Clone, Copy)]
struct Sizes {
    total: u64,
    free: u64,
    available: u64,
}

impl Default for Disks {
    fn default() -> Self {
        Self { ask: statvfs, patience: PATIENCE, round: Default::default(), waiting: Default::default() }
    }
}

impl Disks {
    /// What holds data, by mount point. A disk that is not ours to look at is left out.
    pub(super) async fn ask(&self) -> Result<Vec<Disk>, HostError> {
        Ok(self.ask_all(disks_of(mounted()?)).await)
    }

    async fn ask_all(&self, disks: Vec<Mounted>) -> Vec<Disk> {
        let _round = self.round.lock().await;
        let (answer, mut answers) = mpsc::unbounded_channel();
        // A disk that says nothing is hung until it says that it knows nothing.
        let mut sizes: Vec<Result<Option<Sizes>, Hung>> = disks.iter().map(|_| Err(Hung)).collect();
        for (at, disk) in disks.iter().enumerate() {
            if lock(&self.waiting).insert(disk.point.clone()) && !self.ask_one(at, &disk.point, &answer) {
                lock(&self.waiting).remove(&disk.point);
                sizes[at] = Ok(None);
            }
        }
        drop(answer);
        let collect = async {
            while let Some((at, answer)) = answers.recv().await {
                sizes[at] = Ok(answer);
            }
        };
        // Late answers only clear the mark.
        let _ = tokio::time::timeout(self.patience, collect).await;
        disks.into_iter().zip(sizes).filter_map(|(disk, sizes)| shown(disk, sizes)).collect()
    }

    /// Whether there was a thread to ask on.
    fn ask_one(
        &self,
        at: usize,
        point: &Path,
        answer: &mpsc::UnboundedSender<(usize, Option<Sizes>)>,
    ) -> bool {
        let (ask, waiting) = (self.ask, self.waiting.clone());
        let (point, answer) = (point.to_owned(), answer.clone());
        let asking = move || {
            let sizes = ask(&point);
            lock(&waiting).remove(&point);
            // Nobody listens any more to an answer that comes late.
            let _ = answer.send((at, sizes));
        };
        std::thread::Builder::new().name("disk".into()).stack_size(STACK_BYTES).spawn(asking).is_ok()
    }
}

/// One system call deep.
const STACK_BYTES: usize = 64 * 1024;

struct Hung;

fn shown(disk: Mounted, sizes: Result<Option<Sizes>, Hung>) -> Option<Disk> {
    let hung = sizes.is_err();
    let sizes = match sizes {
        Ok(sizes) => sizes?,
        Err(Hung) => Sizes { total: 0, free: 0, available: 0 },
    };
    Some(Disk {
        mount: disk.point.to_string_lossy().into_owned(),
        source: disk.source,
        filesystem: disk.filesystem,
        total_bytes: sizes.total,
        used_bytes: sizes.total.saturating_sub(sizes.free),
        available_bytes: sizes.available,
        hung,
    })
}

/// `None` for what has no size or is gone by now.
fn statvfs(point: &Path) -> Option<Sizes> {
    let stat = rustix::fs::statvfs(point).ok().filter(|stat| stat.f_blocks > 0)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Sizes { total: bytes(stat.f_blocks), free: bytes(stat.f_bfree), available: bytes(stat.f_bavail) })
}

/// Each device, pool or server once, at its shortest mount.
fn disks_of(mut mounts: Vec<Mounted>) -> Vec<Mounted> {
    mounts.retain(holds_data);
    mounts.sort_by(|a, b| (a.point.as_os_str().len(), &a.point).cmp(&(b.point.as_os_str().len(), &b.point)));
    let mut seen = HashSet::new();
    mounts.retain(|mounted| seen.insert(mounted.device.clone()));
    mounts.sort_by(|a, b| a.point.cmp(&b.point));
    mounts
}

fn holds_data(mounted: &Mounted) -> bool {
    if mounted.point == Path::new("/") {
        return true;
    }
    // Image formats that are always full.
    let packed = ["squashfs", "erofs", "iso9660", "cramfs"].contains(&mounted.filesystem.as_str());
    let name = mounted.filesystem.split('.').next().unwrap_or_default();
    !packed && (mounted.source.starts_with('/') || WITHOUT_DEVICE.contains(&name))
}

/// File systems that hold data though no device is named: pools, layers, servers. Of FUSE, those that only mirror
/// something say that they have no blocks.
const WITHOUT_DEVICE: &[&str] = &[
    "9p",
    "afs",
    "bcachefs",
    "btrfs",
    "ceph",
    "cifs",
    "fuse",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "overlay",
    "smb3",
    "virtiofs",
    "zfs",
];

fn lock(waiting: &Mutex<HashSet<PathBuf>>) -> MutexGuard<'_, HashSet<PathBuf>> {
    waiting.lock().expect("nothing panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn mount(point: &str, device: &str, filesystem: &str, source: &str) -> Mounted {
        Mounted {
            point: point.into(),
            device: device.into(),
            source: source.into(),
            filesystem: filesystem.into(),
            read_only: false,
        }
    }

    #[test]
    fn a_disk_is_what_holds_data_once_at_its_shortest_mount() {
        let disks = disks_of(vec![
            mount("/", "0:30", "tmpfs", "tmpfs"),
            mount("/proc", "0:4", "proc", "proc"),
            mount("/nix/store", "254:1", "ext4", "/dev/vda1"),
            mount("/nix", "254:1", "ext4", "/dev/vda1"),
            mount("/run", "0:31", "tmpfs", "tmpfs"),
            mount("/snap/core", "7:1", "squashfs", "/dev/loop1"),
            mount("/srv", "0:50", "nfs4", "host:/srv"),
            mount("/home/ann/x", "0:51", "fuse.sshfs", "ann@host:"),
            mount("/tank", "0:52", "zfs", "tank"),
        ]);
        let points: Vec<_> = disks.iter().map(|disk| disk.point.to_str().unwrap()).collect();
        assert_eq!(points, ["/", "/home/ann/x", "/nix", "/srv", "/tank"]);
    }

    #[tokio::test]
    async fn the_root_has_a_size() {
        let disks = Disks::default().ask().await.unwrap();
        let root = disks.iter().find(|disk| disk.mount == "/").unwrap();
        assert!(root.total_bytes >= root.used_bytes && root.total_bytes > root.available_bytes && !root.hung);
    }

    static OPENED: AtomicUsize = AtomicUsize::new(0);

    /// Opening a FIFO waits for the other end as a dead NFS server lets wait.
    fn open_where_a_fifo(point: &Path) -> Option<Sizes> {
        if point.metadata().ok()?.file_type().is_fifo() {
            OPENED.fetch_add(1, Ordering::SeqCst);
            std::fs::File::open(point).ok()?;
        }
        Some(Sizes { total: 10, free: 4, available: 3 })
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_hung_until_it_does_and_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let disks =
            Disks { ask: open_where_a_fifo, patience: Duration::from_millis(100), ..Disks::default() };
        let all = || {
            vec![
                mount(fifo.to_str().unwrap(), "0:1", "nfs", "dead:/"),
                mount(dir.path().to_str().unwrap(), "8:1", "ext4", "/dev/sda"),
            ]
        };
        let first = disks.ask_all(all()).await;
        assert_eq!(
            first.iter().map(|disk| (disk.hung, disk.used_bytes)).collect::<Vec<_>>(),
            [(true, 0), (false, 6)]
        );
        assert!(disks.ask_all(all()).await[0].hung);
        assert_eq!(OPENED.load(Ordering::SeqCst), 1, "it was asked again before it answered");

        std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
        while !lock(&disks.waiting).is_empty() {
            tokio::task::yield_now().await;
        }
        let end = fifo.clone();
        let writer = std::thread::spawn(move || std::fs::OpenOptions::new().write(true).open(end).map(drop));
        let again = disks.ask_all(vec![all().remove(0)]).await;
        writer.join().unwrap().unwrap();
        assert!(!again[0].hung && again[0].used_bytes == 6);
    }
}
