//! The socket: inherited from systemd, or bound here without taking it from somebody who lives.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::config::{Socket, socket_mode};

/// A listening socket; the path is removed on drop if it was made here and is still this socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: UnixListener,
    made: Option<(PathBuf, (u64, u64))>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Linux keeps a socket's path in 108 bytes (unix(7)).
    #[error("{path} is longer than 107 bytes: choose a shorter --socket or --dir")]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// A process answers on it.
    #[error("{path} is in use by a running process: stop it, or choose another --socket")]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// Something that is not a socket has the name.
    #[error("{path} exists and is no socket: move it away, or choose another --socket")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot listen on {path}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// The inherited socket if there is one, else a new one at `path`.
    pub(crate) fn bind(path: &Path, settings: &Socket) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Io { path: path.to_owned(), source };
        if let Some(inherited) = listenfd::ListenFd::from_env().take_unix_listener(0).map_err(failed)? {
            inherited.set_nonblocking(true).map_err(failed)?;
            return Ok(Self { socket: UnixListener::from_std(inherited).map_err(failed)?, made: None });
        }
        // Bound under a private name, opened to others, then renamed: nobody ever connects to a half-made socket.
        let fresh = path.with_file_name(format!(".{}", std::process::id()));
        if path.as_os_str().len().max(fresh.as_os_str().len()) > 107 {
            return Err(ListenError::TooLong { path: path.to_owned() });
        }
        clear(path)?;
        let _ = fs::remove_file(&fresh);
        let socket = UnixListener::bind(&fresh).map_err(failed)?;
        let grouped = group_id(&settings.group).is_some_and(|gid| chown(&fresh, None, Some(gid)).is_ok());
        let mode = socket_mode(&settings.mode).expect("the configuration was checked");
        // Without the group, group permission would go to whatever group this process has.
        let mode = if grouped { mode } else { mode & 0o700 };
        fs::set_permissions(&fresh, Permissions::from_mode(mode))
            .and_then(|()| fs::rename(&fresh, path))
            .map_err(failed)?;
        Ok(Self { socket, made: identity(path).map(|identity| (path.to_owned(), identity)) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some((path, own)) = &self.made
            && identity(path) == Some(*own)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Device and inode: which file a path names right now.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Removes a socket nobody answers on.
fn clear(path: &Path) -> Result<(), ListenError> {
    let path_buf = || path.to_owned();
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ListenError::Io { path: path_buf(), source }),
        Ok(meta) if !meta.file_type().is_socket() => Err(ListenError::NotASocket { path: path_buf() }),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(ListenError::Taken { path: path_buf() }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(|source| ListenError::Io { path: path_buf(), source })
            }
            Err(_) => Err(ListenError::Taken { path: path_buf() }),
        },
    }
}

fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let line = groups.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(path: &Path) -> Result<Listener, ListenError> {
        Listener::bind(path, &Socket::default())
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        let first = bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(ListenError::Taken { .. })));
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a socket whose owner died");
        let _again = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
    }

    #[tokio::test]
    async fn a_file_or_a_long_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "mine").unwrap();
        assert!(matches!(bind(&file), Err(ListenError::NotASocket { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        assert!(matches!(bind(&dir.path().join("x".repeat(120))), Err(ListenError::TooLong { .. })));
    }
}
