//! The two tools about tools, which keep a lean list complete: find one, call it.

use std::sync::Arc;

use osmoda_types::Problem;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::arguments::Arguments;
use crate::toolbox::{object, or_problem};

/// Finds tools by words.
pub(crate) const SEARCH: &str = "tool_search";
/// Calls a tool that is not listed.
pub(crate) const CALL: &str = "tool_call";

/// Tools found unless told.
const FOUND: usize = 5;

/// A tool's name, and its arguments if any are given.
type Named<'a> = (&'a str, Option<&'a Map<String, Value>>);

/// The checks of their arguments.
pub(crate) struct Meta {
    search: Arguments,
    call: Arguments,
}

impl Meta {
    pub(crate) fn new() -> Self {
        Self { search: Arguments::new(&search_input()), call: Arguments::new(&call_input()) }
    }

    /// The words to look for, and how many tools at the most.
    pub(crate) fn search<'a>(
        &self,
        arguments: &'a Map<String, Value>,
    ) -> Result<(&'a str, usize), Box<Problem>> {
        self.search.check(SEARCH, arguments)?;
        let limit =
            arguments.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
        Ok((arguments.get("query").and_then(Value::as_str).unwrap_or_default(), limit.unwrap_or(FOUND)))
    }

    /// The tool to call.
    pub(crate) fn call<'a>(&self, arguments: &'a Map<String, Value>) -> Result<Named<'a>, Box<Problem>> {
        self.call.check(CALL, arguments)?;
        let tool = arguments.get("tool").and_then(Value::as_str).unwrap_or_default();
        Ok((tool, arguments.get("arguments").and_then(Value::as_object)))
    }
}

pub(crate) fn search_tool() -> Tool {
    let output = json!({"type": "object", "required": ["tools"], "properties": {"tools": {"type": "array", "items": {
        "type": "object", "required": ["name", "description", "inputSchema"], "properties": {
            "name": {"type": "string"}, "description": {"type": "string"}, "inputSchema": {"type": "object"}}}}}});
    let hints =
        ToolAnnotations::with_title("Tool search").read_only(true).destructive(false).idempotent(true);
    Tool::new(SEARCH, "Find tools of this machine by words. Shows each with its arguments.", search_input())
        .with_title("Tool search")
        .with_raw_output_schema(or_problem(&object(output)))
        .with_annotations(hints.open_world(false))
}

/// Its answer is that of the tool it calls, so it has no output schema of its own.
pub(crate) fn call_tool() -> Tool {
    let hints = ToolAnnotations::with_title("Tool call").read_only(false).destructive(true).idempotent(false);
    Tool::new(CALL, "Call a tool that is not listed, by the name that tool_search gave.", call_input())
        .with_title("Tool call")
        .with_annotations(hints.open_world(false))
}

fn search_input() -> Arc<JsonObject> {
    object(json!({"type": "object", "additionalProperties": false, "required": ["query"], "properties": {
        "query": {"type": "string", "maxLength": 256, "description": "what you want to do, in a few words"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": FOUND, "description": "tools at the most"}}}))
}

fn call_input() -> Arc<JsonObject> {
    object(json!({"type": "object", "additionalProperties": false, "required": ["tool"], "properties": {
        "tool": {"type": "string", "maxLength": 64, "description": "name of the tool"},
        "arguments": {"type": "object", "description": "its arguments, as tool_search shows them"}}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(problem: &Problem) -> Vec<&str> {
        problem.errors.iter().map(|error| error.at.as_str()).collect()
    }

    #[test]
    fn a_search_and_a_call_are_checked_like_any_tool() {
        let meta = Meta::new();
        let given = |value: Value| value.as_object().unwrap().clone();
        assert_eq!(meta.search(&given(json!({"query": "disk"}))).unwrap(), ("disk", FOUND));
        assert_eq!(
            at(&meta.search(&given(json!({"query": 1, "limit": 0}))).unwrap_err()),
            ["/limit", "/query"]
        );
        assert_eq!(meta.call(&given(json!({"tool": "x", "arguments": {}}))).unwrap().0, "x");
        assert_eq!(
            at(&meta.call(&given(json!({"tool": "x", "arguments": []}))).unwrap_err()),
            ["/arguments"]
        );
        assert_eq!(at(&meta.call(&given(json!({"tool": "x", "args": {}}))).unwrap_err()), [""]);
    }
}
