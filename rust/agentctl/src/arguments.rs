//! A tool's arguments as they are typed: `key=value` words, or JSON.

use std::io::Read;

use osmoda_types::{coerce, json};
use serde_json::{Map, Value};

use crate::exit::Misuse;

/// Largest JSON read from stdin.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The arguments for a tool with this input schema.
pub(crate) fn read(schema: &Value, words: &[String], stdin: impl Read) -> Result<Map<String, Value>, Misuse> {
    match words {
        [dash] if dash == "-" => {
            let mut text = Vec::new();
            let read = stdin.take(MAX_BYTES).read_to_end(&mut text);
            read.map_err(|error| Misuse(format!("cannot read stdin: {error}")))?;
            object(&text)
        }
        [text] if text.trim_start().starts_with('{') => object(text.as_bytes()),
        words => {
            let mut arguments = Map::new();
            words.iter().try_for_each(|word| put(&mut arguments, schema, word))?;
            Ok(arguments)
        }
    }
}

fn object(text: &[u8]) -> Result<Map<String, Value>, Misuse> {
    match json::parse(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Misuse("the arguments are not one JSON object".into())),
        Err(error) => Err(Misuse(format!("the arguments are not JSON: {error}"))),
    }
}

fn put(arguments: &mut Map<String, Value>, schema: &Value, word: &str) -> Result<(), Misuse> {
    let (key, text) = word
        .split_once('=')
        .ok_or_else(|| Misuse(format!("{word} is neither key=value nor a JSON object")))?;
    let (mut place, mut schema) = (arguments, schema);
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        schema = property(schema, part);
        if parts.peek().is_none() {
            return match place.insert(part.to_owned(), value(schema, text)) {
                None => Ok(()),
                Some(_) => Err(Misuse(format!("{key} is given twice"))),
            };
        }
        let inner = place.entry(part).or_insert_with(|| Value::Object(Map::new()));
        place =
            inner.as_object_mut().ok_or_else(|| Misuse(format!("{key}: {part} is given as a value too")))?;
    }
    unreachable!("split gives at least one part, and the last one returns")
}

/// The schema of a field; `null` for one the schema does not know, which the daemon then names in its answer.
fn property<'a>(schema: &'a Value, name: &str) -> &'a Value {
    let fields = alternatives(schema).find_map(|one| one.get("properties")?.get(name));
    fields.unwrap_or(&Value::Null)
}

/// The schema itself and those it chooses from.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let more = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    std::iter::once(schema).chain(more)
}

fn takes_text(schema: &Value) -> bool {
    match &schema["type"] {
        Value::Array(several) => several.iter().any(|one| one == "string"),
        one => one == "string",
    }
}

fn value(schema: &Value, text: &str) -> Value {
    let structured = text.starts_with(['{', '[']);
    let is_text = alternatives(schema).any(takes_text);
    if structured
        && !is_text
        && let Ok(value) = json::parse(text.as_bytes())
    {
        return value;
    }
    let typed = alternatives(schema).map(|one| coerce(one, text)).find(|value| !value.is_string());
    typed.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use osmoda_types::catalogue;
    use serde_json::json;

    use super::*;

    fn arguments(tool: &str, words: &[&str]) -> Result<Value, String> {
        let schema = (catalogue::tool(tool).unwrap().input)().to_value();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        read(&schema, &words, &b"{\"id\": 3}"[..]).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn words_become_what_the_schema_asks_for() {
        assert_eq!(
            arguments("system_query", &["query=processes", "args.sort=memory", "args.limit=3"]).unwrap(),
            json!({"query": "processes", "args": {"sort": "memory", "limit": 3}})
        );
        assert_eq!(
            arguments("system_query", &["query=disk", "args={\"limit\": 3}"]).unwrap(),
            json!({"query": "disk", "args": {"limit": 3}})
        );
        assert_eq!(
            arguments("event_log", &["q=12", "limit=12", "type=a=b"]).unwrap(),
            json!({"q": "12", "limit": 12, "type": "a=b"}),
            "a number stays text where text is asked for"
        );
        assert_eq!(arguments("event_log", &["q={}"]).unwrap(), json!({"q": "{}"}));
        assert_eq!(arguments("ledger_verify", &["against=[\"a\"]"]).unwrap(), json!({"against": ["a"]}));
        assert_eq!(arguments("system_health", &[]).unwrap(), json!({}));
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_daemon_to_name() {
        assert_eq!(
            arguments("event_log", &["limit=many", "colour=red"]).unwrap(),
            json!({"limit": "many", "colour": "red"})
        );
    }

    #[test]
    fn json_comes_from_a_word_or_from_stdin() {
        assert_eq!(arguments("ledger_proof", &["-"]).unwrap(), json!({"id": 3}));
        assert_eq!(arguments("ledger_proof", &[" {\"id\": 4}"]).unwrap(), json!({"id": 4}));
        for bad in [
            &["{\"id\": 4, \"id\": 5}"][..],
            &["{"],
            &["id"],
            &["id=1", "id=2"],
            &["a=1", "a.b=2"],
            &["{}", "-"],
        ] {
            assert!(arguments("ledger_proof", bad).is_err(), "{bad:?}");
        }
    }
}
