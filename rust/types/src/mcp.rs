//! The catalogue as MCP tools.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Call, Effect, catalogue};

/// A tool as MCP's `tools/list` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolDefinition {
    /// The tool's name.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What a model reads.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Map<String, Value>,
    /// JSON Schema of the structured result.
    pub output_schema: Map<String, Value>,
    /// Hints, true ones: derived from the effect.
    pub annotations: Annotations,
}

/// MCP's tool annotations.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    /// It only looks.
    pub read_only_hint: bool,
    /// It may lose something for good.
    pub destructive_hint: bool,
    /// Twice is once.
    pub idempotent_hint: bool,
    /// It reaches beyond this machine.
    pub open_world_hint: bool,
}

/// Every tool of this release.
pub fn tool_definitions() -> impl Iterator<Item = (&'static Call, ToolDefinition)> {
    catalogue::calls().filter_map(|call| Some((call, tool_definition(call)?)))
}

/// A call as a tool; `None` for calls between our own programs.
pub fn tool_definition(call: &Call) -> Option<ToolDefinition> {
    let name = call.tool?;
    let object = |schema: schemars::Schema| match schema.to_value() {
        Value::Object(mut map) => {
            map.entry("type").or_insert_with(|| "object".into());
            map
        }
        other => unreachable!("arguments and answers are structs, not {other}"),
    };
    let output = object((call.output)());
    Some(ToolDefinition {
        name: name.to_owned(),
        title: title(name),
        description: call.summary.to_owned(),
        input_schema: object((call.input)()),
        output_schema: if call.stream { stream_output(output) } else { output },
        annotations: Annotations {
            read_only_hint: call.effect == Effect::Observe,
            destructive_hint: call.effect > Effect::Change,
            idempotent_hint: call.idempotent,
            open_world_hint: false,
        },
    })
}

/// A stream's tool result: what came until it ended.
fn stream_output(item: Map<String, Value>) -> Map<String, Value> {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"items": {"type": "array", "items": item}},
        "required": ["items"],
    });
    match schema {
        Value::Object(map) => map,
        _ => unreachable!("the literal above is an object"),
    }
}

fn title(name: &str) -> String {
    let mut text = name.replace('_', " ");
    text[..1].make_ascii_uppercase();
    text
}
