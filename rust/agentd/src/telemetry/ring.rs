//! The file: a header and a slot for each ten seconds of a day. A sample's time says which slot is its own, so nothing
//! has to be remembered; a slot that was written in part does not have its checksum and counts as none. It is never
//! synced: a power cut may lose the last seconds, a kill loses nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::sample::{SLOT_BYTES, Sample};
use super::{DAY_MS, EVERY_MS, SLOTS};

/// What the file begins with: its kind and version, the bytes of a slot, how many there are.
const HEADER: &[u8; HEADER_BYTES as usize] =
    b"osmoda telemetry 1 slot=96 every=10s n=8640\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const HEADER_BYTES: u64 = 64;
const FILE_BYTES: u64 = HEADER_BYTES + SLOTS.unsigned_abs() * SLOT_BYTES as u64;

/// The samples of a day.
#[derive(Debug)]
pub(crate) struct Ring {
    file: File,
}

impl Ring {
    /// Opens the file, or makes it. One that is none of ours or too short is set aside as `<name>.damaged`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        match Self::opened(path) {
            Ok(ring) => Ok(ring),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::made(path),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(path = %path.display(), "the telemetry is damaged; it is set aside and begun anew");
                let mut aside = path.as_os_str().to_owned();
                aside.push(".damaged");
                std::fs::rename(path, PathBuf::from(aside))?;
                Self::made(path)
            }
            Err(error) => Err(error),
        }
    }

    fn opened(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut header = [0; HEADER.len()];
        let whole = file.metadata()?.len() == FILE_BYTES && file.read_exact_at(&mut header, 0).is_ok();
        if whole && header == *HEADER { Ok(Self { file }) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Beside its place first: under its name it is whole or not there.
    fn made(path: &Path) -> io::Result<Self> {
        let next = path.with_extension("ring.next");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.set_len(FILE_BYTES)?;
        file.write_all_at(HEADER, 0)?;
        std::fs::rename(&next, path)?;
        Ok(Self { file })
    }

    /// Keeps a sample in the place of the one a day before it.
    pub(crate) fn put(&self, sample: Sample) -> io::Result<()> {
        self.file.write_all_at(&sample.to_slot(), place(sample.at_ms))
    }

    /// The samples from `since` up to but without `until`, the oldest first; those of `now` minus a day and before are
    /// gone. One read, less than a megabyte.
    pub(crate) fn samples(&self, since_ms: i64, until_ms: i64, now_ms: i64) -> io::Result<Vec<Sample>> {
        let mut bytes = vec![0; FILE_BYTES as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        let slots = bytes[HEADER_BYTES as usize..].chunks_exact(SLOT_BYTES).filter_map(Sample::from_slot);
        // A sample of the future was taken before the clock was set back.
        let first = since_ms.max(now_ms.saturating_sub(DAY_MS));
        let last = until_ms.min(now_ms.saturating_add(1));
        let mut samples: Vec<Sample> = slots.filter(|sample| (first..last).contains(&sample.at_ms)).collect();
        samples.sort_by_key(|sample| sample.at_ms);
        Ok(samples)
    }
}

fn place(at_ms: i64) -> u64 {
    let slot = at_ms.div_euclid(EVERY_MS).rem_euclid(SLOTS).unsigned_abs();
    HEADER_BYTES + slot * SLOT_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn at(at_ms: i64) -> Sample {
        Sample { at_ms, cpu_percent: 5.0, ..Sample::default() }
    }

    #[test]
    fn what_was_put_is_there_after_it_was_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telemetry.ring");
        for turn in 0..3 {
            Ring::open(&path).unwrap().put(at(NOW + turn * 10_000)).unwrap();
        }
        let ring = Ring::open(&path).unwrap();
        let times = |since, until| -> Vec<i64> {
            ring.samples(since, until, NOW + 30_000)
                .unwrap()
                .iter()
                .map(|sample| sample.at_ms - NOW)
                .collect()
        };
        assert_eq!(times(0, i64::MAX), [0, 10_000, 20_000]);
        assert_eq!(times(NOW + 10_000, NOW + 20_000), [10_000]);
    }

    #[test]
    fn a_day_later_the_slot_is_another_samples_and_the_file_has_not_grown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telemetry.ring");
        let ring = Ring::open(&path).unwrap();
        for turn in 0..SLOTS + 5 {
            ring.put(at(NOW + turn * EVERY_MS)).unwrap();
        }
        let now = NOW + (SLOTS + 4) * EVERY_MS;
        let samples = ring.samples(0, i64::MAX, now).unwrap();
        assert_eq!((samples.len(), samples[0].at_ms), (8640, NOW + 5 * EVERY_MS));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), FILE_BYTES);
    }

    #[test]
    fn a_torn_slot_is_none_and_a_strange_file_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("telemetry.ring");
        let ring = Ring::open(&path).unwrap();
        ring.put(at(NOW)).unwrap();
        ring.put(at(NOW + 10_000)).unwrap();
        ring.file.write_all_at(&at(NOW + 86_400_000).to_slot()[..40], place(NOW)).unwrap();
        let samples = ring.samples(0, i64::MAX, NOW + 10_000).unwrap();
        assert_eq!(samples.iter().map(|sample| sample.at_ms).collect::<Vec<_>>(), [NOW + 10_000]);
        for content in [&b""[..], b"osmoda telemetry 1", &[0; FILE_BYTES as usize]] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Ring::open(&path).unwrap().samples(0, i64::MAX, NOW).unwrap(), []);
            assert_eq!(std::fs::read(dir.path().join("telemetry.ring.damaged")).unwrap(), content);
        }
    }

    #[test]
    fn a_sample_from_before_the_clock_was_set_back_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Ring::open(&dir.path().join("telemetry.ring")).unwrap();
        ring.put(at(NOW + 3_600_000)).unwrap();
        assert_eq!(ring.samples(0, i64::MAX, NOW).unwrap(), []);
    }
}
