//! One tool call: arguments checked, sent to the daemon, answer bounded.

use osmoda_client::{CallError, Client};
use osmoda_types::{Code, Problem};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use crate::progress::Progress;
use crate::toolbox::Offered;

/// What a model is shown as text of a long answer; the structured answer beside it is whole.
const TEXT_BYTES: usize = 1024 * 1024;
/// Largest answer that is passed on.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

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
    tool.check(arguments)?;
    let client = client.clone().mark("x-osmoda-tool", &tool.definition.name);
    let answered = if tool.call.stream {
        follow(&client, tool, arguments, progress).await
    } else {
        client.call(tool.call, arguments).await
    };
    answered.map_err(|error| Box::new(error.problem()))
}

/// Collects a stream until it ends by itself, telling each item as it comes.
async fn follow(
    client: &Client,
    tool: &Offered,
    arguments: &Map<String, Value>,
    mut progress: Progress,
) -> Result<Value, CallError> {
    let broken = |error: osmoda_client::StreamError| CallError::Garbage {
        daemon: tool.call.daemon,
        what: error.to_string(),
    };
    let mut events = client.events(tool.call, arguments, None).await?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    while let Some(event) = events.next().await.map_err(broken)? {
        if event.event == "end" {
            break;
        }
        progress.item(&event.event).await;
        bytes += event.data.len();
        if bytes > ANSWER_BYTES {
            break;
        }
        items.push(serde_json::from_str(&event.data).unwrap_or(Value::String(event.data)));
    }
    Ok(json!({"items": items}))
}

fn success(answer: Value) -> CallToolResult {
    let mut text = answer.to_string();
    if text.len() > ANSWER_BYTES {
        let detail = format!("{} bytes, the most is {ANSWER_BYTES}", text.len());
        return failure(&Problem::new(Code::LimitSize).detail(detail));
    }
    if text.len() > TEXT_BYTES {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        text.push_str(&format!("\n[cut here: {TEXT_BYTES} of {whole} bytes; ask for less]"));
    }
    let mut result = CallToolResult::structured(answer);
    result.content = vec![ContentBlock::text(text)];
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
