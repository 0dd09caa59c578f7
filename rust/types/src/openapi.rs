//! The catalogue as OpenAPI 3.1, and the way back: query text to typed values.

use serde_json::{Map, Value, json};

use crate::{Call, Daemon, Problem, catalogue};

/// The OpenAPI document of one daemon, from the given calls.
pub fn openapi_document<'a>(daemon: Daemon, version: &str, calls: impl Iterator<Item = &'a Call>) -> Value {
    let mut paths = Map::new();
    for call in calls {
        let path = paths.entry(call.path).or_insert_with(|| Value::Object(Map::new()));
        path[call.method.as_str().to_ascii_lowercase()] = operation(call);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": format!("osModa {}", daemon.name()), "version": version,
            "description": format!("HTTP on the Unix socket {}.", daemon.socket())},
        "servers": [{"url": "http://l"}],
        "paths": paths,
        "components": {"schemas": {"Problem": crate::schema::output_schema::<Problem>()}},
    })
}

fn operation(call: &Call) -> Value {
    let input = (call.input)().to_value();
    let params: Vec<&str> = call.path_params().collect();
    let mut operation = json!({
        "operationId": call.tool.map_or_else(|| call.event(), str::to_owned),
        "summary": call.summary,
        "x-effect": call.effect.name(),
        "responses": {"200": {"description": "done", "content": success(call)}, "default": problem()},
    });
    let body = call.method == catalogue::Method::Post;
    let parameters: Vec<Value> = fields(&input)
        .filter(|(name, ..)| !body || params.contains(&name.as_str()))
        .map(|(name, schema, required)| {
            let place = if params.contains(&name.as_str()) { "path" } else { "query" };
            json!({"name": name, "in": place, "required": required, "schema": schema})
        })
        .collect();
    operation["parameters"] = parameters.into();
    if body {
        operation["requestBody"] =
            json!({"required": false, "content": {"application/json": {"schema": without(&input, &params)}}});
    }
    operation
}

fn success(call: &Call) -> Value {
    let schema = (call.output)().to_value();
    match (call.stream, call.path) {
        // Frames of text: OpenAPI has no schema for them, so the item's stands in the docs only.
        (true, path) if path.ends_with("/stream") => {
            json!({"text/event-stream": {"schema": {"type": "string"}}})
        }
        (true, _) => json!({"application/x-ndjson": {"schema": {"type": "string"}}}),
        (false, _) => json!({"application/json": {"schema": schema}}),
    }
}

fn problem() -> Value {
    json!({"description": "a problem, RFC 9457",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}})
}

fn fields(input: &Value) -> impl Iterator<Item = (&String, &Value, bool)> {
    let required = |name: &String| input["required"].as_array().is_some_and(|r| r.iter().any(|n| n == name));
    input["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(move |(name, schema)| (name, schema, required(name)))
}

fn without(input: &Value, names: &[&str]) -> Value {
    let mut input = input.clone();
    if let Some(properties) = input.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|name, _| !names.contains(&name.as_str()));
    }
    if let Some(required) = input.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !names.iter().any(|n| name == n));
    }
    input
}

/// Reads the text of a path or query parameter as the type its schema asks for; text that does not fit stays text, so
/// that decoding names the field.
pub fn coerce(schema: &Value, text: &str) -> Value {
    let wants = |kind: &str| match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(many) => many.iter().any(|k| k == kind),
        _ => false,
    };
    // JSON would take white space around a number; a parameter has none.
    let bare = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number = || crate::json::parse(text.as_bytes()).ok().filter(|value| bare && value.is_number());
    let parsed = if wants("integer") || wants("number") {
        number()
    } else if wants("boolean") {
        text.parse().ok().map(Value::Bool)
    } else {
        None
    };
    parsed.unwrap_or_else(|| text.into())
}
