//! `tool_search`: ranks tools by the words of a query.

use std::cmp::Reverse;

use serde_json::{Value, json};

use crate::toolbox::{Offered, Toolbox};

/// A word's weight is shared among the tools that have it, in whole numbers.
const WHOLE: usize = 1000;
/// Letters in which words of one stem differ.
const LONGEST_ENDING: usize = 3;

/// The best tools for a query, best first, equals by name.
pub(crate) fn search(toolbox: &Toolbox, query: &str, limit: usize) -> Value {
    let mut scores = vec![0; toolbox.tools.len()];
    let places: Vec<_> = toolbox.tools.iter().map(places).collect();
    for word in words(query) {
        let points: Vec<usize> = places.iter().map(|places| weight(&word, places)).collect();
        // A word that every tool has says nothing about any.
        let having = points.iter().filter(|points| **points > 0).count().max(1);
        scores.iter_mut().zip(points).for_each(|(score, points)| *score += points * WHOLE / having);
    }
    let mut ranked: Vec<_> = scores.into_iter().zip(&toolbox.tools).filter(|(score, _)| *score > 0).collect();
    ranked.sort_by_key(|(score, tool)| (Reverse(*score), &tool.definition.name));
    let shown = ranked.iter().take(limit).map(|(_, Offered { definition, .. })| {
        json!({"name": definition.name, "description": definition.description, "inputSchema": definition.input_schema})
    });
    json!({"tools": shown.collect::<Vec<_>>()})
}

/// Where words are looked for and what they weigh there: name, description, and what stands in the arguments' schema.
fn places(Offered { definition, .. }: &Offered) -> [(usize, Vec<String>); 3] {
    let mut arguments = String::new();
    definition.input_schema.get("properties").into_iter().for_each(|schema| texts(schema, &mut arguments));
    [(8, words(&definition.name)), (3, words(&definition.description)), (1, words(&arguments))]
}

fn weight(word: &str, places: &[(usize, Vec<String>); 3]) -> usize {
    places.iter().map(|(weight, there)| weight * matching(word, there)).max().unwrap_or(0)
}

/// Every name and text of a schema.
fn texts(schema: &Value, into: &mut String) {
    match schema {
        Value::String(text) => into.extend([text.as_str(), " "]),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            into.extend([name.as_str(), " "]);
            texts(field, into);
        }),
        _ => {}
    }
}

/// 2 for the word itself, 1 for a word of the same stem (`process` and `processes`), else 0.
fn matching(word: &str, there: &[String]) -> usize {
    let same_stem = |other: &String| {
        let (short, long) =
            if word.len() < other.len() { (word, other.as_str()) } else { (other.as_str(), word) };
        short.len() > 3 && long.len() - short.len() <= LONGEST_ENDING && long.starts_with(short)
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
        assert_eq!(first("prove an event").as_deref(), Some("ledger_proof"));
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
