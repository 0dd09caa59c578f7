//! Mounts and disks. A disk whose server does not answer is reported as hung and blocks nobody.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use osmoda_types::api::agentd::system::{Disk, Mount};
use procfs::process::{MountInfo, Process};

use super::HostError;
use super::machine::Shared;

/// How long a server behind a mount may take to say how full it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Every mount.
pub(super) fn mounts() -> Result<Vec<Mount>, HostError> {
    let mount = |info: MountInfo| Mount {
        mount: info.mount_point.to_string_lossy().into_owned(),
        source: info.mount_source.unwrap_or_default(),
        filesystem: info.fs_type,
        read_only: info.mount_options.contains_key("ro") || info.super_options.contains_key("ro"),
    };
    Ok(mount_table()?.into_iter().map(mount).collect())
}

/// What holds data: each device, pool or server once, at its shortest mount.
pub(super) async fn disks(shared: &Arc<Shared>) -> Result<Vec<Disk>, HostError> {
    let mut infos = mount_table()?;
    infos.retain(holds_data);
    infos.sort_by_key(|info| info.mount_point.as_os_str().len());
    let mut seen = HashSet::new();
    infos.retain(|info| seen.insert(info.majmin.clone()));
    let mut disks = Vec::new();
    for info in infos {
        let mut disk = Disk {
            mount: info.mount_point.to_string_lossy().into_owned(),
            source: info.mount_source.unwrap_or_default(),
            filesystem: info.fs_type,
            total_bytes: 0,
            used_bytes: 0,
            available_bytes: 0,
            hung: false,
        };
        let sizes =
            if is_remote(&disk.filesystem) { ask(shared, &disk.mount).await } else { sizes(&disk.mount) };
        match sizes {
            // Not for our eyes, or gone by now.
            Sizes::Unknown => continue,
            Sizes::Hung => disk.hung = true,
            Sizes::Known { total, free, available } => {
                (disk.total_bytes, disk.used_bytes, disk.available_bytes) =
                    (total, total.saturating_sub(free), available);
            }
        }
        disks.push(disk);
    }
    Ok(disks)
}

enum Sizes {
    Known { total: u64, free: u64, available: u64 },
    Hung,
    Unknown,
}

fn sizes(mount: &str) -> Sizes {
    match rustix::fs::statvfs(mount) {
        Ok(stat) if stat.f_blocks > 0 => Sizes::Known {
            total: stat.f_blocks * stat.f_frsize,
            free: stat.f_bfree * stat.f_frsize,
            available: stat.f_bavail * stat.f_frsize,
        },
        _ => Sizes::Unknown,
    }
}

/// Asks on a thread of its own; a mount that still hangs from an earlier question is not asked again.
async fn ask(shared: &Arc<Shared>, mount: &str) -> Sizes {
    let hanging =
        |shared: &Shared| shared.hanging.lock().expect("nothing panics while it holds this lock").clone();
    if hanging(shared).contains(mount) {
        return Sizes::Hung;
    }
    let (shared, mount) = (shared.clone(), mount.to_owned());
    let asking = tokio::task::spawn_blocking(move || {
        let mark = || shared.hanging.lock().expect("nothing panics while it holds this lock");
        mark().insert(mount.clone());
        let answer = sizes(&mount);
        mark().remove(&mount);
        answer
    });
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer.unwrap_or(Sizes::Unknown),
        Err(_) => Sizes::Hung,
    }
}

fn mount_table() -> Result<Vec<MountInfo>, HostError> {
    Ok(Process::myself()?.mountinfo()?.0)
}

fn holds_data(info: &MountInfo) -> bool {
    let from_device = info.mount_source.as_deref().is_some_and(|source| source.starts_with('/'));
    // A loop device or an image that is packed to be read only is never fuller than now.
    let packed = matches!(info.fs_type.as_str(), "squashfs" | "erofs" | "iso9660");
    !packed
        && (from_device
            || is_remote(&info.fs_type)
            || matches!(info.fs_type.as_str(), "overlay" | "zfs" | "btrfs" | "bcachefs"))
}

fn is_remote(filesystem: &str) -> bool {
    let name = filesystem.split('.').next().unwrap_or_default();
    matches!(
        name,
        "nfs"
            | "nfs4"
            | "cifs"
            | "smb3"
            | "fuse"
            | "9p"
            | "virtiofs"
            | "ceph"
            | "glusterfs"
            | "afs"
            | "lustre"
    )
}
