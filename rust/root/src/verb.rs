//! Everything the privileged half can be asked.

use osmoda_types::UnitName;
use serde::{Deserialize, Serialize};

use crate::service::{Act, Job};

/// One request. There is no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Starts, stops, restarts or reloads a unit and waits for the end of the job.
    Service {
        /// The unit, by any of its names.
        unit: UnitName,
        /// What to do with it.
        act: Act,
    },
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It is done.
    Done {},
    /// A job of systemd ended.
    Job(Job),
}
