//! What is shown: lines and tables for people, JSON for programs.

use std::fmt::Display;
use std::io::{self, IsTerminal, Stdout, Write};

use comfy_table::{Cell, ContentArrangement, Table, presets};
use osmoda_types::health::Status;
use serde::Serialize;

/// stdout and how to write on it. Every write can fail, because readers go away.
#[derive(Debug)]
pub(crate) struct Screen {
    json: bool,
    colour: bool,
    out: Stdout,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let out = io::stdout();
        // no-color.org: any value but the empty one.
        let asked = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: asked && out.is_terminal(), out }
    }

    /// Whether a program reads.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Columns of the terminal; none where there is no terminal, and nothing is cut.
    pub(crate) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(&self.out).ok()?;
        (size.ws_col > 0).then_some(size.ws_col.into())
    }

    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// One answer.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(text)
    }

    /// One of many answers, on one line.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(text)
    }

    /// A table without lines, fitted to the terminal.
    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.to_vec()).add_rows(rows);
        if !self.colour {
            table.force_no_tty();
        }
        if let Some(width) = self.width() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.line(table.trim_fmt())
    }

    /// The word in its colour where there are colours.
    pub(crate) fn status(&self, status: Status) -> String {
        match status {
            Status::Ok => self.paint("32", "ok"),
            Status::Starting => self.paint("33", "starting"),
            Status::Degraded => self.paint("31", "degraded"),
        }
    }

    /// Something that needs a look.
    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Several lines from a daemon, safe for a terminal.
pub(crate) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Text from a daemon, safe for a terminal: what is no printable character is shown by its number.
pub(crate) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { safe.extend(character.escape_unicode()) } else { safe.push(character) }
    }
    safe
}

/// At most `width` characters, the last one an ellipsis if something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_cannot_move_the_cursor_or_ring_the_bell() {
        assert_eq!(plain("a\x1b[2Jb\x07\u{9b}é"), "a\\u{1b}[2Jb\\u{7}\\u{9b}é");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(cut("ééééé", 5), "ééééé");
        assert_eq!(cut("éééééé", 5), "éééé…");
        assert_eq!(cut("abc", 0), "…");
    }
}
