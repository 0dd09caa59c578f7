//! Keeps what the sampler sees: each walk's reading becomes a sample of the last day.

use std::sync::Arc;

use osmoda_types::Clock;

use super::sampler::Reading;
use crate::telemetry::{Ring, Sample, Traffic};

/// Where the samples go, and what they are made of.
pub(super) struct Keeper {
    ring: Arc<Ring>,
    clock: Arc<dyn Clock>,
    traffic: Traffic,
    /// Use of the cores at each look since the last sample.
    cpu: Vec<f32>,
    /// The first look sees the use since boot, which is none of these seconds.
    is_first: bool,
    failing: bool,
}

impl Keeper {
    pub(super) fn new(ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Self {
        Self { ring, clock, traffic: Traffic::default(), cpu: Vec::new(), is_first: true, failing: false }
    }

    /// Takes note of a reading; where a sample is due, writes it.
    pub(super) async fn look(&mut self, reading: &Reading, due: bool) {
        if std::mem::take(&mut self.is_first) {
            self.traffic.look();
            return;
        }
        self.cpu.push(reading.cpu.usage_percent);
        if !due {
            return;
        }
        let (rx_per_sec, tx_per_sec) = self.traffic.look();
        let root = reading.disks.iter().find(|disk| disk.mount == "/");
        let looks = std::mem::take(&mut self.cpu);
        #[expect(clippy::cast_precision_loss, reason = "five looks")]
        let cpu_percent = looks.iter().sum::<f32>() / looks.len() as f32;
        let sample = Sample {
            at_ms: self.clock.now().as_millis(),
            cpu_percent,
            load_one: reading.load_average.one,
            memory_used: reading.memory.used_bytes,
            memory_total: reading.memory.total_bytes,
            swap_used: reading.swap.used_bytes,
            swap_total: reading.swap.total_bytes,
            disk_used: root.map_or(0, |disk| disk.used_bytes),
            disk_total: root.map_or(0, |disk| disk.used_bytes.saturating_add(disk.available_bytes)),
            rx_per_sec,
            tx_per_sec,
        };
        let ring = self.ring.clone();
        let written = tokio::task::spawn_blocking(move || ring.put(sample)).await;
        let written = written.unwrap_or_else(|_| Err(std::io::Error::other("the writer ended")));
        if let (Err(error), false) = (&written, self.failing) {
            tracing::warn!(error = error as &dyn std::error::Error, "the telemetry cannot be kept");
        }
        self.failing = written.is_err();
    }
}

#[cfg(test)]
mod tests {
    use osmoda_runtime::SystemClock;
    use osmoda_types::Clock;

    use super::super::sampler::Sampler;
    use super::*;

    #[tokio::test]
    async fn a_sample_is_the_mean_of_its_looks_and_the_first_look_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Arc::new(Ring::open(&dir.path().join("telemetry.ring")).unwrap());
        let mut keeper = Keeper::new(ring.clone(), Arc::new(SystemClock));
        let mut reading = Sampler::start(None).await.reading().unwrap();
        let now = SystemClock.now().as_millis();
        for (percent, due) in [(99.0, true), (10.0, false), (30.0, true)] {
            reading.cpu.usage_percent = percent;
            keeper.look(&reading, due).await;
        }
        let [sample] = ring.samples(0, i64::MAX, now + 60_000).unwrap()[..] else { panic!("one sample") };
        assert_eq!((sample.cpu_percent, sample.memory_total), (20.0, reading.memory.total_bytes));
        assert!(sample.at_ms >= now && sample.disk_total > 0);
    }
}
