//! The file of a memory: front matter and Markdown, as docs/memory.md describes it.
//!
//! What we write is valid YAML between the `---` lines. What we read is what people write there by hand: plain or
//! quoted words, lists on one line or below each other, comments, and keys we do not know.

use osmoda_types::api::agentd::memory::Origin;
use osmoda_types::{MemoryId, Timestamp, json};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::entry::{Entry, MAX_TAGS, block, head, one_line};

/// What is known of a file before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Hint<'a> {
    /// From the memory folder, as in `2026/11/note.md`.
    pub path: &'a str,
    /// When it was changed.
    pub modified: Timestamp,
}

/// Why a file is no memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Longest summary, in bytes.
const MAX_SUMMARY: usize = 1000;
/// What a first line that is too long is cut to.
const CUT_SUMMARY: usize = 200;

/// Reads a file. What the front matter does not say follows from `hint`.
///
/// # Errors
/// [`Malformed`] says what is wrong, in words for the person who wrote it.
pub fn parse(text: &str, hint: Hint<'_>) -> Result<Entry, Malformed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    if text.contains('\0') {
        return Err(Malformed("it holds a NUL".into()));
    }
    let (front, body) = match text.strip_prefix("---\n") {
        Some(rest) => {
            split(rest).ok_or_else(|| Malformed("the front matter has no end: a line ---".into()))?
        }
        None => ("", text.as_str()),
    };
    let fields = fields(front)?;
    let (summary, detail) = sentences(body)?;
    let mut entry = Entry {
        id: MemoryId::from_bits(0),
        created_at: hint.modified,
        event: false,
        category: "general".into(),
        subcategory: None,
        actor: None,
        tags: Vec::new(),
        trusted: true,
        supersedes: Vec::new(),
        seen: 1,
        seen_at: None,
        origins: Vec::new(),
        metadata: None,
        other: Vec::new(),
        summary,
        detail,
    };
    let (mut id, mut created_at) = (None, None);
    for Field { key, value, lines } in fields {
        let text = || scalar(&value).map(|text| one_line(&text));
        let some = |text: String| (!text.is_empty()).then_some(text);
        let wrong = |what: &str| Malformed(format!("{key} is not {what}"));
        match key.as_str() {
            "id" => id = Some(text()?.parse().map_err(|_| wrong("mem_ and a ULID in lower case"))?),
            "created_at" => created_at = Some(text()?.parse().map_err(|_| wrong("an RFC 3339 time"))?),
            "kind" => {
                entry.event = match text()?.as_str() {
                    "event" => true,
                    "knowledge" => false,
                    _ => return Err(wrong("event or knowledge")),
                }
            }
            "category" => entry.category = some(text()?).unwrap_or(entry.category),
            "subcategory" => entry.subcategory = some(text()?),
            "actor" => entry.actor = some(text()?),
            "tags" => {
                for tag in list(&value, &lines)? {
                    let tag = one_line(&tag);
                    if !tag.is_empty() && !entry.tags.contains(&tag) {
                        entry.tags.push(tag);
                    }
                }
                if entry.tags.len() > MAX_TAGS {
                    return Err(Malformed(format!("there are more than {MAX_TAGS} tags")));
                }
            }
            "trusted" => {
                entry.trusted = match text()?.as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err(wrong("true or false")),
                }
            }
            "supersedes" => {
                let ids = list(&value, &lines)?.into_iter().map(|id| id.trim().parse());
                entry.supersedes = ids.collect::<Result<_, _>>().map_err(|_| wrong("a list of ids"))?;
            }
            "seen" => {
                let seen = text()?.parse().ok().filter(|seen| *seen >= 1);
                entry.seen = seen.ok_or_else(|| wrong("a number from 1"))?;
            }
            "seen_at" => entry.seen_at = Some(text()?.parse().map_err(|_| wrong("an RFC 3339 time"))?),
            "origins" => {
                let origins: Vec<Origin> =
                    serde_json::from_str(&value).map_err(|_| wrong("a JSON list of origins on one line"))?;
                entry.origins = origins;
            }
            "metadata" => {
                let object = json::parse(value.as_bytes()).ok().and_then(|value| match value {
                    Value::Object(fields) => Some(fields),
                    _ => None,
                });
                entry.metadata = Some(object.ok_or_else(|| wrong("a JSON object on one line"))?);
            }
            _ => {
                let first = format!("{key}:{}{value}", if value.is_empty() { "" } else { " " });
                entry.other.push(first);
                entry.other.extend(lines);
            }
        }
    }
    let named = hint.path.rsplit('/').next().and_then(|name| name.strip_suffix(".md")?.parse().ok());
    entry.id = id.or(named).unwrap_or_else(|| derived(hint.path));
    let of_id = |id: MemoryId| i64::try_from(id.millis()).ok().and_then(Timestamp::from_millis);
    entry.created_at = created_at.or_else(|| id.or(named).and_then(of_id)).unwrap_or(hint.modified);
    Ok(entry)
}

/// Writes a file; [`parse`] reads it back the same.
pub fn render(entry: &Entry) -> String {
    let mut front = vec![format!("id: {}", entry.id), format!("created_at: {}", entry.created_at)];
    let mut line =
        |key: &str, value: Option<String>| front.extend(value.map(|value| format!("{key}: {value}")));
    line("kind", entry.event.then(|| "event".into()));
    line("category", Some(word(&entry.category)));
    line("subcategory", entry.subcategory.as_deref().map(word));
    line("actor", entry.actor.as_deref().map(word));
    let tags: Vec<String> = entry.tags.iter().map(|tag| word(tag)).collect();
    line("tags", Some(format!("[{}]", tags.join(", "))));
    line("trusted", Some(entry.trusted.to_string()));
    let ids: Vec<String> = entry.supersedes.iter().map(ToString::to_string).collect();
    line("supersedes", (!ids.is_empty()).then(|| format!("[{}]", ids.join(", "))));
    line("seen", (entry.seen > 1).then(|| entry.seen.to_string()));
    line("seen_at", entry.seen_at.map(|at| at.to_string()));
    let origins = || serde_json::to_string(&entry.origins).expect("origins are plain data");
    line("origins", (!entry.origins.is_empty()).then(origins));
    line("metadata", entry.metadata.clone().map(|fields: Map<_, _>| Value::Object(fields).to_string()));
    front.extend(entry.other.iter().cloned());
    let detail = if entry.detail.is_empty() { String::new() } else { format!("\n{}\n", entry.detail) };
    format!("---\n{}\n---\n\n# {}\n{detail}", front.join("\n"), entry.summary)
}

/// The front matter and what comes after it.
fn split(rest: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

struct Field {
    key: String,
    /// What stands behind the colon.
    value: String,
    /// The lines below that belong to it.
    lines: Vec<String>,
}

fn fields(front: &str) -> Result<Vec<Field>, Malformed> {
    let mut fields: Vec<Field> = Vec::new();
    for (number, line) in front.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) || line == "-" || line.starts_with("- ") {
            let field = fields.last_mut();
            let field =
                field.ok_or_else(|| Malformed("the front matter begins with an indented line".into()))?;
            field.lines.push(line.to_owned());
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(Malformed(format!("line {} of the front matter has no colon", number + 1)));
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        if fields.iter().any(|field| field.key == key) {
            return Err(Malformed(format!("{} stands twice in the front matter", head(&key, 40))));
        }
        fields.push(Field { key, value, lines: Vec::new() });
    }
    Ok(fields)
}

/// A word, plain or in quotes.
fn scalar(text: &str) -> Result<String, Malformed> {
    let wrong = || Malformed(format!("{} is not well quoted", head(text, 40)));
    if text.starts_with('"') {
        return serde_json::from_str(text).map_err(|_| wrong());
    }
    if let Some(rest) = text.strip_prefix('\'') {
        return Ok(rest.strip_suffix('\'').ok_or_else(wrong)?.replace("''", "'"));
    }
    let plain = if text.starts_with('#') { "" } else { text.split(" #").next().unwrap_or_default() };
    Ok(plain.trim().to_owned())
}

/// A list: `[a, "b c"]`, words with commas between them, or one `- word` a line.
fn list(value: &str, lines: &[String]) -> Result<Vec<String>, Malformed> {
    if value.is_empty() {
        let items = lines.iter().map(|line| scalar(line.trim().strip_prefix('-').unwrap_or(line).trim()));
        return items.collect();
    }
    let inner = match value.strip_prefix('[') {
        Some(rest) => {
            rest.strip_suffix(']').ok_or_else(|| Malformed(format!("{} has no end: ]", head(value, 40))))?
        }
        None => value,
    };
    let mut items = Vec::new();
    let mut rest = inner.trim();
    while !rest.is_empty() {
        let end = item_end(rest);
        items.push(scalar(rest[..end].trim())?);
        rest = rest[end..].trim_start_matches(',').trim_start();
    }
    Ok(items)
}

/// Where the first item ends: at a comma that is not in quotes.
fn item_end(text: &str) -> usize {
    let quote = text.chars().next().filter(|c| ['"', '\''].contains(c));
    let mut escaped = false;
    let mut inside = quote.is_some();
    for (at, c) in text.char_indices().skip(usize::from(inside)) {
        match c {
            _ if escaped => escaped = false,
            '\\' if inside && quote == Some('"') => escaped = true,
            c if inside && Some(c) == quote => inside = false,
            ',' if !inside => return at,
            _ => {}
        }
    }
    text.len()
}

/// As it stands where it is a plain word, else in quotes, which YAML reads as JSON does.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let meaning = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text);
    if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain) && !meaning {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// The summary and the detail: the first line, without the mark of a heading, and what comes after it.
fn sentences(body: &str) -> Result<(String, String), Malformed> {
    let body = block(body);
    let (first, rest) = body.split_once('\n').unwrap_or((&body, ""));
    let summary = one_line(first.strip_prefix("# ").unwrap_or(first));
    if summary.is_empty() {
        return Err(Malformed("nothing is written in it".into()));
    }
    if summary.len() > MAX_SUMMARY {
        let cut = one_line(head(&summary, CUT_SUMMARY));
        return Ok((cut, body));
    }
    Ok((summary, block(rest)))
}

/// The id of a file that has none: the same for the same path.
fn derived(path: &str) -> MemoryId {
    let digest = Sha256::digest(path);
    let random = u128::from_be_bytes(std::array::from_fn(|at| digest[at])) >> 48;
    let month = path.get(..7).map(|month| format!("{}-01T00:00:00Z", month.replace('/', "-")));
    let millis = month.and_then(|month| month.parse::<Timestamp>().ok()).map_or(0, Timestamp::as_millis);
    MemoryId::from_bits(u128::try_from(millis).unwrap_or(0) << 80 | random)
}
