//! Samples put together to points.

use osmoda_types::api::agentd::telemetry::{Spread, TelemetryPoint, TelemetryWindowIn, TelemetryWindowOut};
use osmoda_types::{Code, Problem, Since, Timestamp};

use super::{DAY_MS, EVERY_MS, Ring, Sample};

/// Points of an answer whose step was not asked for, and of any answer.
const POINTS: i64 = 120;
const MOST_POINTS: i64 = 1000;
const HOUR_MS: i64 = 3_600_000;

/// What of the last day was asked for. Blocks.
pub(crate) fn window(
    ring: &Ring,
    now: Timestamp,
    input: &TelemetryWindowIn,
) -> Result<TelemetryWindowOut, Problem> {
    let now_ms = now.as_millis();
    let time = |since: Option<Since>, otherwise: i64| {
        since.map_or(otherwise, |since| since.resolve(now).as_millis()).clamp(now_ms - DAY_MS, now_ms)
    };
    let until = time(input.until, now_ms);
    let since = time(input.since, until - HOUR_MS);
    if since >= until {
        return Err(Problem::new(Code::RequestField).at("/since", "is not before until, within the last day"));
    }
    let step = input
        .step_secs
        .map_or_else(|| coarse(until - since), |secs| i64::try_from(secs.get()).unwrap_or(DAY_MS) * 1000);
    let points = (until - since + step - 1) / step;
    if points > MOST_POINTS {
        let most = format!("makes {points} points of this time; {MOST_POINTS} are the most");
        return Err(Problem::new(Code::RequestField).at("/step_secs", most));
    }
    let samples = ring.samples(since, until, now_ms).map_err(|error| {
        tracing::error!(%error, "the telemetry cannot be read");
        Problem::new(Code::StateUnwritable).detail("the telemetry cannot be read")
    })?;
    let place = |sample: &Sample| (sample.at_ms - since) / step;
    let points = samples.chunk_by(|a, b| place(a) == place(b));
    let time = |ms: i64| Timestamp::from_millis(ms).unwrap_or(now);
    Ok(TelemetryWindowOut {
        since: time(since),
        until: time(until),
        step_secs: step.unsigned_abs() / 1000,
        samples: samples.len() as u64,
        points: points.map(|samples| point(time(since + place(&samples[0]) * step), samples)).collect(),
    })
}

/// The least whole number of samples that makes few enough points.
fn coarse(span_ms: i64) -> i64 {
    let most = POINTS * EVERY_MS;
    ((span_ms + most - 1) / most).max(1) * EVERY_MS
}

fn point(at: Timestamp, samples: &[Sample]) -> TelemetryPoint {
    let spread = |value: fn(&Sample) -> f64| spread(samples.iter().map(value));
    TelemetryPoint {
        at,
        samples: samples.len() as u64,
        cpu_percent: spread(|sample| sample.cpu_percent.into()),
        memory_percent: spread(|sample| percent(sample.memory_used, sample.memory_total)),
        swap_percent: spread(|sample| percent(sample.swap_used, sample.swap_total)),
        load_one: spread(|sample| sample.load_one.into()),
        disk_percent: spread(|sample| percent(sample.disk_used, sample.disk_total)),
        rx_bytes_per_sec: spread(|sample| sample.rx_per_sec.into()),
        tx_bytes_per_sec: spread(|sample| sample.tx_per_sec.into()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of two numbers, shown with two digits")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "8640 samples at the most")]
fn spread(values: impl Iterator<Item = f64> + Clone) -> Spread {
    let short = |value: f64| (value * 100.0).round() / 100.0;
    let count = values.clone().count().max(1);
    Spread {
        min: short(values.clone().fold(f64::MAX, f64::min)),
        avg: short(values.clone().sum::<f64>() / count as f64),
        max: short(values.fold(f64::MIN, f64::max)),
    }
}

#[cfg(test)]
mod tests {
    use osmoda_types::Within;

    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn ask(input: TelemetryWindowIn) -> Result<TelemetryWindowOut, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let ring = Ring::open(&dir.path().join("telemetry.ring")).unwrap();
        for turn in 1..=360_u32 {
            let at_ms = NOW - i64::from(turn) * 10_000;
            let cpu_percent = if turn % 2 == 0 { 10.0 } else { 30.0 };
            ring.put(Sample { at_ms, cpu_percent, memory_used: 1, memory_total: 3, ..Sample::default() })
                .unwrap();
        }
        window(&ring, Timestamp::from_millis(NOW).unwrap(), &input)
    }

    #[test]
    fn a_point_is_least_mean_and_most_of_its_samples() {
        let out =
            ask(TelemetryWindowIn { step_secs: Within::new(1800), ..TelemetryWindowIn::default() }).unwrap();
        assert_eq!((out.samples, out.points.len(), out.step_secs), (360, 2, 1800));
        let point = &out.points[1];
        assert_eq!((point.samples, point.cpu_percent), (180, Spread { min: 10.0, avg: 20.0, max: 30.0 }));
        assert_eq!((point.memory_percent.avg, point.swap_percent.max), (33.33, 0.0));
        assert_eq!(point.at.as_millis(), NOW - 1_800_000);
    }

    #[test]
    fn a_step_that_was_not_asked_for_makes_few_points() {
        let ask_since = |since: &str| {
            ask(TelemetryWindowIn { since: since.parse().ok(), ..TelemetryWindowIn::default() }).unwrap()
        };
        let hour = ask_since("1h");
        assert_eq!((hour.step_secs, hour.points.len()), (30, 120));
        let day = ask_since("7d");
        assert_eq!((day.step_secs, day.until.as_millis() - day.since.as_millis()), (720, DAY_MS));
        assert_eq!(ask_since("10s").points.len(), 1);
    }

    #[test]
    fn what_makes_no_window_is_refused_at_its_field() {
        let refused = |input| ask(input).unwrap_err().errors.remove(0).at;
        let (hour, minute): (Option<Since>, Option<Since>) = ("1h".parse().ok(), "1m".parse().ok());
        assert_eq!(refused(TelemetryWindowIn { since: minute, until: hour, step_secs: None }), "/since");
        assert_eq!(
            refused(TelemetryWindowIn { since: "1d".parse().ok(), step_secs: Within::new(10), until: None }),
            "/step_secs"
        );
    }
}
