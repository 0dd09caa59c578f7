//! The tools one bridge offers, and the check of their arguments.

use std::sync::{Arc, OnceLock};

use jsonschema::Validator;
use osmoda_types::{Call, Code, Problem, ToolDefinition, Toolset, tool_definitions};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

/// What a model needs all the time; `--lean` lists these and no others.
const CORE: [&str; 12] = [
    "system_health",
    "system_query",
    "system_discover",
    "event_log",
    "shell_exec",
    "file_read",
    "file_write",
    "service_status",
    "journal_logs",
    "memory_recall",
    "memory_store",
    "safe_switch_begin",
];

/// Finds tools by words.
pub(crate) const SEARCH: &str = "tool_search";
/// Calls a tool that is not listed.
pub(crate) const CALL: &str = "tool_call";

/// The tools of one bridge.
pub(crate) struct Toolbox {
    pub(crate) tools: Vec<Offered>,
    lean: bool,
}

/// A tool with what is made from its schema once.
pub(crate) struct Offered {
    pub(crate) call: &'static Call,
    pub(crate) definition: ToolDefinition,
    validator: OnceLock<Validator>,
}

impl Toolbox {
    pub(crate) fn new(toolsets: &[Toolset], lean: bool) -> Self {
        let wanted = |call: &Call| toolsets.is_empty() || toolsets.contains(&call.toolset);
        let offered = |(call, definition)| Offered { call, definition, validator: OnceLock::new() };
        Self { tools: tool_definitions().filter(|(call, _)| wanted(call)).map(offered).collect(), lean }
    }

    /// What `tools/list` shows.
    pub(crate) fn listed(&self) -> Vec<Tool> {
        let shown =
            self.tools.iter().filter(|tool| !self.lean || CORE.contains(&tool.definition.name.as_str()));
        let mut list: Vec<Tool> = shown.map(|tool| as_mcp(&tool.definition)).collect();
        list.push(search_tool());
        if self.lean {
            list.push(call_tool());
        }
        list
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Offered> {
        self.tools.iter().find(|tool| tool.definition.name == name)
    }

    /// Names that share most with a name that does not exist.
    pub(crate) fn closest(&self, name: &str) -> Vec<&str> {
        let parts: Vec<&str> = name.split('_').filter(|part| part.len() > 2).collect();
        let shared =
            |tool: &&Offered| parts.iter().filter(|part| tool.definition.name.contains(*part)).count();
        let mut close: Vec<&Offered> = self.tools.iter().filter(|tool| shared(tool) > 0).collect();
        close.sort_by_key(|tool| std::cmp::Reverse(shared(tool)));
        close.iter().take(5).map(|tool| tool.definition.name.as_str()).collect()
    }
}

impl Offered {
    /// Every mistake in the arguments, by its JSON pointer.
    pub(crate) fn check(&self, arguments: &Map<String, Value>) -> Result<(), Box<Problem>> {
        let schema = || Value::Object(self.definition.input_schema.clone());
        let make = || jsonschema::validator_for(&schema()).expect("the catalogue's schemas are schemas");
        let arguments = Value::Object(arguments.clone());
        let mistakes = self.validator.get_or_init(make).iter_errors(&arguments).take(MOST_MISTAKES);
        let problem = mistakes.fold(Problem::new(Code::RequestField), |problem, mistake| {
            let message: String = mistake.to_string().chars().take(MISTAKE_CHARS).collect();
            problem.at(mistake.instance_path().to_string(), message)
        });
        if problem.errors.is_empty() {
            return Ok(());
        }
        let name = &self.definition.name;
        Err(Box::new(
            problem
                .next_step(format!("correct the arguments and call {name} again; {SEARCH} shows its schema")),
        ))
    }
}

/// A model needs the first few.
const MOST_MISTAKES: usize = 10;
/// A message quotes the wrong value, which may be large.
const MISTAKE_CHARS: usize = 300;

fn as_mcp(definition: &ToolDefinition) -> Tool {
    let hints = definition.annotations;
    let annotations = ToolAnnotations::with_title(definition.title.clone())
        .read_only(hints.read_only_hint)
        .destructive(hints.destructive_hint)
        .idempotent(hints.idempotent_hint)
        .open_world(hints.open_world_hint);
    Tool::new(
        definition.name.clone(),
        definition.description.clone(),
        Arc::new(definition.input_schema.clone()),
    )
    .with_title(definition.title.clone())
    .with_raw_output_schema(Arc::new(definition.output_schema.clone()))
    .with_annotations(annotations)
}

fn search_tool() -> Tool {
    let input = json!({"type": "object", "additionalProperties": false, "required": ["query"], "properties": {
        "query": {"type": "string", "maxLength": 256, "description": "what you want to do, in a few words"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "tools at the most, 5 unless told"}}});
    let output = json!({"type": "object", "required": ["tools"], "properties": {"tools": {"type": "array", "items": {
        "type": "object", "required": ["name", "description", "inputSchema"], "properties": {
            "name": {"type": "string"}, "description": {"type": "string"}, "inputSchema": {"type": "object"}}}}}});
    Tool::new(SEARCH, "Find tools of this machine by words. Returns each with its arguments.", object(input))
        .with_title("Tool search")
        .with_raw_output_schema(object(output))
        .with_annotations(
            ToolAnnotations::with_title("Tool search").read_only(true).idempotent(true).open_world(false),
        )
}

fn call_tool() -> Tool {
    let input = json!({"type": "object", "additionalProperties": false, "required": ["tool"], "properties": {
        "tool": {"type": "string", "maxLength": 64, "description": "name of the tool"},
        "arguments": {"type": "object", "description": "its arguments, as tool_search shows them"}}});
    Tool::new(CALL, "Call a tool that is not listed, by the name that tool_search gave.", object(input))
        .with_title("Tool call")
        .with_annotations(ToolAnnotations::with_title("Tool call").read_only(false).open_world(false))
}

fn object(value: Value) -> Arc<JsonObject> {
    match value {
        Value::Object(map) => Arc::new(map),
        other => unreachable!("the literals above are objects, not {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_by_its_pointer() {
        let toolbox = Toolbox::new(&[], false);
        let check =
            |arguments: Value| toolbox.find("system_query").unwrap().check(arguments.as_object().unwrap());
        assert!(check(json!({"query": "disk"})).is_ok());
        let problem = check(json!({"query": "disk", "args": {"limit": "x"}, "colour": 1})).unwrap_err();
        let mut at: Vec<&str> = problem.errors.iter().map(|error| error.at.as_str()).collect();
        at.sort_unstable();
        assert_eq!(at, ["", "/args/limit"]);
    }

    #[test]
    fn a_lean_list_is_short_and_hides_nothing_from_a_call() {
        let lean = Toolbox::new(&[], true);
        assert!(lean.listed().len() <= 14);
        assert!(lean.find("ledger_proof").is_some());
        let ledger = Toolbox::new(&[Toolset::Ledger], false);
        assert!(ledger.find("system_health").is_none() && ledger.find("event_log").is_some());
    }

    #[test]
    fn a_wrong_name_leads_to_close_ones() {
        assert_eq!(Toolbox::new(&[], false).closest("health_system")[0], "system_health");
    }
}
