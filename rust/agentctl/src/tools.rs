//! `agentctl tools`: what an agent can do here, and doing it by hand.

use anyhow::Context;
use comfy_table::Cell;
use osmoda_client::Client;
use osmoda_types::{Call, catalogue, tool_definitions};
use serde_json::{Map, Value};

use crate::args::{ToolsCall, ToolsList};
use crate::arguments;
use crate::exit::{Exit, Misuse, Outcome};
use crate::screen::Screen;

pub(crate) fn list(args: &ToolsList, screen: &mut Screen) -> Outcome {
    let wanted = |call: &Call| args.toolset.is_none_or(|toolset| call.toolset == toolset);
    let tools: Vec<_> = tool_definitions().filter(|(call, _)| wanted(call)).collect();
    if screen.is_json() {
        let tools: Vec<_> = tools.into_iter().map(|(_, tool)| tool).collect();
        screen.json(&tools)?;
        return Ok(Exit::Ok);
    }
    let row = |(call, tool): &(&Call, osmoda_types::ToolDefinition)| {
        let first = call.summary.split_once(". ").map_or(call.summary, |(first, _)| first);
        let words =
            [call.toolset.name(), call.effect.name(), call.daemon.name(), first.trim_end_matches('.')];
        std::iter::once(tool.name.as_str()).chain(words).map(Cell::new).collect()
    };
    screen.table(&["TOOL", "SET", "EFFECT", "DAEMON", "WHAT IT DOES"], tools.iter().map(row).collect())?;
    Ok(Exit::Ok)
}

pub(crate) async fn call(client: &Client, args: &ToolsCall, screen: &mut Screen) -> Outcome {
    let unknown = || Misuse(format!("there is no tool {}; agentctl tools list names them", args.name));
    let call = catalogue::tool(&args.name).ok_or_else(unknown)?;
    let arguments = arguments::read(&(call.input)().to_value(), &args.arguments, std::io::stdin())?;
    if call.stream {
        return stream(client, call, &arguments, screen).await;
    }
    let answer = client.call(call, &arguments).await?;
    let shown = if screen.is_json() { screen.json_line(&answer) } else { screen.json(&answer) };
    shown?;
    Ok(Exit::Ok)
}

/// Each item on a line, as it comes.
async fn stream(
    client: &Client,
    call: &'static Call,
    arguments: &Map<String, Value>,
    screen: &mut Screen,
) -> Outcome {
    let mut items = client.events(call, arguments, None).await?;
    while let Some(item) = items.next().await? {
        if item.event == "end" {
            return Ok(Exit::Ok);
        }
        let item: Value = serde_json::from_str(&item.data).context("the stream holds what is no JSON")?;
        screen.json_line(&item)?;
    }
    anyhow::bail!("the stream broke off before its end")
}
