//! `agentctl journal`: a line for each entry, page by page.

use std::io;

use osmoda_client::Client;
use osmoda_types::Limit;
use osmoda_types::api::agentd::service::{JournalLine, JournalLogs, JournalLogsIn};

use crate::args::Journal;
use crate::events::text;
use crate::exit::{Exit, Outcome};
use crate::screen::{Screen, cut, plain};

/// Shown unless told otherwise.
const DEFAULT: u64 = 100;
/// Most rows of one page.
const PAGE: u64 = 1000;

pub(crate) async fn journal(client: &Client, args: &Journal, screen: &mut Screen) -> Outcome {
    let mut query = JournalLogsIn {
        unit: args.unit.clone(),
        priority: args.priority,
        since: args.since,
        until: args.until,
        matching: args.matching.clone().map(|pattern| text(pattern, "--match")).transpose()?,
        ..JournalLogsIn::default()
    };
    let mut left = args.limit.unwrap_or(DEFAULT);
    while left > 0 {
        query.limit = Limit::new(left.min(PAGE));
        let page = client.send::<JournalLogs>(&query).await?;
        left = left.saturating_sub(page.lines.len() as u64);
        page.lines.iter().try_for_each(|line| show(line, screen))?;
        match page.next {
            Some(next) => query.after = Some(text(next, "next")?),
            None => break,
        }
    }
    Ok(Exit::Ok)
}

/// Prints one line.
pub(crate) fn show(line: &JournalLine, screen: &mut Screen) -> io::Result<()> {
    if screen.is_json() {
        return screen.json_line(line);
    }
    let text = plain_line(line);
    match screen.width() {
        Some(width) => screen.line(cut(&text, width)),
        None => screen.line(text),
    }
}

fn plain_line(line: &JournalLine) -> String {
    let who = plain(line.identifier.as_deref().or(line.unit.as_deref()).unwrap_or("-"));
    let who = line.pid.map_or(who.clone(), |pid| format!("{who}[{pid}]"));
    let priority = line.priority.map_or("-", |priority| priority.name());
    let more = if line.truncated { " …" } else { "" };
    format!("{}  {priority:<7}  {who}: {}{more}", line.at, plain(&line.message))
}

#[cfg(test)]
mod tests {
    use osmoda_types::Endpoint;
    use osmoda_types::api::agentd::service::JournalLogsOut;

    use super::*;

    #[test]
    fn a_line_says_when_how_bad_who_and_what() {
        let (_, answer) = (JournalLogs::CALL.example)();
        let page: JournalLogsOut = serde_json::from_value(answer).unwrap();
        assert_eq!(
            plain_line(&page.lines[0]),
            "2026-11-24T08:30:00.000Z  err      nginx[812]: bind() to 0.0.0.0:80 failed (98: Address already in use)"
        );
    }
}
