//! Control groups of version 2: what each uses, and which one a number means.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};

use osmoda_types::api::agentd::kernel::Cgroup;

use super::{HostError, mounts};

/// Groups that are looked at; a machine of containers has some thousand.
const MOST: usize = 20_000;

/// Every group, the most memory first; then by path.
pub(super) fn cgroups() -> Result<Vec<Cgroup>, HostError> {
    let root = root()?.ok_or(HostError::NoCgroups)?;
    let mut all = Vec::new();
    walk(&root, |path, _| {
        all.push(cgroup(&root, path));
        true
    });
    all.sort_by(|a, b| b.memory_bytes.cmp(&a.memory_bytes).then_with(|| a.path.cmp(&b.path)));
    Ok(all)
}

/// The paths of the groups with these numbers: a group's number is the inode of its folder.
pub(super) fn paths_of(mut wanted: HashSet<u64>) -> HashMap<u64, String> {
    let mut found = HashMap::new();
    let Ok(Some(root)) = root() else { return found };
    walk(&root, |path, inode| {
        if wanted.remove(&inode) {
            found.insert(inode, shown(&root, path));
        }
        !wanted.is_empty()
    });
    found
}

/// Where version 2 is mounted; beside version 1 it has its own folder.
fn root() -> Result<Option<PathBuf>, HostError> {
    Ok(mounts::mounted()?
        .into_iter()
        .find(|mounted| mounted.filesystem == "cgroup2")
        .map(|mounted| mounted.point))
}

/// Every folder below the root, parents first, until `visit` has enough.
fn walk(root: &Path, mut visit: impl FnMut(&Path, u64) -> bool) {
    let mut left = vec![root.to_owned()];
    let mut seen = 0;
    while let Some(folder) = left.pop() {
        // A group that ends meanwhile has no children.
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            seen += 1;
            let path = entry.path();
            if seen > MOST || !visit(&path, entry.ino()) {
                return;
            }
            left.push(path);
        }
    }
}

fn shown(root: &Path, path: &Path) -> String {
    format!("/{}", path.strip_prefix(root).unwrap_or(path).display())
}

fn cgroup(root: &Path, path: &Path) -> Cgroup {
    let number = |file: &str| fs::read_to_string(path.join(file)).ok()?.trim().parse::<u64>().ok();
    let cpu = fs::read_to_string(path.join("cpu.stat")).ok();
    let cpu = cpu.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("usage_usec ")));
    Cgroup {
        path: shown(root, path),
        memory_bytes: number("memory.current"),
        // `max` is no limit and no number.
        memory_limit_bytes: number("memory.max"),
        cpu_usec: cpu.map(|usec| usec.trim().to_owned()),
        tasks: number("pids.current"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_number_is_the_folder_with_that_inode() {
        let Ok(Some(root)) = root() else { return };
        let mut folders = Vec::new();
        walk(&root, |path, inode| {
            folders.push((path.to_owned(), inode));
            folders.len() < 3
        });
        for (path, inode) in folders {
            assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
            assert_eq!(paths_of(HashSet::from([inode])).get(&inode), Some(&shown(&root, &path)));
        }
        assert!(paths_of(HashSet::from([u64::MAX])).is_empty());
    }

    #[test]
    fn a_group_says_what_it_uses() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.slice/b.service");
        fs::create_dir_all(&path).unwrap();
        for (file, text) in [
            ("memory.current", "4096\n"),
            ("memory.max", "max\n"),
            ("cpu.stat", "usage_usec 77\nuser_usec 7\n"),
        ] {
            fs::write(path.join(file), text).unwrap();
        }
        let group = cgroup(root.path(), &path);
        assert_eq!(
            (group.path.as_str(), group.memory_bytes, group.memory_limit_bytes),
            ("/a.slice/b.service", Some(4096), None)
        );
        assert_eq!((group.cpu_usec.as_deref(), group.tasks), (Some("77"), None));
        let mut seen = Vec::new();
        walk(root.path(), |path, _| {
            seen.push(shown(root.path(), path));
            true
        });
        assert_eq!(seen, ["/a.slice", "/a.slice/b.service"]);
    }
}
