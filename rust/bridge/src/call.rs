//! One tool call: arguments checked, sent to the daemon, answer bounded.

use osmoda_client::{CallError, Client, StreamError};
use osmoda_types::{Code, Problem};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::progress::Progress;
use crate::toolbox::Offered;

/// What a model is shown as text of a long answer; the structured answer beside it is whole.
const TEXT_BYTES: usize = 1024 * 1024;
/// Largest answer that is passed on.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Most that is collected from a stream: so much that its text is never cut.
const STREAM_BYTES: usize = TEXT_BYTES * 3 / 4;

/// Makes the call; whatever goes wrong is a result that a model can read.
pub(crate) async fn call(
    client: &Client,
    tool: &Offered,
    arguments: &Map<String, Value>,
    progress: Progress,
) -> CallToolResult {
    match perform(client, tool, arguments, progress).await {
        Ok(answer) => success(answer),
        Err(problem) => failure(&problem),
    }
}

async fn perform(
    client: &Client,
    tool: &Offered,
    arguments: &Map<String, Value>,
    progress: Progress,
) -> Result<Value, Box<Problem>> {
    tool.arguments.check(&tool.definition.name, arguments)?;
    let client = client.clone().mark("x-osmoda-tool", &tool.definition.name);
    let answered = if tool.call.stream {
        follow(&client, tool, arguments.clone(), progress).await
    } else {
        client.call(tool.call, arguments).await
    };
    answered.map_err(|error| Box::new(error.problem()))
}

/// Collects a stream until it ends by itself, passing on each item as it comes. `truncated` says that there is more
/// than what was collected.
async fn follow(
    client: &Client,
    tool: &Offered,
    mut arguments: Map<String, Value>,
    mut progress: Progress,
) -> Result<Value, CallError> {
    if let Some(secs) =
        tool.default_wait_secs().filter(|_| arguments.get("wait_secs").is_none_or(Value::is_null))
    {
        arguments.insert("wait_secs".into(), secs.into());
    }
    let garbage = |what| CallError::Garbage { daemon: tool.call.daemon, what };
    let broken = |error: StreamError| garbage(error.to_string());
    let mut events = client.events(tool.call, &arguments, None).await?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    while let Some(event) = events.next().await.map_err(broken)? {
        match event.event.as_str() {
            "end" => return Ok(json!({"items": items})),
            "gap" | "lagged" => break,
            _ => {}
        }
        bytes += event.data.len();
        if bytes > STREAM_BYTES {
            break;
        }
        let item: Value = serde_json::from_str(&event.data).map_err(|error| garbage(error.to_string()))?;
        items.push(item);
        progress.item(event.data).await;
    }
    Ok(json!({"items": items, "truncated": true}))
}

/// The answer as data, and as text for models that read nothing else.
pub(crate) fn success(answer: Value) -> CallToolResult {
    let mut text = answer.to_string();
    let whole = text.len();
    if whole > ANSWER_BYTES {
        let detail = format!("{whole} bytes, the most is {ANSWER_BYTES}");
        return failure(&Problem::new(Code::LimitSize).detail(detail));
    }
    if whole > TEXT_BYTES {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        text.push_str(&format!("\n[cut here: {TEXT_BYTES} of {whole} bytes; ask for less]"));
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(answer);
    result
}

/// A problem in words, and as data beside them.
pub(crate) fn failure(problem: &Problem) -> CallToolResult {
    let mut result = CallToolResult::error(vec![ContentBlock::text(problem.to_string())]);
    result.structured_content = serde_json::to_value(problem).ok();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_is_cut_in_the_text_only_and_a_huge_one_is_a_problem() {
        let long = success(json!({"a": "é".repeat(TEXT_BYTES)}));
        assert_eq!(long.structured_content.unwrap()["a"].as_str().unwrap().chars().count(), TEXT_BYTES);
        let text = serde_json::to_string(&long.content).unwrap();
        assert!(text.contains("[cut here: ") && text.len() < TEXT_BYTES + 300);
        let huge = success(json!({"a": "x".repeat(ANSWER_BYTES)}));
        assert_eq!(huge.is_error, Some(true));
        assert_eq!(huge.structured_content.unwrap()["code"], "limit.size");
    }
}
