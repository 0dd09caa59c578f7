//! Keeping what is about to be lost, beside the journal's entries.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use osmoda_store::Error;
use osmoda_types::{Code, Problem, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::Journal;
use crate::blocking::blocking;

/// More bytes are not kept.
const MOST_BYTES: u64 = 64 << 20;

impl Journal {
    /// A copy of a file and its digest; None where the file is too large to keep.
    pub(crate) async fn keep_file(&self, file: OwnedFd) -> Result<Option<(String, NamedTempFile)>, Problem> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut file = File::from(file);
            if file.metadata()?.len() > MOST_BYTES { Ok(None) } else { keep(&folder, &mut file) }
        })
        .await
    }

    /// The bytes of something small.
    pub(crate) async fn keep_bytes(&self, bytes: Vec<u8>) -> Result<NamedTempFile, Problem> {
        let folder = self.folder.clone();
        let kept =
            blocking(move || keep(&folder, &mut bytes.as_slice()).map_err(|error| Error::io(&folder, error)));
        kept.await?.map(|(_, kept)| kept).ok_or_else(|| Code::InternalBug.into())
    }
}

fn keep(folder: &Path, from: &mut impl Read) -> io::Result<Option<(String, NamedTempFile)>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut copy = NamedTempFile::new_in(folder)?;
    let Some(digest) = digest_into(from, copy.as_file_mut())? else { return Ok(None) };
    copy.as_file().sync_data()?;
    Ok(Some((digest, copy)))
}

/// `sha256:` of a file, unless it is too large to have been kept.
pub(super) async fn digest(file: OwnedFd) -> Result<Option<String>, Problem> {
    blocking(move || digest_into(&mut File::from(file), &mut io::sink())).await
}

fn digest_into(from: &mut impl Read, to: &mut impl Write) -> io::Result<Option<String>> {
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
