//! The last day of the machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Call, Code, Daemon, Endpoint, Method, Since, Timestamp, Toolset, Within};

/// Every telemetry call.
pub const CALLS: &[Call] = &[TelemetryWindow::CALL];

/// Which part of the last day, and how finely.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TelemetryWindowIn {
    /// From when on: RFC 3339, or an age such as `2h`; an hour ago unless told.
    pub since: Option<Since>,
    /// Until when; now unless told.
    pub until: Option<Since>,
    /// Seconds of one point; unless told, so that there are 120 points at the most.
    pub step_secs: Option<Within<10, 86_400>>,
}

/// Points of time, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TelemetryWindowOut {
    /// Begin of the first point.
    pub since: Timestamp,
    /// End of the last one.
    pub until: Timestamp,
    /// Seconds of one point.
    pub step_secs: u64,
    /// Samples that were found; one each 10 s while agentd runs.
    pub samples: u64,
    /// The points that have samples; times without one are left out.
    pub points: Vec<TelemetryPoint>,
}

/// What the samples of one step say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TelemetryPoint {
    /// Begin of the step.
    pub at: Timestamp,
    /// How many samples it has.
    pub samples: u64,
    /// All cores together, 0 to 100.
    pub cpu_percent: Spread,
    /// Memory in use, of all there is.
    pub memory_percent: Spread,
    /// Swap in use, of all there is; 0 without swap.
    pub swap_percent: Spread,
    /// Load over one minute.
    pub load_one: Spread,
    /// The root disk in use.
    pub disk_percent: Spread,
    /// Received by all interfaces but the loopback.
    pub rx_bytes_per_sec: Spread,
    /// Sent by all interfaces but the loopback.
    pub tx_bytes_per_sec: Spread,
}

/// Least, mean and most of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The mean.
    pub avg: f64,
    /// The most.
    pub max: f64,
}

/// `GET /telemetry`.
pub struct TelemetryWindow;
impl Endpoint for TelemetryWindow {
    type In = TelemetryWindowIn;
    type Out = TelemetryWindowOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/telemetry",
        "See how the machine was within the last 24 hours: CPU, memory, swap, load, disk and network, as minimum, mean and maximum of each step.",
    )
    .tool("telemetry_window", Toolset::System)
    .errors(&[Code::StateUnwritable])
    .example(|| {
        let spread = |min: f64, avg: f64, max: f64| json!({"min": min, "avg": avg, "max": max});
        (json!({"since": "1h", "step_secs": 3600}), json!({"since": "2026-11-24T07:30:00.000Z", "until": "2026-11-24T08:30:00.000Z", "step_secs": 3600,
            "samples": 360, "points": [{"at": "2026-11-24T07:30:00.000Z", "samples": 360, "cpu_percent": spread(1.0, 7.5, 64.0),
            "memory_percent": spread(31.0, 31.5, 33.0), "swap_percent": spread(0.0, 0.0, 0.0), "load_one": spread(0.1, 0.3, 2.5),
            "disk_percent": spread(20.0, 20.0, 20.1), "rx_bytes_per_sec": spread(0.0, 1500.0, 90_000.0), "tx_bytes_per_sec": spread(0.0, 700.0, 40_000.0)}]}))
    });
}
