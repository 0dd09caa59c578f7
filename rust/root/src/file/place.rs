//! Which path may be used how, and opening it without ever following a link.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use osmoda_types::{Code, Problem};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, statat};
use rustix::io::Errno;

use super::{Looks, Seen, failed};

/// Declared roots and protected trees.
#[derive(Clone, Debug)]
pub struct Places {
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    protected: Vec<PathBuf>,
}

/// What a path is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Write,
}

/// Never read or written through file tools, wherever the roots lie: who may decide and what runs as root.
const PROTECTED: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/boot",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/passwd",
    "/etc/group",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/doas.conf",
    "/etc/pam.d",
    "/etc/pam.conf",
    "/etc/security",
    "/etc/ssh",
    "/etc/ld.so.preload",
    "/etc/systemd",
    "/usr/lib/systemd",
    "/usr/local/lib/systemd",
    "/lib/systemd",
    "/etc/osmoda",
    "/etc/credstore",
    "/etc/credstore.encrypted",
    "/var/lib/systemd",
    "/var/lib/osmoda",
    "/var/backups/osmoda",
    "/var/spool/cron",
    "/etc/crontab",
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/anacrontab",
    "/etc/init.d",
    "/etc/rc.local",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/environment",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/modprobe.d",
    "/etc/modules",
    "/etc/modules-load.d",
    "/etc/udev",
    "/etc/polkit-1",
    "/etc/dbus-1",
    "/etc/apparmor.d",
    "/etc/apt",
    "/etc/logrotate.d",
    "/etc/update-motd.d",
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/nftables.conf",
];

/// Folders and files of keys, in whoever's home.
const PROTECTED_NAMES: &[&str] = &[".ssh", ".gnupg", ".osmoda"];

/// What the machine owns and nobody edits; read all the same.
const READ_ONLY: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/systemd",
    "/usr/lib/systemd",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/environment",
    "/etc/fstab",
    "/etc/nftables.conf",
    "/etc/apt",
    "/etc/logrotate.d",
    "/etc/cron.d",
    "/etc/crontab",
    "/etc/cron.daily",
];

impl Places {
    /// Roots as declared, and folders of our own that are protected beside the known ones.
    pub fn new(read: Vec<PathBuf>, write: Vec<PathBuf>, own: Vec<PathBuf>) -> Self {
        let protected = PROTECTED.iter().map(PathBuf::from).chain(own).collect();
        Self { read, write, protected }
    }

    /// The path as a place that may be used so.
    pub(super) fn admit(&self, path: &str, wanted: Use) -> Result<Place, Problem> {
        let path = plain(path)?;
        let denied =
            |why: &str| Problem::new(Code::PolicyDenied).detail(format!("{}: {why}", path.display()));
        if self.is_protected(&path, wanted) {
            return Err(denied("this path is protected").next_step(
                "file tools never reach credentials, unit folders, kernel files or osModa's own state; an operator can",
            ));
        }
        let roots = if wanted == Use::Read { &self.read } else { &self.write };
        if !roots.iter().any(|root| path.starts_with(root)) {
            let verb = if wanted == Use::Read { "read" } else { "write" };
            return Err(denied(&format!("outside the folders that may be {verb}"))
                .next_step("use a path below a declared root; an operator declares roots in agentd's configuration, files.read and files.write"));
        }
        Ok(Place(path))
    }

    /// Whether the path is within a protected tree.
    pub(super) fn is_protected(&self, path: &Path, wanted: Use) -> bool {
        let within = |tree: &Path| path.starts_with(tree);
        if within(Path::new("/nix/store")) {
            return wanted == Use::Write;
        }
        if path.components().any(|part| PROTECTED_NAMES.iter().any(|name| part.as_os_str() == *name)) {
            return true;
        }
        let readable = wanted == Use::Read && READ_ONLY.iter().any(|tree| within(Path::new(tree)));
        !readable && self.protected.iter().any(|tree| within(tree))
    }
}

/// An absolute path in its only spelling.
fn plain(path: &str) -> Result<PathBuf, Problem> {
    let wrong = |why: &str| Problem::new(Code::RequestField).at("/path", why);
    if !path.starts_with('/') {
        return Err(wrong("an absolute path begins with /"));
    }
    if path.len() > 4095 || path.contains('\0') {
        return Err(wrong("a path has at most 4095 bytes and no NUL"));
    }
    let inner = path.strip_suffix('/').unwrap_or(path);
    if inner[inner.len().min(1)..].split('/').any(|part| matches!(part, "." | "..") || part.len() > 255) {
        return Err(wrong("a path has no . or .. in it, and names of at most 255 bytes"));
    }
    if inner.contains("//") {
        return Err(wrong("a path has no empty names in it"));
    }
    let path = PathBuf::from(path);
    debug_assert!(path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_))));
    Ok(path.components().collect())
}

/// A path that was admitted.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The folder it is in and its name there.
    pub(super) fn parent(&self) -> Result<(OwnedFd, &OsStr), Problem> {
        let (Some(parent), Some(name)) = (self.0.parent(), self.0.file_name()) else {
            return Err(Problem::new(Code::FileKind).detail("/ is no file"));
        };
        Ok((beneath(parent, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    /// Opens the folder for reading its names.
    pub(super) fn open_folder(&self) -> Result<OwnedFd, Problem> {
        let opened = beneath(&self.0, OFlags::RDONLY | OFlags::DIRECTORY);
        opened.map_err(|problem| match problem.code {
            Code::FileNotFound if beneath(&self.0, OFlags::PATH).is_ok() => {
                Problem::new(Code::FileKind).detail(format!("{} is no folder", self.0.display()))
            }
            _ => problem,
        })
    }

    /// Opens the regular file for reading. The inode is looked at before it is opened: opening a device or a FIFO can
    /// itself be an act.
    pub(super) fn open_file(&self) -> Result<(OwnedFd, Seen, Looks), Problem> {
        let found = beneath(&self.0, OFlags::PATH)?;
        let stat = fstat(&found).map_err(|error| failed(&self.0, error))?;
        regular(&self.0, &stat)?;
        let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found));
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file =
            openat(CWD, name.as_str(), flags, Mode::empty()).map_err(|error| failed(&self.0, error))?;
        Ok((file, seen(&stat), looks(&stat)))
    }
}

/// What stands under a name, without following it.
pub(super) fn look(folder: impl AsFd, name: &OsStr, path: &Path) -> Result<Option<Stat>, Problem> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// Refuses what is not a regular file with one name: another name may stand where the caller may not look.
pub(super) fn regular(path: &Path, stat: &Stat) -> Result<(), Problem> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink {
        return Err(Problem::new(Code::FileLink).detail(format!("{} is a symbolic link", path.display())));
    }
    if kind != FileType::RegularFile {
        return Err(Problem::new(Code::FileKind).detail(format!("{} is no regular file", path.display())));
    }
    // The Nix store links equal files together, and nobody can write there.
    if stat.st_nlink > 1 && !path.starts_with("/nix/store") {
        return Err(Problem::new(Code::FileLink).detail(format!(
            "{} has {} names (hard links)",
            path.display(),
            stat.st_nlink
        )));
    }
    Ok(())
}

pub(super) fn seen(stat: &Stat) -> Seen {
    Seen::File {
        dev: stat.st_dev,
        ino: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        ctime_ns: nanos(stat.st_ctime, stat.st_ctime_nsec),
    }
}

pub(super) fn looks(stat: &Stat) -> Looks {
    Looks {
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o777,
        atime_ns: nanos(stat.st_atime, stat.st_atime_nsec),
        mtime_ns: nanos(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn nanos(secs: i64, nanos: u64) -> i64 {
    secs.saturating_mul(1_000_000_000).saturating_add(i64::try_from(nanos).unwrap_or(0))
}

fn beneath(path: &Path, flags: OFlags) -> Result<OwnedFd, Problem> {
    let root = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed(path, error))?;
    let inside = path.strip_prefix("/").unwrap_or(path);
    let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    loop {
        match openat2(&root, inside.as_os_str().as_bytes(), flags, Mode::empty(), resolve) {
            // A rename somewhere on the way.
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened.map_err(|error| failed(path, error)),
        }
    }
}
