//! What a failed call answers: RFC 9457 problem+json.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Code;

/// A failed call. `Display` prints what a person needs: title, detail, next step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `https://osmoda.invalid/errors#<code>`, a name, not a page on the network.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code to match on.
    pub code: Code,
    /// This failure in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What the caller can do.
    pub next_step: String,
    /// Each wrong field by its JSON pointer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// How long to wait before trying again, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_secs: Option<u32>,
    /// `ledger.gap`: the sequence number that must come next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// JSON pointer to it, `""` for the whole request.
    pub at: String,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// A problem with the code's own words.
    pub fn new(code: Code) -> Self {
        Self {
            kind: format!("https://osmoda.invalid/errors#{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: None,
            instance: None,
            next_step: code.next_step().to_owned(),
            errors: Vec::new(),
            retry_after_secs: None,
            expected: None,
        }
    }

    /// Says what happened here.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says what to do, where the daemon knows better than the code.
    #[must_use]
    pub fn next_step(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = next_step.into();
        self
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { at: pointer.into(), message: message.into() });
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.title)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        for error in &self.errors {
            write!(f, "\n  {}: {}", if error.at.is_empty() { "/" } else { &error.at }, error.message)?;
        }
        write!(f, "\n  {}", self.next_step)
    }
}

impl std::error::Error for Problem {}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// An error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
