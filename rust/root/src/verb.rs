//! Everything the privileged half can be asked.

use serde::{Deserialize, Serialize};

use crate::file::{FileAnswer, FileVerb};
use crate::spawn::{Ended, Spawn};

/// One request. There is no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Something about a file.
    File(FileVerb),
    /// Run a program to its end.
    Spawn(Spawn),
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// What came of a file verb.
    File(FileAnswer),
    /// How a program ended.
    Ended(Ended),
}
