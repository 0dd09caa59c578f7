//! From an HTTP request to typed arguments: path, query and body are one object.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use osmoda_types::{Call, Code, Method, Problem, coerce, json};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

/// A body that stops coming is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What a refused caller may still send; beyond it the connection is closed on it.
const MOST_DRAINED_BYTES: usize = 16 * 1024 * 1024;

/// The arguments of a call, not yet typed. `schema` is that of its input.
pub(crate) async fn arguments(
    call: &Call,
    schema: &Value,
    parts: &Parts,
    path: &[(String, String)],
    body: &mut Body,
) -> Result<Value, Problem> {
    let body = read(body, call.body_limit as usize).await?;
    let mut arguments = match call.method {
        Method::Post => object(&parts.headers, &body)?,
        Method::Get | Method::Delete if body.is_empty() => Map::new(),
        Method::Get | Method::Delete => {
            return Err(Problem::new(Code::RequestSyntax)
                .detail("this method takes its arguments in the query, not in a body"));
        }
    };
    let query = pairs(parts.uri.query().unwrap_or_default())?;
    if call.method == Method::Post
        && let Some((name, _)) = query.first()
    {
        return Err(Problem::new(Code::RequestField).at(pointer_of(name), "belongs into the body of a POST"));
    }
    for (name, text) in path.iter().chain(&query) {
        let value = coerce(&schema["properties"][name.as_str()], text);
        if arguments.insert(name.clone(), value).is_some() {
            return Err(Problem::new(Code::RequestField).at(pointer_of(name), "given more than once"));
        }
    }
    let arguments = Value::Object(arguments);
    match stray_array(schema, &arguments, String::new()) {
        Some(pointer) => Err(Problem::new(Code::RequestField).at(pointer, "is an array")),
        None => Ok(arguments),
    }
}

/// Where an array stands although the schema has none there: serde would read it as the fields of a struct in order.
fn stray_array(schema: &Value, value: &Value, at: String) -> Option<String> {
    match value {
        Value::Array(_) if !may_be_array(schema) => Some(at),
        Value::Array(items) => {
            let inside = |(index, item)| stray_array(&schema["items"], item, format!("{at}/{index}"));
            items.iter().enumerate().find_map(inside)
        }
        Value::Object(fields) => {
            let schema =
                branches(schema).find(|branch| branch["properties"].is_object()).unwrap_or(&Value::Null);
            let inside = |(name, field): (&String, &Value)| {
                stray_array(&schema["properties"][name.as_str()], field, format!("{at}{}", pointer_of(name)))
            };
            fields.iter().find_map(inside)
        }
        _ => None,
    }
}

fn may_be_array(schema: &Value) -> bool {
    branches(schema).any(|branch| match &branch["type"] {
        Value::String(kind) => kind == "array",
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "array"),
        // What has no type takes everything.
        _ => true,
    })
}

/// The alternatives of a schema, or itself.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let any = schema["anyOf"].as_array();
    any.into_iter().flatten().chain(std::iter::once(schema).filter(move |_| any.is_none()))
}

/// The arguments as the type of the endpoint; what does not fit is named by its JSON pointer.
pub(crate) fn typed<T: DeserializeOwned>(call: &Call, arguments: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let path: Vec<String> = error.path().iter().filter_map(segment).collect();
        let in_path = path.first().is_some_and(|name| call.path_params().any(|param| param == name));
        let message = error.inner().to_string();
        let mut pointer: String = path.iter().map(|name| pointer_of(name)).collect();
        if path.is_empty()
            && let Some(field) =
                message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'))
        {
            pointer = pointer_of(field);
        }
        Problem::new(if in_path { Code::RequestId } else { Code::RequestField }).at(pointer, message)
    })
}

fn segment(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }
}

fn pointer_of(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

async fn read(body: &mut Body, limit: usize) -> Result<Bytes, Problem> {
    let whole = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match whole {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::new(Code::RequestTooLarge).detail(format!("this call takes at most {limit} bytes")))
        }
        Ok(Err(_)) => Err(Problem::new(Code::RequestSyntax).detail("the body ended early")),
        Err(_) => Err(Problem::new(Code::RequestTimeout).detail("the body did not arrive within 10 s")),
    }
}

/// Reads what is left of a body whose call is refused: a client that still sends would otherwise see a broken pipe
/// instead of the answer.
pub(crate) async fn drain(body: &mut Body) {
    let rest = async {
        let mut left = MOST_DRAINED_BYTES;
        while let Some(Ok(frame)) = body.frame().await
            && let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len))
        {
            left = rest;
        }
    };
    let _ = tokio::time::timeout(BODY_TIMEOUT, rest).await;
}

fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::RequestType)
            .detail(format!("got {:?}", kind.chars().take(64).collect::<String>())));
    }
    match json::parse(body) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Problem::new(Code::RequestSyntax).detail("the body is no JSON object")),
        Err(error) => Err(Problem::new(Code::RequestSyntax).detail(error.to_string())),
    }
}

/// A query string as pairs; `+` is a space, as forms send it.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((percent_decoded(name)?, percent_decoded(value)?))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn percent_decoded(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let malformed = || Problem::new(Code::RequestSyntax).detail("the query is not percent-encoded UTF-8");
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
                let (high, low) = digit().zip(digit()).ok_or_else(malformed)?;
                u8::try_from(high * 16 + low).expect("two hex digits make a byte")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use osmoda_types::api::agentd::ledger::{EventProofIn, EventsLogIn};
    use osmoda_types::api::agentd::system::SystemQueryIn;
    use osmoda_types::catalogue::tool;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decoded<T: DeserializeOwned>(tool_name: &str, arguments: Value) -> Result<T, (Code, Vec<String>)> {
        typed(tool(tool_name).unwrap(), arguments)
            .map_err(|p| (p.code, p.errors.into_iter().map(|e| e.at).collect()))
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let wrong = |arguments| decoded::<SystemQueryIn>("system_query", arguments).unwrap_err();
        assert_eq!(
            wrong(json!({"query": "disk", "args": {"limit": "x"}})),
            (Code::RequestField, vec!["/args/limit".into()])
        );
        assert_eq!(
            wrong(json!({"query": "disk", "args": {"colour": 1}})),
            (Code::RequestField, vec!["/args/colour".into()])
        );
        assert_eq!(wrong(json!({})), (Code::RequestField, vec!["/query".into()]));
        let log = decoded::<EventsLogIn>("event_log", json!({"limit": 1001})).unwrap_err();
        assert_eq!(log, (Code::RequestField, vec!["/limit".into()]));
    }

    #[test]
    fn an_array_is_not_taken_for_the_fields_of_a_struct() {
        let schema = (tool("system_query").unwrap().input)().to_value();
        let stray = |arguments: Value| stray_array(&schema, &arguments, String::new());
        assert_eq!(stray(json!({"query": "disk", "args": [null, null]})).as_deref(), Some("/args"));
        assert_eq!(stray(json!({"query": ["disk"]})).as_deref(), Some("/query"));
        assert_eq!(stray(json!({"query": "disk", "args": {"limit": 3}})), None);
        let schema = (tool("notify_send").unwrap().input)().to_value();
        assert_eq!(stray_array(&schema, &json!({"links": ["a"]}), String::new()), None);
        assert_eq!(
            stray_array(&schema, &json!({"links": [["a"]]}), String::new()).as_deref(),
            Some("/links/0")
        );
    }

    #[test]
    fn a_malformed_id_in_the_path_is_its_own_code() {
        let wrong = decoded::<EventProofIn>("ledger_proof", json!({"id": "seven"})).unwrap_err();
        assert_eq!(wrong, (Code::RequestId, vec!["/id".into()]));
    }

    proptest! {
        #[test]
        fn any_query_decodes_or_is_refused(query in ".*") {
            let _ = pairs(&query);
        }

        #[test]
        fn what_was_encoded_comes_back(text in ".*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(percent_decoded(&encoded).unwrap(), text);
        }
    }
}
