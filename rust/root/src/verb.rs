//! Everything the privileged half can be asked.

use osmoda_types::UnitName;
use serde::{Deserialize, Serialize};

use crate::file::{FileAnswer, FileVerb};
use crate::service::{Act, Job};
use crate::spawn::{Ended, Spawn};

/// One request. There is no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Something about a file.
    File(FileVerb),
    /// Run a program to its end.
    Spawn(Spawn),
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
    /// What came of a file verb.
    File(FileAnswer),
    /// How a program ended.
    Ended(Ended),
    /// A job of systemd ended.
    Job(Job),
}
