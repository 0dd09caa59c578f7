//! The archive of a backup: POSIX ustar with regular files only, so that `age -d | tar -x` opens it without us.
//!
//! The reader takes exactly what the writer makes and refuses everything else: links, folders, odd names, a wrong
//! checksum, anything after the end.

use std::io::{self, Read, Write};
use std::path::{Component, Path};

use sha2::{Digest, Sha256};

use super::BackupError;

/// One file's place in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative path with plain components.
    pub(super) name: String,
    pub(super) bytes: u64,
    /// Seconds since 1970 of its last change.
    pub(super) modified: u64,
}

/// Writes an archive.
pub(super) struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }

    /// Adds a file and answers the SHA-256 of it. `content` that ends early is an error, what is beyond `bytes` is
    /// left out.
    pub(super) fn add(&mut self, entry: &Entry, content: &mut impl Read) -> io::Result<[u8; 32]> {
        self.out.write_all(&header(entry)?)?;
        let digest = pump(&mut content.take(entry.bytes), &mut self.out, entry.bytes)?;
        self.out.write_all(&[0; BLOCK][..padding(entry.bytes)])?;
        Ok(digest)
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Whether a file of this name can stand in an archive.
pub(super) fn is_name(name: &str) -> bool {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let clean = !name.ends_with('/') && !name.contains("//") && !name.contains("/./");
    plain && clean && !name.chars().any(char::is_control) && split(name).is_some()
}

/// Reads an archive.
pub(super) struct Reader<R> {
    input: R,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input }
    }

    /// The next file, whose content is to be taken with [`content`](Self::content) before the one after it; `None` at
    /// the end, behind which nothing may stand.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, BackupError> {
        let block = self.block()?;
        if block != [0; BLOCK] {
            return parse(&block).map(Some).ok_or_else(|| odd("a header is not one of ours"));
        }
        if self.block()? != [0; BLOCK] {
            return Err(odd("it ends with half an end"));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(None),
            Ok(_) => Err(odd("something stands behind the end")),
            Err(error) => Err(odd(error.to_string())),
        }
    }

    /// The content of the file that [`next`](Self::next) named, as it is read.
    pub(super) fn content(&mut self, entry: &Entry) -> io::Take<&mut R> {
        self.input.by_ref().take(entry.bytes)
    }

    /// Steps over what fills the last block of the file.
    pub(super) fn end_of(&mut self, entry: &Entry) -> Result<(), BackupError> {
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(entry.bytes)];
        self.input.read_exact(rest).map_err(|_| odd("it ends early"))?;
        if rest.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(odd("a block is not filled with zeros")) }
    }

    fn block(&mut self) -> Result<[u8; BLOCK], BackupError> {
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block).map_err(|_| odd("it ends early"))?;
        Ok(block)
    }
}

/// Copies exactly `bytes` and hashes them.
pub(super) fn pump(from: &mut impl Read, to: &mut impl Write, bytes: u64) -> io::Result<[u8; 32]> {
    let (mut hash, mut left) = (Sha256::new(), bytes);
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        left -= read as u64;
    }
    Ok(hash.finalize().into())
}

fn header(entry: &Entry) -> io::Result<[u8; BLOCK]> {
    let (prefix, name) = split(&entry.name).ok_or(io::ErrorKind::InvalidFilename)?;
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, &size_field(entry.bytes));
    put(136, format!("{:011o}\0", entry.modified.min(MOST_OCTAL)).as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Octal up to 8 GiB, beyond it GNU's base-256, which every tar reads.
fn size_field(bytes: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if bytes <= MOST_OCTAL {
        field.copy_from_slice(format!("{bytes:011o}\0").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&bytes.to_be_bytes());
    }
    field
}

fn size_of(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, 0, 0, 0, rest @ ..] => Some(u64::from_be_bytes(rest.try_into().ok()?)),
        [digits @ .., 0] => u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok(),
        _ => None,
    }
}

/// The entry that has exactly this header.
fn parse(block: &[u8; BLOCK]) -> Option<Entry> {
    let text = |range: std::ops::Range<usize>| {
        let field = &block[range];
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        std::str::from_utf8(&field[..end]).ok()
    };
    let (name, prefix) = (text(0..100)?, text(345..500)?);
    let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    let entry = Entry { name, bytes: size_of(&block[124..136])?, modified: size_of(&block[136..148])? };
    // One spelling: what the writer would have written.
    let same = is_name(&entry.name) && header(&entry).is_ok_and(|expected| expected == *block);
    same.then_some(entry)
}

/// `prefix` and `name` of ustar, split at a slash; `None` where the name fits neither way.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= 155 && (1..=100).contains(&name.len()))
}

fn padding(bytes: u64) -> usize {
    usize::try_from(bytes.wrapping_neg() % BLOCK as u64).expect("less than a block")
}

fn odd(finding: impl Into<String>) -> BackupError {
    BackupError::damaged(format!("the archive is not whole: {}", finding.into()))
}

const BLOCK: usize = 512;
const MOST_OCTAL: u64 = 0o77_777_777_777;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (name, content) in files {
            let entry = Entry { name: name.clone(), bytes: content.len() as u64, modified: 1_795_000_000 };
            writer.add(&entry, &mut content.as_slice()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, BackupError> {
        let mut reader = Reader::new(archive);
        let mut files = Vec::new();
        while let Some(entry) = reader.next()? {
            let mut content = Vec::new();
            reader.content(&entry).read_to_end(&mut content).map_err(|error| odd(error.to_string()))?;
            if content.len() as u64 != entry.bytes {
                return Err(odd("it ends early"));
            }
            reader.end_of(&entry)?;
            files.push((entry.name, content));
        }
        Ok(files)
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        let deep = format!("memory/{}/x.md", "d".repeat(140));
        for good in ["a", "memory/2026/11/mem_1.md", "config/ä.json", deep.as_str()] {
            assert!(is_name(good), "{good}");
        }
        let long = "x".repeat(101);
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a/./b", "a//b", "a/", "./a", "a\nb", long.as_str()]
        {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_size_beyond_octal_reads_back() {
        for bytes in [0, 1, MOST_OCTAL, MOST_OCTAL + 1, u64::MAX] {
            assert_eq!(size_of(&size_field(bytes)), Some(bytes));
        }
    }

    #[test]
    fn tar_itself_reads_it() {
        let archive = written(&[("memory/a.md".into(), b"hello".to_vec()), ("b".into(), vec![7; 1024])]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.tar"), archive).unwrap();
        let listed = std::process::Command::new("tar").args(["-tf", "x.tar"]).current_dir(&folder).output();
        assert_eq!(String::from_utf8(listed.unwrap().stdout).unwrap(), "memory/a.md\nb\n");
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(files in prop::collection::vec(("[a-z]{1,8}(/[a-z]{1,60}){0,3}", prop::collection::vec(any::<u8>(), 0..1500)), 0..5)) {
            prop_assert_eq!(read(&written(&files)).unwrap(), files);
        }

        #[test]
        fn a_flipped_bit_is_a_wrong_file_or_no_archive(at in 0_usize..3000, bit in 0_u32..8) {
            let files = [("a/b".to_owned(), vec![1; 700]), ("c".to_owned(), vec![2; 10])];
            let mut archive = written(&files);
            let at = at % archive.len();
            archive[at] ^= 1 << bit;
            prop_assert!(read(&archive).map_or(true, |found| found != files));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_shorter_archive_is_refused(cut in 1_usize..2000) {
            let archive = written(&[("a".to_owned(), vec![1; 700])]);
            prop_assert!(read(&archive[..archive.len() - cut.min(archive.len())]).is_err());
        }
    }
}
