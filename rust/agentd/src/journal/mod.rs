//! The systemd journal, read through journalctl as an ordinary user.

mod access;
mod error;
mod line;
mod reader;

use std::time::Duration;

use agentd_root::systemd::Properties;
use osmoda_types::api::agentd::service::{JournalLine, JournalLogsIn, JournalLogsOut};
use osmoda_types::{Timestamp, UnitName, Within};
use tokio::sync::Semaphore;

pub(crate) use error::JournalError;
use reader::{Page, Wanted};

/// The journal; at most some readers at once, the others wait.
#[derive(Debug)]
pub(crate) struct Journal {
    readers: Semaphore,
}

const MOST_READERS: usize = 4;
/// Shown unless told otherwise.
const DEFAULT_LINES: usize = 100;
/// A reader gets this long.
const PATIENCE: Duration = Duration::from_secs(20);

impl Default for Journal {
    fn default() -> Self {
        Self { readers: Semaphore::new(MOST_READERS) }
    }
}

impl Journal {
    /// A page of lines, newest first.
    ///
    /// # Errors
    /// What journalctl cannot make sense of, and a journal that is not there or closed to this user.
    pub(crate) async fn logs(
        &self,
        asked: JournalLogsIn,
        now: Timestamp,
    ) -> Result<JournalLogsOut, JournalError> {
        let since = asked.since.map(|since| since.resolve(now));
        let until = asked.until.map(|until| until.resolve(now));
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            return Err(JournalError::Range);
        }
        let mut arguments = Vec::new();
        arguments.extend(asked.unit.map(|unit| format!("--unit={unit}")));
        arguments.extend(asked.priority.map(|priority| format!("--priority={}", priority.name())));
        arguments.extend(until.map(|until| format!("--until=@{}", seconds(until))));
        arguments.extend(asked.matching.map(|pattern| format!("--grep={}", &*pattern)));
        match &asked.after {
            // journalctl takes a cursor or a start, not both: the reader keeps to the start then.
            Some(cursor) => arguments.push(format!("--after-cursor={}", reader::cursor(cursor)?)),
            None => arguments.extend(since.map(|since| format!("--since=@{}", seconds(since)))),
        }
        let limit = Within::or(asked.limit, DEFAULT_LINES);
        let Page { lines, next, unreadable, .. } = self.read(Wanted { arguments, limit, since }).await?;
        Ok(JournalLogsOut { lines, next, unreadable })
    }

    /// The last lines of a unit, oldest first.
    ///
    /// # Errors
    /// A journal that is not there or closed to this user.
    pub(crate) async fn last(&self, unit: &UnitName, limit: usize) -> Result<Vec<JournalLine>, JournalError> {
        self.oldest_first(vec![format!("--unit={unit}")], limit).await
    }

    /// The last lines of a unit's latest run, oldest first: its own, and what systemd says of it.
    ///
    /// # Errors
    /// A journal that is not there or closed to this user.
    pub(crate) async fn last_run(
        &self,
        unit: &Properties,
        limit: usize,
    ) -> Result<Vec<JournalLine>, JournalError> {
        let run = unit.hex("InvocationID");
        if run.is_empty() {
            return Ok(Vec::new());
        }
        let matches = [format!("_SYSTEMD_INVOCATION_ID={run}"), "+".into(), format!("INVOCATION_ID={run}")];
        self.oldest_first(matches.into(), limit).await
    }

    async fn oldest_first(
        &self,
        arguments: Vec<String>,
        limit: usize,
    ) -> Result<Vec<JournalLine>, JournalError> {
        let mut lines = self.read(Wanted { arguments, limit, since: None }).await?.lines;
        lines.reverse();
        Ok(lines)
    }

    async fn read(&self, wanted: Wanted) -> Result<Page, JournalError> {
        let whole = async {
            let _turn = self.readers.acquire().await.expect("the semaphore is never closed");
            access::check().await?;
            reader::read(wanted).await
        };
        tokio::time::timeout(PATIENCE, whole).await.map_err(|_| JournalError::Slow)?
    }
}

/// As journalctl reads it after an `@`.
fn seconds(at: Timestamp) -> String {
    let millis = at.as_millis();
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_with_three_decimals() {
        let at = |millis| seconds(Timestamp::from_millis(millis).unwrap());
        assert_eq!((at(1_777_888_999_005), at(0)), ("1777888999.005".into(), "0.000".into()));
    }

    #[tokio::test]
    async fn a_range_that_ends_before_it_starts_is_refused() {
        let asked = JournalLogsIn {
            since: Some("1h".parse().unwrap()),
            until: Some("2h".parse().unwrap()),
            ..JournalLogsIn::default()
        };
        let now = Timestamp::from_millis(1_777_888_999_000).unwrap();
        assert!(matches!(Journal::default().logs(asked, now).await, Err(JournalError::Range)));
    }
}
