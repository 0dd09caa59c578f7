//! The last entry of a backup: who it is of, and every file with its size and hash, as JSON lines.
//!
//! A reader writes the lines it would expect from what it reads and compares them byte by byte, so a manifest of any
//! length needs no memory.

use std::io::{self, BufRead, BufReader, Read, Seek, Write};

use osmoda_types::{BackupId, MachineId, Timestamp, json};
use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use super::BackupError;
use super::archive::Entry;

/// Its name in the archive.
pub(super) const NAME: &str = "manifest.jsonl";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// 1.
    pub(super) v: u32,
    pub(super) id: BackupId,
    pub(super) machine_id: MachineId,
    pub(super) created_at: Timestamp,
    /// Release of agentd that made it.
    pub(super) release: String,
}

/// One file.
#[derive(Debug, Serialize)]
struct FileLine<'a> {
    path: &'a str,
    bytes: u64,
    modified: u64,
    sha256: String,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Total {
    files: u64,
    bytes: u64,
}

/// The lines of the files so far.
pub(super) struct Manifest {
    lines: SpooledTempFile,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Manifest {
    pub(super) fn new() -> Self {
        Self { lines: SpooledTempFile::new(IN_MEMORY), files: 0, bytes: 0 }
    }

    pub(super) fn add(&mut self, entry: &Entry, digest: [u8; 32]) -> io::Result<()> {
        let sha256 = json::hex(&digest);
        let line = FileLine { path: &entry.name, bytes: entry.bytes, modified: entry.modified, sha256 };
        self.line(&line)?;
        self.files += 1;
        self.bytes = self.bytes.saturating_add(entry.bytes);
        Ok(())
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, line)?;
        self.lines.write_all(b"\n")
    }

    /// The whole text and its length.
    pub(super) fn text(mut self, header: &Header) -> io::Result<(impl Read + use<>, u64)> {
        let first = format!("{}\n", serde_json::to_string(header)?);
        self.line(&Total { files: self.files, bytes: self.bytes })?;
        let length = self.lines.stream_position()? + first.len() as u64;
        self.lines.rewind()?;
        Ok((io::Cursor::new(first).chain(self.lines), length))
    }

    /// Reads a manifest and answers its header if the rest says what was found.
    pub(super) fn compare(mut self, text: impl Read) -> Result<Header, BackupError> {
        let mut text = BufReader::new(text);
        let mut first = Vec::new();
        let broken = |error: io::Error| BackupError::damaged(format!("the manifest cannot be read: {error}"));
        text.by_ref().take(MOST_HEADER_BYTES).read_until(b'\n', &mut first).map_err(broken)?;
        let header: Header = serde_json::from_slice(&first)
            .map_err(|error| BackupError::damaged(format!("the manifest is none: {error}")))?;
        if header.v != 1 {
            return Err(BackupError::damaged(format!("the manifest is of version {}", header.v)));
        }
        self.line(&Total { files: self.files, bytes: self.bytes }).map_err(broken)?;
        self.lines.rewind().map_err(broken)?;
        let mut expected = BufReader::new(self.lines);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        loop {
            ours.clear();
            theirs.clear();
            expected.read_until(b'\n', &mut ours).map_err(broken)?;
            text.by_ref().take(ours.len() as u64 + 1).read_until(b'\n', &mut theirs).map_err(broken)?;
            if ours != theirs {
                return Err(BackupError::damaged("a file is not what the manifest says"));
            }
            if ours.is_empty() {
                return Ok(header);
            }
        }
    }
}

const IN_MEMORY: usize = 1 << 20;
const MOST_HEADER_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            v: 1,
            id: "bak_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().unwrap(),
            machine_id: "mach_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().unwrap(),
            created_at: "2026-11-24T08:30:00Z".parse().unwrap(),
            release: "0.1.0".into(),
        }
    }

    fn manifest(files: &[(&str, u8)]) -> Manifest {
        let mut manifest = Manifest::new();
        for (name, digest) in files {
            let entry = Entry { name: (*name).to_owned(), bytes: 3, modified: 7 };
            manifest.add(&entry, [*digest; 32]).unwrap();
        }
        manifest
    }

    fn text(files: &[(&str, u8)]) -> Vec<u8> {
        let (mut text, length) = manifest(files).text(&header()).unwrap();
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    #[test]
    fn a_manifest_holds_for_the_same_files_only() {
        let files = [("a", 1), ("b/c", 2)];
        assert_eq!(manifest(&files).compare(text(&files).as_slice()).unwrap(), header());
        for other in [
            &[("a", 1)][..],
            &[("a", 1), ("b/c", 3)],
            &[("b/c", 2), ("a", 1)],
            &[("a", 1), ("b/c", 2), ("d", 1)],
        ] {
            assert!(manifest(other).compare(text(&files).as_slice()).is_err(), "{other:?}");
        }
        let whole = text(&files);
        for cut in 1..whole.len() {
            assert!(manifest(&files).compare(&whole[..cut]).is_err(), "{cut}");
        }
        let longer = [whole, b"{}\n".to_vec()].concat();
        assert!(manifest(&files).compare(longer.as_slice()).is_err());
    }
}
