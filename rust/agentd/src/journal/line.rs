//! One line of `journalctl -o json`.
//!
//! A field is a string; an array of numbers where its bytes are no UTF-8 or not printable; an array of these where an
//! entry has it several times; null where it is over 4096 bytes (systemd's docs, JOURNAL_EXPORT_FORMATS).

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::service::{JournalLine, Priority};
use serde_json::{Map, Value};

/// Longest message that is shown whole, in bytes.
pub(super) const MAX_MESSAGE: usize = 4096;
/// Longest name that is shown whole.
const MAX_NAME: usize = 256;

/// The fields that are read.
pub(super) const FIELDS: &str =
    "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT,_SYSTEMD_UNIT";

/// A line and where it stands.
#[derive(Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) cursor: String,
    pub(super) line: JournalLine,
    /// The message is not in it: journalctl leaves out what is over 4096 bytes.
    pub(super) left_out: bool,
}

/// Reads one line; `None` for what is no journal entry.
pub(super) fn parse(text: &[u8]) -> Option<Placed> {
    let fields: Map<String, Value> = serde_json::from_slice(text).ok()?;
    let field = |name: &str| fields.get(name).and_then(text_of);
    let name = |field: Option<String>| field.map(|text| cut(text, MAX_NAME).0);
    let micros: i64 = field("__REALTIME_TIMESTAMP")?.parse().ok()?;
    let unit = ["UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT", "_SYSTEMD_UNIT"].into_iter().find_map(field);
    let priority = field("PRIORITY").and_then(|text| text.parse::<usize>().ok());
    let (message, truncated) = cut(field("MESSAGE").unwrap_or_default(), MAX_MESSAGE);
    let left_out = fields.get("MESSAGE").is_some_and(Value::is_null);
    Some(Placed {
        cursor: field("__CURSOR")?,
        left_out,
        line: JournalLine {
            at: Timestamp::from_millis(micros.div_euclid(1000))?,
            unit: name(unit),
            priority: priority.and_then(|number| Priority::ALL.get(number)).copied(),
            identifier: name(field("SYSLOG_IDENTIFIER").or_else(|| field("_COMM"))),
            pid: field("_PID").and_then(|text| text.parse().ok()),
            message,
            truncated: truncated || left_out,
        },
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(match bytes(items) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => items.iter().filter_map(text_of).collect::<Vec<_>>().join("\n"),
        }),
        _ => None,
    }
}

fn bytes(items: &[Value]) -> Option<Vec<u8>> {
    items.iter().map(|item| item.as_u64().and_then(|number| u8::try_from(number).ok())).collect()
}

/// At most `most` bytes, and whether something is missing.
pub(super) fn cut(mut text: String, most: usize) -> (String, bool) {
    let truncated = text.len() > most;
    if truncated {
        text.truncate(text.floor_char_boundary(most));
    }
    (text, truncated)
}

#[cfg(test)]
mod tests {
    use bolero::check;
    use serde_json::json;

    use super::*;

    fn entry(more: Value) -> Value {
        let mut entry = json!({"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1777888999123456"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    }

    fn line(more: Value) -> JournalLine {
        parse(entry(more).to_string().as_bytes()).unwrap().line
    }

    #[test]
    fn a_plain_entry_is_read_with_its_sender() {
        let entry = entry(
            json!({"MESSAGE": "up", "PRIORITY": "3", "SYSLOG_IDENTIFIER": "nginx", "_COMM": "nginx:", "_PID": "812",
            "_SYSTEMD_UNIT": "nginx.service"}),
        );
        let Placed { cursor, line, left_out } = parse(entry.to_string().as_bytes()).unwrap();
        assert_eq!((cursor.as_str(), left_out, line.truncated), ("s=1;i=2", false, false));
        assert_eq!((line.message.as_str(), line.priority, line.pid), ("up", Some(Priority::Err), Some(812)));
        assert_eq!(
            (line.unit.as_deref(), line.identifier.as_deref()),
            (Some("nginx.service"), Some("nginx"))
        );
        assert_eq!(line.at.as_millis(), 1_777_888_999_123);
    }

    #[test]
    fn what_systemd_says_of_a_unit_is_the_units() {
        let line = line(json!({"UNIT": "nginx.service", "_SYSTEMD_UNIT": "init.scope", "_COMM": "systemd"}));
        assert_eq!(
            (line.unit.as_deref(), line.identifier.as_deref()),
            (Some("nginx.service"), Some("systemd"))
        );
    }

    #[test]
    fn bytes_repeats_and_what_is_left_out_are_text_too() {
        assert_eq!(line(json!({"MESSAGE": [97, 255, 98]})).message, "a\u{fffd}b");
        assert_eq!(line(json!({"MESSAGE": ["one", "two", [255]]})).message, "one\ntwo\n\u{fffd}");
        let oversized = parse(entry(json!({"MESSAGE": null})).to_string().as_bytes()).unwrap();
        assert!(oversized.left_out && oversized.line.truncated && oversized.line.message.is_empty());
        assert_eq!(line(json!({})).message, "");
        assert_eq!(line(json!({"PRIORITY": "9", "_PID": "x"})).priority, None);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let line = line(json!({"MESSAGE": "é".repeat(3000)}));
        assert!(line.truncated && line.message.len() == MAX_MESSAGE && line.message.ends_with('é'));
        assert_eq!(cut("aé".into(), 2), ("a".into(), true));
    }

    #[test]
    fn what_is_no_entry_is_none() {
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            "{\"__CURSOR\": 1",
            "{\"__CURSOR\": \"s\", \"__REALTIME_TIMESTAMP\": \"soon\"}",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn any_bytes_are_an_entry_within_bounds_or_none() {
        let seed = entry(json!({"MESSAGE": [1, 2, 3], "PRIORITY": ["6", "7"], "_PID": null, "UNIT": "a"}))
            .to_string();
        check!().with_iterations(20_000).with_type::<Vec<(u16, u8)>>().for_each(|noise| {
            let mut text = seed.clone().into_bytes();
            for &(at, byte) in noise.iter().take(6) {
                let at = usize::from(at) % text.len();
                text[at] = byte;
            }
            if let Some(placed) = parse(&text) {
                assert!(placed.line.message.len() <= MAX_MESSAGE);
            }
        });
    }
}
