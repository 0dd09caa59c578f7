//! Replacing a small file so that a crash leaves the old content or the new, never a mixture.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::Error;

/// Makes the folder `path` and those above it, for nobody but this user (0700); one that is there keeps its mode.
///
/// # Errors
/// [`Error::Full`] or [`Error::Unwritable`].
pub fn private_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| Error::io(path, error))
}

/// Writes `bytes` to `path` with permission bits `mode`, replacing what is there. When it returns, the new content
/// survives a power cut. Blocks for two `fsync`s.
///
/// # Errors
/// [`Error::Full`] or [`Error::Unwritable`]; the old content is then still in place and no other file is left.
pub fn atomic_write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    replace(path, bytes, mode).map_err(|e| Error::io(path, e))
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut next = tempfile::Builder::new().prefix(".next-").tempfile_in(folder)?;
    next.as_file().set_permissions(Permissions::from_mode(mode))?;
    next.write_all(bytes)?;
    next.as_file().sync_all()?;
    next.persist(path)?;
    File::open(folder)?.sync_all()
}
