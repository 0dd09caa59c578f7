//! What is wrong with the parts of something, and since when: what a line of `/health` is made of.

use osmoda_types::health::{Check, Status};
use osmoda_types::{Code, Timestamp};

/// The troubles of `PARTS` parts, which are numbered in the order in which they are told.
#[derive(Clone, Copy, Debug)]
pub struct Troubles<const PARTS: usize> {
    parts: [Option<(Code, Timestamp)>; PARTS],
    well_since: Timestamp,
}

impl<const PARTS: usize> Troubles<PARTS> {
    /// All is well, since `now`.
    pub fn none(now: Timestamp) -> Self {
        Self { parts: [None; PARTS], well_since: now }
    }

    /// What a part suffers from.
    pub fn of(&self, part: usize) -> Option<Code> {
        self.parts[part].map(|(code, _)| code)
    }

    /// The trouble that is told, of the first part that has one.
    pub fn first(&self) -> Option<Code> {
        self.told().map(|(code, _)| code)
    }

    /// A part is in this trouble now.
    pub fn begin(&mut self, part: usize, code: Code, now: Timestamp) {
        self.parts[part] = Some((code, now));
    }

    /// A part works again.
    pub fn end(&mut self, part: usize, now: Timestamp) {
        self.parts[part] = None;
        self.well_since = now;
    }

    /// The line of `/health` under this name.
    pub fn check(&self, name: &str) -> Check {
        let told = self.told();
        Check {
            name: name.to_owned(),
            status: if told.is_some() { Status::Degraded } else { Status::Ok },
            code: told.map(|(code, _)| code),
            since: told.map_or(self.well_since, |(_, since)| since),
            remedy: told.map(|(code, _)| code.next_step().to_owned()),
        }
    }

    fn told(&self) -> Option<(Code, Timestamp)> {
        self.parts.iter().flatten().next().copied()
    }
}
