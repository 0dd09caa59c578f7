//! `tool_search`: ranks tools by the words of a query.

use serde_json::{Value, json};

use crate::toolbox::{Offered, Toolbox};

/// The best tools for a query, best first, equals by name.
pub(crate) fn search(toolbox: &Toolbox, query: &str, limit: usize) -> Value {
    let wanted = words(query);
    let mut ranked: Vec<(usize, &Offered)> =
        toolbox.tools.iter().map(|tool| (score(tool, &wanted), tool)).collect();
    ranked.retain(|(score, _)| *score > 0);
    ranked.sort_by(|(a, first), (b, second)| {
        b.cmp(a).then_with(|| first.definition.name.cmp(&second.definition.name))
    });
    let shown = ranked.iter().take(limit).map(|(_, Offered { definition, .. })| {
        json!({"name": definition.name, "description": definition.description, "inputSchema": definition.input_schema})
    });
    json!({"tools": shown.collect::<Vec<_>>()})
}

/// A word in the name says most, then one in the description, then one in an argument's name.
fn score(tool: &Offered, wanted: &[String]) -> usize {
    let definition = &tool.definition;
    let arguments = definition.input_schema.get("properties").and_then(Value::as_object);
    let arguments: String =
        arguments.into_iter().flat_map(|p| p.keys()).map(|name| format!("{name} ")).collect();
    let places = [(8, words(&definition.name)), (3, words(&definition.description)), (1, words(&arguments))];
    wanted
        .iter()
        .map(|word| places.iter().map(|(weight, there)| weight * matching(word, there)).max().unwrap_or(0))
        .sum()
}

/// 2 for the word itself, 1 for a word of the same stem (`process` and `processes`), else 0.
fn matching(word: &str, there: &[String]) -> usize {
    let same_stem = |other: &String| {
        word.len() > 3 && other.len() > 3 && (other.starts_with(word) || word.starts_with(other.as_str()))
    };
    if there.iter().any(|other| other == word) { 2 } else { usize::from(there.iter().any(same_stem)) }
}

fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() > 1);
    parts.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(query: &str) -> Option<String> {
        let found = search(&Toolbox::new(&[], false), query, 5);
        Some(found["tools"][0]["name"].as_str()?.to_owned())
    }

    #[test]
    fn the_tool_that_was_meant_comes_first() {
        assert_eq!(first("list running processes").as_deref(), Some("system_query"));
        assert_eq!(first("is the ledger whole? verify it").as_deref(), Some("ledger_verify"));
        assert_eq!(first("audit events").as_deref(), Some("event_log"));
        assert_eq!(first("zzz"), None);
    }

    proptest! {
        #[test]
        fn any_query_gives_at_most_the_limit(query in ".*", limit in 1_usize..10) {
            let found = search(&Toolbox::new(&[], false), &query, limit);
            prop_assert!(found["tools"].as_array().unwrap().len() <= limit);
        }
    }
}
