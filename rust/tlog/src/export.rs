//! The export format: a ledger as JSON lines that any program can verify without the machine it came from.

use serde::{Deserialize, Serialize};

use crate::chain::Row;
use crate::merkle::Frontier;
use crate::note::VerifierKey;
use crate::{Error, from_hex, to_hex};

/// The version written and read.
pub const VERSION: u32 = 1;

/// Largest event id: a rowid of SQLite.
const MAX_ID: u64 = i64::MAX.unsigned_abs();

/// Longest line read, in bytes without the newline: the longest payload with each byte escaped, and the rest.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// One line: a JSON object with exactly one of these keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// The first line.
    Export(Header),
    /// A row; rows follow each other by id.
    Event(Row),
    /// The text of a checkpoint's note; stands after the last event it covers and before the next.
    Checkpoint(String),
}

/// What an export is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub v: u32,
    /// The ledger's origin.
    pub origin: String,
    /// The key in force where the export starts: of event 1, or after the event named in `after`.
    pub signer: VerifierKey,
    /// Where a partial export starts; absent when it starts with event 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
}

/// The state of the ledger before the first event of a partial export: claims, until a checkpoint whose
/// root builds on them holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Number of events before.
    pub size: u64,
    /// `hash` of the last of them.
    pub hash: String,
    /// Their [`Frontier::peaks`], each 64 hex digits.
    pub peaks: Vec<String>,
}

impl After {
    /// The starting point behind the row with this `hash`, the last one in `frontier`.
    pub fn new(frontier: &Frontier, hash: String) -> Self {
        Self { size: frontier.size(), hash, peaks: frontier.peaks().iter().map(to_hex).collect() }
    }

    /// The frontier it describes.
    pub fn frontier(&self) -> Result<Frontier, Error> {
        let peaks = self.peaks.iter().map(|peak| from_hex(peak)).collect::<Option<_>>();
        let peaks = peaks.ok_or(Error::Header { reason: "a peak is not 64 hex digits" })?;
        let frontier = Frontier::from_peaks(self.size, peaks);
        frontier.ok_or(Error::Header { reason: "the number of peaks does not fit the size" })
    }
}

impl Line {
    /// Reads one line, without its newline.
    pub fn parse(line: &[u8]) -> Result<Self, Error> {
        if line.len() > MAX_LINE_BYTES {
            return Err(Error::LineTooLong { bytes: line.len() });
        }
        let line = serde_json::from_slice(line).map_err(|source| Error::Line { source })?;
        if let Self::Export(header) = &line {
            header.check()?;
        }
        Ok(line)
    }

    /// Writes the line, without a newline.
    pub fn format(&self) -> String {
        serde_json::to_string(self).expect("strings and integers always serialise")
    }
}

impl Header {
    /// Refuses a header another program, or a careless caller, filled with what cannot be.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.v != VERSION {
            return Err(Error::ExportVersion { found: self.v });
        }
        if self.signer.name() != self.origin {
            return Err(Error::Header { reason: "the signer's name is not the origin" });
        }
        if let Some(after) = &self.after {
            after.frontier()?;
            if !(1..=MAX_ID).contains(&after.size) || from_hex(&after.hash).is_none() {
                return Err(Error::Header { reason: "the starting point is not an event" });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{GENESIS, MAX_PAYLOAD_BYTES};
    use crate::note::Signer;

    fn row(payload: String) -> Row {
        let text = |text: &str| text.to_owned();
        Row {
            id: 7,
            ts: text("2026-05-04T10:00:00.000Z"),
            kind: text("agentd.started"),
            actor: text("daemon:agentd"),
            payload,
            prev_hash: text(GENESIS),
            hash: text(GENESIS),
        }
    }

    #[test]
    fn an_event_has_the_columns_as_keys_and_its_payload_as_a_string() {
        let line = Line::Event(row("{\"a\":\"é\"}".to_owned())).format();
        let expected = format!(
            "{{\"event\":{{\"id\":7,\"ts\":\"2026-05-04T10:00:00.000Z\",\"type\":\"agentd.started\",\
             \"actor\":\"daemon:agentd\",\"payload\":\"{{\\\"a\\\":\\\"é\\\"}}\",\"prev_hash\":\"{GENESIS}\",\
             \"hash\":\"{GENESIS}\"}}}}"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn the_longest_payload_still_fits_a_line() {
        let line = Line::Event(row("\"".repeat(MAX_PAYLOAD_BYTES)));
        assert_eq!(Line::parse(line.format().as_bytes()).unwrap(), line);
    }

    #[test]
    fn every_kind_of_line_is_read_back_as_written() {
        let signer = Signer::from_seed("osmoda/mach_1/ledger", &[1; 32]).unwrap().verifier().clone();
        let mut frontier = Frontier::new();
        (0..5).for_each(|n| drop(frontier.append([n; 32])));
        let after = Some(After::new(&frontier, to_hex(&[3; 32])));
        let header = |after| Header { v: 1, origin: signer.name().to_owned(), signer: signer.clone(), after };
        for line in
            [Line::Export(header(None)), Line::Export(header(after)), Line::Checkpoint("a\n\n—".into())]
        {
            assert_eq!(Line::parse(line.format().as_bytes()).unwrap(), line);
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let event = Line::Event(row("{}".to_owned())).format();
        let signer = Signer::from_seed("log", &[1; 32]).unwrap().verifier().clone();
        let header = Header { v: 1, origin: "log".to_owned(), signer, after: None };
        let header = Line::Export(header).format();
        for bad in [
            String::new(),
            "{}".to_owned(),
            "null".to_owned(),
            "{\"row\":{}}".to_owned(),
            event.replace("\"id\":7", "\"id\":7,\"id\":8"),
            event.replace("\"id\":7", "\"id\":7,\"more\":8"),
            event.replace("\"id\":7", "\"id\":-7"),
            event.replace("\"id\":7", "\"id\":7.0"),
            format!("{event}{event}"),
            header.replace("\"v\":1", "\"v\":2"),
            header.replace("\"origin\":\"log\"", "\"origin\":\"lag\""),
            header.replace("+", "-"),
            header.replace("\"v\":1", "\"v\":1,\"after\":{\"size\":3,\"hash\":\"\",\"peaks\":[]}"),
            format!("{}{event}", " ".repeat(MAX_LINE_BYTES)),
        ] {
            assert!(Line::parse(bad.as_bytes()).is_err(), "{bad:.80}");
        }
    }
}
