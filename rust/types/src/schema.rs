//! JSON Schema of arguments and answers, as validators and models read it best.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

pub(crate) fn input_schema<T: JsonSchema>() -> Schema {
    schema::<T>(SchemaSettings::draft2020_12())
}

pub(crate) fn output_schema<T: JsonSchema>() -> Schema {
    schema::<T>(SchemaSettings::draft2020_12().for_serialize())
}

/// Self-contained, because MCP clients and OpenAPI resolve references differently.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    let settings = settings.with(|s| {
        s.inline_subschemas = true;
        s.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    RecursiveTransform(plain_enum).transform(&mut schema);
    RecursiveTransform(standard_format).transform(&mut schema);
    schema
}

/// Rust's widths are no formats of JSON Schema; validators warn of each.
fn standard_format(schema: &mut Schema) {
    let width = |format: &str| {
        format.trim_start_matches('u').starts_with("int") || matches!(format, "float" | "double")
    };
    if schema.get("format").and_then(Value::as_str).is_some_and(width) {
        schema.remove("format");
    }
}

/// A list of documented words is `oneOf` constants to schemars; as `enum` a validator's message names the words, and
/// readers see what each means in the description.
fn plain_enum(schema: &mut Schema) {
    let word = |entry: &Value| {
        Some((entry.get("const")?.as_str()?.to_owned(), entry.get("description")?.as_str()?.to_owned()))
    };
    let Some(Value::Array(entries)) = schema.get("oneOf") else { return };
    let Some(words) = entries.iter().map(word).collect::<Option<Vec<_>>>() else { return };
    let meanings = words.iter().map(|(word, meaning)| format!("\n- {word}: {meaning}")).collect::<String>();
    let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    schema.remove("oneOf");
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), words.into_iter().map(|(word, _)| word).collect());
    schema.insert("description".into(), (about + &meanings).into());
}
