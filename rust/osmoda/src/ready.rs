//! Hears a daemon say READY=1, the sd_notify(3) protocol.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tokio::net::UnixDatagram;

use crate::accounts::User;

/// The NOTIFY_SOCKET of one start of one daemon: a word from an earlier start cannot be heard.
#[derive(Debug)]
pub(crate) struct Readiness {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Readiness {
    /// A socket only the daemon's user may write to; a path, not an abstract name, which anyone could write to.
    pub(crate) fn bind(path: &Path, user: Option<User>) -> io::Result<Self> {
        let _ = fs::remove_file(path);
        let socket = UnixDatagram::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        if let Some(user) = user {
            chown(path, Some(user.uid), Some(user.gid))?;
        }
        Ok(Self { socket, path: path.to_owned() })
    }

    /// Waits for READY=1.
    pub(crate) async fn ready(&self) {
        let mut message = [0; 4096];
        loop {
            match self.socket.recv(&mut message).await {
                Ok(length) if message[..length].split(|b| *b == b'\n').any(|line| line == b"READY=1") => {
                    return;
                }
                Ok(_) => {}
                // The socket is ours and stays open; should it fail, the daemon's exit is still seen.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
