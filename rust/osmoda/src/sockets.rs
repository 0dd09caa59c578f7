//! The daemons' sockets where `up` itself makes or removes them.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Listens for a daemon that may not make a socket in the run folder; root:osmoda 0660, as systemd would make it.
/// It lives through restarts of the daemon: a caller waits instead of being refused.
pub(crate) fn listen(path: &Path, group: u32) -> Result<UnixListener> {
    if !clear(path).with_context(|| format!("cannot look at {}", path.display()))? {
        bail!("{} is in use by a process that osmoda up did not start: stop it first", path.display());
    }
    // Only its owner may connect until the mode is set.
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    chown(path, Some(0), Some(group))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o660)))
        .with_context(|| format!("cannot set the owner and mode of {}", path.display()))?;
    Ok(listener)
}

/// Removes a socket nobody answers on; false if somebody does.
pub(crate) fn clear(path: &Path) -> io::Result<bool> {
    match UnixStream::connect(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path).map(|()| true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_socket_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        assert!(clear(&path).unwrap(), "nothing there");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(!clear(&path).unwrap());
        drop(listener);
        assert!(clear(&path).unwrap());
        assert!(!path.exists());
    }
}
