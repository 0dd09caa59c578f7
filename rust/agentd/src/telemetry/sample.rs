//! One sample, and its slot in the file: fixed size, its own checksum.

use std::fs;
use std::time::Duration;

use tokio::time::Instant;

/// Size of a slot: 72 bytes of sample, 4 of checksum, and room.
pub(super) const SLOT_BYTES: usize = 96;
const SAMPLE_BYTES: usize = 72;

/// The machine in ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// All cores together, 0 to 100, over the ten seconds.
    pub(crate) cpu_percent: f32,
    /// Load over one minute.
    pub(crate) load_one: f32,
    pub(crate) memory_used: u64,
    pub(crate) memory_total: u64,
    pub(crate) swap_used: u64,
    pub(crate) swap_total: u64,
    /// The root disk.
    pub(crate) disk_used: u64,
    pub(crate) disk_total: u64,
    /// Bytes a second, over the ten seconds.
    pub(crate) rx_per_sec: u32,
    pub(crate) tx_per_sec: u32,
}

impl Sample {
    /// The slot: numbers in little endian, then the CRC-32 of them.
    pub(super) fn to_slot(self) -> [u8; SLOT_BYTES] {
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend(self.at_ms.to_le_bytes());
        slot.extend(self.cpu_percent.to_le_bytes());
        slot.extend(self.load_one.to_le_bytes());
        for number in [
            self.memory_used,
            self.memory_total,
            self.swap_used,
            self.swap_total,
            self.disk_used,
            self.disk_total,
        ] {
            slot.extend(number.to_le_bytes());
        }
        slot.extend(self.rx_per_sec.to_le_bytes());
        slot.extend(self.tx_per_sec.to_le_bytes());
        slot.extend(crc32(&slot).to_le_bytes());
        slot.resize(SLOT_BYTES, 0);
        slot.try_into().expect("it was made this long")
    }

    /// The sample of a slot; `None` for one that was never written, or written in part, or damaged.
    pub(super) fn from_slot(slot: &[u8]) -> Option<Self> {
        let sum = u32::from_le_bytes(slot.get(SAMPLE_BYTES..SAMPLE_BYTES + 4)?.try_into().ok()?);
        let bytes = slot.get(..SAMPLE_BYTES)?;
        if crc32(bytes) != sum {
            return None;
        }
        let word = |at: usize| -> [u8; 4] { bytes[at..at + 4].try_into().expect("72 bytes have it") };
        let long = |at: usize| -> [u8; 8] { bytes[at..at + 8].try_into().expect("72 bytes have it") };
        let sample = Self {
            at_ms: i64::from_le_bytes(long(0)),
            cpu_percent: f32::from_le_bytes(word(8)),
            load_one: f32::from_le_bytes(word(12)),
            memory_used: u64::from_le_bytes(long(16)),
            memory_total: u64::from_le_bytes(long(24)),
            swap_used: u64::from_le_bytes(long(32)),
            swap_total: u64::from_le_bytes(long(40)),
            disk_used: u64::from_le_bytes(long(48)),
            disk_total: u64::from_le_bytes(long(56)),
            rx_per_sec: u32::from_le_bytes(word(64)),
            tx_per_sec: u32::from_le_bytes(word(68)),
        };
        // A slot of zeros has the sum of zeros only if it was made so; a number that is none would spoil a mean.
        let sane = sample.at_ms > 0 && sample.cpu_percent.is_finite() && sample.load_one.is_finite();
        sane.then_some(sample)
    }
}

/// CRC-32 of IEEE 802.3, bit by bit: 72 bytes each ten seconds.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}

/// What went through the interfaces between two looks.
#[derive(Default)]
pub(crate) struct Traffic {
    before: Option<(Instant, u64, u64)>,
}

impl Traffic {
    /// Bytes a second received and sent since the last look; 0 at the first.
    pub(crate) fn look(&mut self) -> (u32, u32) {
        let (rx, tx) = totals(&fs::read_to_string("/proc/net/dev").unwrap_or_default());
        let before = self.before.replace((Instant::now(), rx, tx));
        let Some((at, before_rx, before_tx)) = before else { return (0, 0) };
        let millis = at.elapsed().max(Duration::from_millis(1)).as_millis();
        let rate = |now: u64, before: u64| {
            // A counter that went back belongs to an interface that went away.
            u32::try_from(u128::from(now.saturating_sub(before)) * 1000 / millis).unwrap_or(u32::MAX)
        };
        (rate(rx, before_rx), rate(tx, before_tx))
    }
}

/// Received and sent bytes of all interfaces but the loopback: fields 1 and 9 after the name (proc_pid_net(5)).
fn totals(table: &str) -> (u64, u64) {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_ascii_whitespace();
        let (rx, tx) = (numbers.next()?.parse::<u64>().ok()?, numbers.nth(7)?.parse::<u64>().ok()?);
        (name.trim() != "lo").then_some((rx, tx))
    };
    table.lines().filter_map(line).fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_loopback_is_no_traffic() {
        let table = "Inter-| Receive\n face |bytes\n  lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\neth0:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\nbroken: 1\n";
        assert_eq!(totals(table), (5, 7));
    }

    proptest! {
        #[test]
        fn a_sample_comes_back_and_a_flipped_bit_is_noticed(at_ms in 1..i64::MAX, cpu_percent in 0.0..100.0_f32, memory_used in any::<u64>(), rx_per_sec in any::<u32>(), bit in 0..76_usize * 8) {
            let sample = Sample { at_ms, cpu_percent, memory_used, rx_per_sec, ..Sample::default() };
            let mut slot = sample.to_slot();
            prop_assert_eq!(Sample::from_slot(&slot), Some(sample));
            slot[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Sample::from_slot(&slot), None);
        }

        #[test]
        fn any_bytes_are_a_sample_or_none(bytes in prop::collection::vec(any::<u8>(), 0..120), table in ".*") {
            let _ = (Sample::from_slot(&bytes), totals(&table));
        }
    }
}
