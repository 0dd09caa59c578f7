//! What `system_query` tells of sensors, control groups and the kernel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One sensor of the hardware (/sys/class/hwmon).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensor {
    /// The chip it belongs to, such as `coretemp`.
    pub chip: String,
    /// What the chip calls it, such as `Core 0`; its file where the chip names none.
    pub label: String,
    /// What it measures.
    pub kind: SensorKind,
    /// What it shows, in the unit of its kind.
    pub value: f64,
    /// Where the chip warns.
    pub high: Option<f64>,
    /// Where the hardware is in danger.
    pub critical: Option<f64>,
}

/// What a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SensorKind {
    /// Degrees Celsius.
    Temperature,
    /// Turns a minute.
    Fan,
    /// Volts.
    Voltage,
    /// Amperes.
    Current,
    /// Watts.
    Power,
}

/// One control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cgroup {
    /// Its path below the root, such as `/system.slice/nginx.service`.
    pub path: String,
    /// Memory it and what is in it hold; null where memory is not accounted.
    pub memory_bytes: Option<u64>,
    /// Its memory limit, if it has one.
    pub memory_limit_bytes: Option<u64>,
    /// CPU time it used, in microseconds, as a decimal string.
    pub cpu_usec: Option<String>,
    /// Processes and threads in it; null where they are not counted.
    pub tasks: Option<u64>,
}

/// The kernel that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kernel {
    /// Its release, such as `6.12.8`.
    pub release: String,
    /// How it was built.
    pub version: String,
    /// `x86_64`, `aarch64` …
    pub architecture: String,
    /// The operating system by its own name.
    pub os: Option<String>,
    /// What it was booted with.
    pub command_line: String,
    /// Why the kernel is no longer as its makers know it, as bits (kernel docs, tainted-kernels); 0 is clean.
    pub tainted: u64,
    /// Modules that are loaded; null where they are hidden.
    pub modules: Option<Vec<String>>,
}
