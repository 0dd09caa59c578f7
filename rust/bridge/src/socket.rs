//! The Unix socket that MCP is served on: closed to strangers from its first moment, and gone when the bridge is.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::net::UnixListener;

/// The socket's name; dropped, it is removed if it still names the socket made here.
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, for the group osmoda where there is one, else for this user alone. A socket that nobody answers
/// on is replaced; anything else there is left alone.
pub(crate) fn listen(path: &Path) -> anyhow::Result<(UnixListener, SocketFile)> {
    if is_dead(path) {
        fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?;
    }
    // Bound under a private name, then linked, which unlike a rename never takes a name from somebody.
    let fresh = path.with_file_name(format!(".{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    let listener = bind(&fresh).and_then(|listener| fs::hard_link(&fresh, path).map(|()| listener));
    let _ = fs::remove_file(&fresh);
    let listener = listener.with_context(|| format!("cannot listen on {}", path.display()))?;
    Ok((listener, SocketFile { path: path.to_owned(), identity: identity(path) }))
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    let shared = group_id("osmoda").is_some_and(|gid| chown(path, None, Some(gid)).is_ok());
    fs::set_permissions(path, Permissions::from_mode(if shared { 0o660 } else { 0o600 }))?;
    Ok(listener)
}

fn is_dead(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    is_socket && UnixStream::connect(path).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

/// Device and inode: which file a path names right now.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}
