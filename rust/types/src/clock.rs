//! Time and randomness as values that are passed in, so that a test owns both.

use std::fmt;
use std::str::FromStr;

use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{SignedDuration, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The wall clock a daemon was given at `bind`.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The randomness a daemon was given at `bind`.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `buffer` with bytes nobody can predict.
    fn fill(&self, buffer: &mut [u8]);
}

/// An instant with the millisecond precision of the ledger: `YYYY-MM-DDTHH:MM:SS.mmmZ`, 24 characters.
/// Reads any RFC 3339 spelling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// 1970-01-01T00:00:00.000Z.
    pub const EPOCH: Self = Self(jiff::Timestamp::UNIX_EPOCH);

    /// From milliseconds since 1970; `None` outside the years 0 to 9999, which have no 24-character form.
    pub fn from_millis(millis: i64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(millis).ok().filter(in_range).map(Self)
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// `self - age`; 1970 where that has no 24-character form.
    pub fn minus(self, age: std::time::Duration) -> Self {
        let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.as_millis().saturating_sub(millis)).unwrap_or(Self::EPOCH)
    }
}

fn in_range(at: &jiff::Timestamp) -> bool {
    // 0000-01-01 and 9999-12-31T23:59:59.999 in seconds.
    (-62_167_219_200..=253_402_300_799).contains(&at.as_second())
}

const MILLIS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MILLIS.print_timestamp(&self.0, StdFmtWrite(f)).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let at: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        let at =
            at.round(jiff::TimestampRound::new().smallest(Unit::Millisecond).mode(jiff::RoundMode::Floor));
        at.ok().filter(in_range).map(Self).ok_or(NotATime)
    }
}

/// The text is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("not a time: RFC 3339 such as 2026-11-24T08:30:00Z")]
pub struct NotATime;

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// A start in time: RFC 3339, or an age such as `7d` (units `s m h d w`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// A fixed instant.
    At(Timestamp),
    /// So long before now.
    Age(std::time::Duration),
}

impl Since {
    /// The instant meant, seen from `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Age(age) => now.minus(age),
        }
    }

    fn age(text: &str) -> Option<std::time::Duration> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let digits =
            number.len() <= 6 && number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        let secs = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        digits
            .then(|| number.parse::<i64>().ok())
            .flatten()
            .and_then(|n| SignedDuration::from_secs(n * secs).try_into().ok())
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Age(age) => write!(f, "{}s", age.as_secs()),
        }
    }
}

impl FromStr for Since {
    type Err = NotASince;

    fn from_str(text: &str) -> Result<Self, NotASince> {
        let at = || text.parse().map(Self::At).map_err(|_| NotASince);
        Self::age(text).map(Self::Age).map_or_else(at, Ok)
    }
}

/// The text is neither a time nor an age.
#[derive(Debug, thiserror::Error)]
#[error("neither an RFC 3339 time nor an age such as 30m, 24h or 7d")]
pub struct NotASince;

impl Serialize for Since {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Since {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Since".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "RFC 3339 time, or an age: 30m, 24h, 7d",
            "anyOf": [{"format": "date-time"}, {"pattern": "^[1-9][0-9]{0,5}[smhdw]$"}],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_in_24_characters_and_reads_any_rfc_3339() {
        let at: Timestamp = "2026-11-24T09:30:00.1239+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-24T08:30:00.123Z");
        assert_eq!(Timestamp::from_millis(0).unwrap().to_string(), "1970-01-01T00:00:00.000Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn an_age_counts_back_from_now() {
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let since: Since = "7d".parse().unwrap();
        assert_eq!(since.resolve(now).to_string(), "2026-11-17T00:00:00.000Z");
        for bad in ["", "d", "0d", "07d", "1234567d", "7y", "7 d", "-7d", "7é"] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }
}
