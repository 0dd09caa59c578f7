//! Keeping what a file held, for undo.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use osmoda_types::{Problem, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::blocking;

/// Larger files are not kept.
const MOST_BYTES: u64 = 64 << 20;

/// A copy in `folder` and its digest; None where the file is too large to keep.
pub(super) async fn copy(file: OwnedFd, folder: PathBuf) -> Result<Option<(String, NamedTempFile)>, Problem> {
    blocking(move || copied(&mut File::from(file), &folder)).await
}

fn copied(file: &mut File, folder: &Path) -> io::Result<Option<(String, NamedTempFile)>> {
    if file.metadata()?.len() > MOST_BYTES {
        return Ok(None);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut copy = NamedTempFile::new_in(folder)?;
    let Some(digest) = digest_into(file, copy.as_file_mut())? else { return Ok(None) };
    copy.as_file().sync_data()?;
    Ok(Some((digest, copy)))
}

/// `sha256:` of a file, unless it is too large to have been kept.
pub(crate) async fn digest(file: OwnedFd) -> Result<Option<String>, Problem> {
    blocking(move || digest_into(&mut File::from(file), &mut io::sink())).await
}

fn digest_into(from: &mut File, to: &mut impl Write) -> io::Result<Option<String>> {
    let (mut digest, mut buffer, mut total) = (Sha256::new(), vec![0; 128 * 1024], 0);
    loop {
        let got = from.read(&mut buffer)?;
        if got == 0 {
            return Ok(Some(format!("sha256:{}", json::hex(&digest.finalize()))));
        }
        total += got as u64;
        if total > MOST_BYTES {
            return Ok(None);
        }
        digest.update(&buffer[..got]);
        to.write_all(&buffer[..got])?;
    }
}
