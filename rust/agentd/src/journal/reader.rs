//! One run of journalctl, read line by line within bounds.

use std::process::Stdio;

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::service::JournalLine;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::JournalError;
use super::line::{self, MAX_MESSAGE, Placed};

/// Longest JSON line that is read. journalctl leaves out fields over 4096 bytes, so only an entry that repeats a
/// field many times is longer.
const MAX_LINE: u64 = 256 * 1024;
/// Most bytes of messages in one answer.
const MAX_TOTAL: usize = 1024 * 1024;
/// Most messages over 4096 bytes whose beginning is fetched for one answer; each costs a run of journalctl.
const MOST_FETCHED: usize = 16;
/// What journalctl may say about its failure.
const MAX_SAID: u64 = 2048;

/// What to read.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Filters, in journalctl's words.
    pub(super) arguments: Vec<String>,
    pub(super) limit: usize,
    /// Where to stop.
    pub(super) since: Option<Timestamp>,
}

/// Lines, newest first.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) lines: Vec<JournalLine>,
    pub(super) next: Option<String>,
    pub(super) unreadable: u64,
    /// There was more than was read.
    stopped: bool,
}

/// A cursor as journalctl prints it; anything else never reaches its command line.
pub(super) fn cursor(text: &str) -> Result<&str, JournalError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"=;".contains(&byte);
    if text.starts_with("s=") && text.bytes().all(allowed) { Ok(text) } else { Err(JournalError::Cursor) }
}

pub(super) async fn read(wanted: Wanted) -> Result<Page, JournalError> {
    let mut command = journalctl();
    // One more than wanted tells whether there is a next page.
    let count = wanted.limit.saturating_add(1);
    command.args(["--output=json", "--reverse", &format!("--lines={count}")]);
    command.arg(format!("--output-fields={}", line::FIELDS)).args(&wanted.arguments);
    let mut child = run(&mut command)?;
    let output = child.stdout.take().ok_or(JournalError::Absent)?;
    let complaint = child.stderr.take().ok_or(JournalError::Absent)?;
    let read = async {
        let page = page(BufReader::new(output), &wanted).await?;
        // It may search on for long before it notices that nobody reads.
        if page.stopped {
            child.start_kill()?;
        }
        Ok((page, child.wait().await?))
    };
    let (read, said) = tokio::join!(read, said(complaint));
    let (page, status) = read.map_err(|source| JournalError::Run { source })?;
    // As with grep, a failure without a word means that nothing fits.
    if !page.stopped && !status.success() && !said.is_empty() && page.lines.is_empty() {
        return Err(judged(&wanted, said));
    }
    Ok(page)
}

fn judged(wanted: &Wanted, said: String) -> JournalError {
    let has = |option: &str| wanted.arguments.iter().any(|argument| argument.starts_with(option));
    if has("--grep=") && said.to_lowercase().contains("pattern") {
        JournalError::Pattern { said }
    } else if has("--after-cursor=") && said.contains("cursor") {
        JournalError::Cursor
    } else {
        JournalError::Failed { said }
    }
}

async fn page(mut output: impl AsyncBufRead + Unpin, wanted: &Wanted) -> std::io::Result<Page> {
    let (mut page, mut total, mut fetched, mut last) = (Page::default(), 0, 0, None);
    let mut text = Vec::new();
    while next_line(&mut output, &mut text).await? {
        let Some(Placed { cursor, mut line, left_out }) = line::parse(&text) else {
            page.unreadable += 1;
            continue;
        };
        if wanted.since.is_some_and(|since| line.at < since) {
            page.stopped = true;
            break;
        }
        if page.lines.len() == wanted.limit || total >= MAX_TOTAL {
            page.next = last;
            page.stopped = true;
            break;
        }
        if left_out && fetched < MOST_FETCHED {
            fetched += 1;
            line.message = beginning(&cursor).await;
        }
        total += line.message.len();
        page.lines.push(line);
        last = Some(cursor);
    }
    Ok(page)
}

/// The next line without its end, or nothing in `text` if it is too long; false at the end.
async fn next_line(output: &mut (impl AsyncBufRead + Unpin), text: &mut Vec<u8>) -> std::io::Result<bool> {
    text.clear();
    let read = (&mut *output).take(MAX_LINE).read_until(b'\n', text).await?;
    if text.last() == Some(&b'\n') || (read as u64) < MAX_LINE {
        return Ok(read > 0);
    }
    text.clear();
    loop {
        let buffer = output.fill_buf().await?;
        let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        output.consume(used);
        if ended {
            return Ok(true);
        }
    }
}

/// The first bytes of a message that journalctl leaves out of its JSON; empty where they cannot be had.
async fn beginning(cursor: &str) -> String {
    let mut command = journalctl();
    command.args(["--output=cat", "--lines=1", "--all", &format!("--cursor={cursor}")]);
    let Ok(mut child) = run(&mut command) else { return String::new() };
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        let _ = output.take(MAX_MESSAGE as u64).read_to_end(&mut bytes).await;
    }
    let _ = child.kill().await;
    // What was cut within a character ends in a replacement, which is as true as any other end.
    line::cut(String::from_utf8_lossy(&bytes).into_owned(), MAX_MESSAGE).0
}

fn journalctl() -> Command {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--quiet"]).env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn run(command: &mut Command) -> Result<Child, JournalError> {
    command.spawn().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => JournalError::Absent,
        _ => JournalError::Run { source },
    })
}

/// The beginning of what it complains of; all of it is read, so that the child never waits for us.
async fn said(complaint: impl AsyncRead + Unpin) -> String {
    let (mut text, mut rest) = (Vec::new(), complaint);
    let _ = (&mut rest).take(MAX_SAID).read_to_end(&mut text).await;
    let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(limit: usize, since: Option<i64>) -> Wanted {
        let since = since.map(|millis| Timestamp::from_millis(millis).unwrap());
        Wanted { arguments: Vec::new(), limit, since }
    }

    fn entry(number: u64) -> String {
        format!(
            "{{\"__CURSOR\":\"s={number}\",\"__REALTIME_TIMESTAMP\":\"{number}000\",\"MESSAGE\":\"m{number}\"}}\n"
        )
    }

    async fn read(text: &str, wanted: &Wanted) -> (Vec<String>, Option<String>, u64) {
        let page = page(text.as_bytes(), wanted).await.unwrap();
        (page.lines.into_iter().map(|line| line.message).collect(), page.next, page.unreadable)
    }

    #[tokio::test]
    async fn a_page_ends_at_its_limit_and_at_its_start_in_time() {
        let text: String = (1..=5).rev().map(entry).collect();
        let five = ["m5", "m4", "m3", "m2", "m1"].map(String::from);
        assert_eq!(read(&text, &wanted(2, None)).await, (five[..2].to_vec(), Some("s=4".into()), 0));
        assert_eq!(read(&text, &wanted(5, None)).await, (five.to_vec(), None, 0));
        assert_eq!(read(&text, &wanted(9, Some(3))).await, (five[..3].to_vec(), None, 0));
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_or_no_entry_is_counted_and_passed_over() {
        let long = format!("{{\"MESSAGE\":\"{}\"}}\n", "x".repeat(300 * 1024));
        let text = [entry(3), long.clone(), "noise\n".into(), entry(2), long.trim_end().into()].concat();
        assert_eq!(read(&text, &wanted(9, None)).await, (vec!["m3".into(), "m2".into()], None, 3));
    }

    #[tokio::test]
    async fn the_messages_of_one_answer_are_bounded() {
        let fat = |number: u64| {
            entry(number).replace(&format!("\"m{number}\""), &format!("\"{}\"", "x".repeat(5000)))
        };
        let text: String = (1..=900).rev().map(fat).collect();
        let (lines, next, _) = read(&text, &wanted(1000, None)).await;
        assert_eq!(lines.len(), MAX_TOTAL / MAX_MESSAGE);
        assert_eq!(next, Some(format!("s={}", 901 - lines.len())));
    }

    #[test]
    fn only_a_cursor_is_taken_for_one() {
        let real = "s=0639e7a8;i=4fd;b=1bb1;m=2f8d;t=64a1;x=5bd";
        assert_eq!(cursor(real).unwrap(), real);
        for bad in ["", "--help", "s=1 --file=/etc/shadow", "S=1", "../x", "s=1\n"] {
            assert!(cursor(bad).is_err(), "{bad}");
        }
    }
}
