//! The check of a tool's arguments against its schema, in words that a model can act on.

use std::sync::OnceLock;

use jsonschema::{ValidationError, Validator};
use osmoda_types::{Code, Problem};
use rmcp::model::JsonObject;
use serde_json::{Map, Value};

/// Mistakes that are named; a model needs the first few.
const MOST_MISTAKES: usize = 10;
/// Longest message in characters; a longer one quotes a long value, which is left out then.
const MESSAGE_CHARS: usize = 300;
/// Characters of a wrong value that are quoted.
const VALUE_CHARS: usize = 80;

/// The schema of a tool's arguments; the validator is made at the first call and kept.
pub(crate) struct Arguments {
    schema: Value,
    validator: OnceLock<Validator>,
}

impl Arguments {
    pub(crate) fn new(schema: &JsonObject) -> Self {
        Self { schema: Value::Object(schema.clone()), validator: OnceLock::new() }
    }

    /// Whether there is an argument of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.schema["properties"].get(name).is_some()
    }

    /// Every mistake, by its JSON pointer.
    pub(crate) fn check(&self, tool: &str, arguments: &Map<String, Value>) -> Result<(), Box<Problem>> {
        let make = || {
            let options = jsonschema::options().should_validate_formats(true);
            options.build(&self.schema).expect("the catalogue's schemas are schemas")
        };
        let arguments = Value::Object(arguments.clone());
        let mistakes = self.validator.get_or_init(make).iter_errors(&arguments).take(MOST_MISTAKES);
        let problem = mistakes.fold(Problem::new(Code::RequestField), |problem, mistake| {
            problem.at(mistake.instance_path().to_string(), self.message(&mistake))
        });
        if problem.errors.is_empty() {
            return Ok(());
        }
        Err(Box::new(problem.next_step(format!("correct the arguments and call {tool} again"))))
    }

    fn message(&self, mistake: &ValidationError<'_>) -> String {
        let path = mistake.schema_path().to_string();
        let choice = ["/enum", "/oneOf", "/anyOf"].iter().find_map(|keyword| path.strip_suffix(keyword));
        if let Some(expected) = choice.and_then(|schema| expected(self.schema.pointer(schema)?)) {
            return format!("{} is not {expected}", cut(&mistake.instance().to_string(), VALUE_CHARS));
        }
        let plain = mistake.to_string();
        if plain.len() > MESSAGE_CHARS { cut(&mistake.masked().to_string(), MESSAGE_CHARS) } else { plain }
    }
}

/// What a schema with alternatives asks for: one of its fixed values, else what an alternative's description says. The
/// validator's own message names the keyword, or the first few values.
fn expected(schema: &Value) -> Option<String> {
    let mut values = Vec::new();
    fixed_values(schema, &mut values);
    if values.is_empty() {
        return alternatives(schema).find_map(described).map(str::to_owned);
    }
    Some(format!("one of {}", values.join(", ")))
}

fn fixed_values<'a>(schema: &'a Value, values: &mut Vec<&'a str>) {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    values.extend(schema.get("const").into_iter().chain(listed).filter_map(Value::as_str));
    for alternative in alternatives(schema) {
        fixed_values(alternative, values);
    }
}

fn described(schema: &Value) -> Option<&str> {
    let own = schema.get("description").and_then(Value::as_str);
    own.or_else(|| alternatives(schema).find_map(described))
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let keywords = ["oneOf", "anyOf"].into_iter().filter_map(|keyword| schema.get(keyword));
    keywords.filter_map(Value::as_array).flatten()
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(tool: &str, arguments: &Value) -> Result<(), Box<Problem>> {
        let (_, definition) = osmoda_types::tool_definitions().find(|(_, d)| d.name == tool).unwrap();
        Arguments::new(&definition.input_schema).check(tool, arguments.as_object().unwrap())
    }

    fn mistakes(tool: &str, arguments: &Value) -> Vec<(String, String)> {
        let problem = check(tool, arguments).unwrap_err();
        let mut found: Vec<_> = problem.errors.into_iter().map(|error| (error.at, error.message)).collect();
        found.sort();
        found
    }

    #[test]
    fn every_mistake_is_named_by_its_pointer() {
        assert!(check("system_query", &json!({"query": "disk"})).is_ok());
        let found = mistakes("system_query", &json!({"query": "disk", "args": {"limit": "x"}, "colour": 1}));
        let at: Vec<&str> = found.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(at, ["", "/args/limit"]);
    }

    #[test]
    fn a_wrong_choice_is_answered_with_the_choices() {
        let found = mistakes("system_query", &json!({"query": "disc", "args": {"sort": "name"}}));
        assert_eq!(found[0], ("/args/sort".into(), "\"name\" is not one of cpu, memory".into()));
        assert!(found[1].1.starts_with("\"disc\" is not one of processes, disk, hostname"), "{}", found[1].1);
    }

    #[test]
    fn a_choice_of_forms_is_answered_with_their_description() {
        let found = mistakes("event_log", &json!({"since": "yesterday"}));
        assert!(
            found[0].1.starts_with("\"yesterday\" is not ") && found[0].1.contains("7d"),
            "{}",
            found[0].1
        );
    }

    #[test]
    fn a_long_value_is_not_quoted() {
        let found = mistakes("event_log", &json!({"q": "x".repeat(1_000_000)}));
        assert!(found[0].1.chars().count() <= MESSAGE_CHARS && found[0].1.contains("256"), "{}", found[0].1);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        let key = prop_oneof!["query|args|limit|sort|type|since|id|against".prop_map(String::from), ".*"];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(key.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_arguments_pass_or_get_a_short_list_of_mistakes(value in any_json()) {
            let arguments = json!({"query": value, "args": value, "since": value});
            for tool in ["system_query", "event_log", "ledger_verify"] {
                if let Err(problem) = check(tool, &arguments) {
                    prop_assert!((1..=MOST_MISTAKES).contains(&problem.errors.len()));
                    prop_assert!(problem.errors.iter().all(|e| e.message.chars().count() < 2 * MESSAGE_CHARS));
                }
            }
        }
    }
}
