//! The tools one bridge offers.

use std::sync::Arc;

use osmoda_types::{Call, ToolDefinition, Toolset, tool_definitions};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::meta::{self, Meta};

/// What a model needs all the time; `--lean` lists these and no others, so they stay few.
const CORE: &[&str] = &["system_health", "system_query", "system_discover", "event_log"];
/// A name this much like another (Sørensen-Dice, 0 to 1) may be meant by it.
const ALIKE: f64 = 0.4;
/// Names that are suggested for one that does not exist.
const SUGGESTIONS: usize = 3;

/// The tools of one bridge.
pub(crate) struct Toolbox {
    pub(crate) tools: Vec<Offered>,
    pub(crate) meta: Meta,
    listed: Vec<Tool>,
}

/// A tool with what is made from its schema once.
pub(crate) struct Offered {
    pub(crate) call: &'static Call,
    pub(crate) definition: ToolDefinition,
    pub(crate) arguments: Arguments,
}

impl Toolbox {
    /// All tools, or those of some toolsets, and the search; a lean box lists its core and what leads to the others.
    pub(crate) fn new(toolsets: &[Toolset], lean: bool) -> Self {
        let wanted = |call: &Call| toolsets.is_empty() || toolsets.contains(&call.toolset);
        let offered = |(call, definition): (&'static Call, ToolDefinition)| Offered {
            arguments: Arguments::new(&definition.input_schema),
            call,
            definition,
        };
        let tools: Vec<_> = tool_definitions().filter(|(call, _)| wanted(call)).map(offered).collect();
        let shown = tools.iter().filter(|tool| !lean || CORE.contains(&tool.definition.name.as_str()));
        let mut listed: Vec<Tool> = shown.map(as_mcp).collect();
        listed.push(meta::search_tool());
        if lean {
            listed.push(meta::call_tool());
        }
        Self { tools, meta: Meta::new(), listed }
    }

    /// What `tools/list` shows.
    pub(crate) fn listed(&self) -> &[Tool] {
        &self.listed
    }

    /// The tool of this name, listed or not.
    pub(crate) fn find(&self, name: &str) -> Option<&Offered> {
        self.tools.iter().find(|tool| tool.definition.name == name)
    }

    /// What to say about a name that does not exist.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let name: String = name.chars().take(64).collect();
        let likeness = |tool: &Offered| strsim::sorensen_dice(&name, &tool.definition.name);
        let mut close: Vec<_> =
            self.tools.iter().map(|tool| (likeness(tool), &tool.definition.name)).collect();
        close.retain(|(likeness, _)| *likeness >= ALIKE);
        close.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let close: Vec<_> = close.iter().take(SUGGESTIONS).map(|(_, name)| name.as_str()).collect();
        match close[..] {
            [] => format!("there is no tool {name:?}; {} finds tools by words", meta::SEARCH),
            _ => format!("there is no tool {name:?}; did you mean {}?", close.join(" or ")),
        }
    }
}

fn as_mcp(tool: &Offered) -> Tool {
    let definition = &tool.definition;
    let mut description = definition.description.clone();
    if let Some(secs) = tool.default_wait_secs() {
        description.push_str(&format!(" As a tool it ends after {secs} seconds unless wait_secs is given."));
    }
    let hints = definition.annotations;
    let annotations = ToolAnnotations::with_title(definition.title.clone())
        .read_only(hints.read_only_hint)
        .destructive(hints.destructive_hint)
        .idempotent(hints.idempotent_hint)
        .open_world(hints.open_world_hint);
    Tool::new(definition.name.clone(), description, Arc::new(definition.input_schema.clone()))
        .with_title(definition.title.clone())
        .with_raw_output_schema(or_problem(&definition.output_schema))
        .with_annotations(annotations)
}

/// Clients check structured content against this schema even when it is an error's, so it has room for a problem.
pub(crate) fn or_problem(answer: &JsonObject) -> Arc<JsonObject> {
    let problem = json!({
        "title": "Problem", "type": "object", "required": ["code", "title", "status", "next_step"],
        "properties": {"code": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "detail": {"type": "string"}, "next_step": {"type": "string"}, "errors": {"type": "array"}}});
    object(json!({"type": "object", "anyOf": [answer, problem]}))
}

pub(crate) fn object(value: Value) -> Arc<JsonObject> {
    match value {
        Value::Object(map) => Arc::new(map),
        other => unreachable!("schemas are written as objects, not {other}"),
    }
}

impl Offered {
    /// A tool call must end, so a stream that can end by time does when the caller sets none.
    pub(crate) fn default_wait_secs(&self) -> Option<u32> {
        (self.call.stream && self.arguments.has("wait_secs")).then_some(self.call.timeout_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(toolbox: &Toolbox) -> Vec<&str> {
        toolbox.listed().iter().map(|tool| tool.name.as_ref()).collect()
    }

    #[test]
    fn a_full_list_is_the_catalogue_and_the_search() {
        let mut all: Vec<_> = tool_definitions().map(|(_, definition)| definition.name).collect();
        all.push(meta::SEARCH.into());
        assert_eq!(names(&Toolbox::new(&[], false)), all);
    }

    #[test]
    fn a_lean_list_is_short_and_hides_nothing_from_a_call() {
        let lean = Toolbox::new(&[], true);
        let mut listed = names(&lean);
        assert_eq!(listed.split_off(listed.len() - 2), [meta::SEARCH, meta::CALL]);
        listed.sort_unstable();
        let mut core = CORE.to_vec();
        core.sort_unstable();
        assert_eq!(listed, core, "core tools are tools");
        assert!(core.len() <= 12, "a lean list is short");
        assert!(!core.contains(&"ledger_proof") && lean.find("ledger_proof").is_some());
    }

    #[test]
    fn a_toolset_is_all_there_is() {
        let ledger = Toolbox::new(&[Toolset::Ledger], false);
        assert!(ledger.find("system_health").is_none() && ledger.find("event_log").is_some());
    }

    #[test]
    fn a_wrong_name_leads_to_close_ones() {
        let all = Toolbox::new(&[], false);
        for (wrong, right) in
            [("health_system", "system_health"), ("evnt_log", "event_log"), ("systemquery", "system_query")]
        {
            assert!(all.unknown(wrong).contains(&format!("did you mean {right}")), "{}", all.unknown(wrong));
        }
        assert!(all.unknown("zzz").contains(meta::SEARCH));
    }

    #[test]
    fn the_output_schema_takes_an_answer_and_a_problem_and_nothing_else() {
        let all = Toolbox::new(&[], false);
        for tool in all.listed() {
            let schema = tool.output_schema.as_ref().unwrap();
            let validator = jsonschema::validator_for(&Value::Object((**schema).clone())).unwrap();
            let problem = osmoda_types::Problem::new(osmoda_types::Code::RequestField).at("/x", "wrong");
            assert!(validator.is_valid(&serde_json::to_value(problem).unwrap()), "{}", tool.name);
            assert!(!validator.is_valid(&json!({})), "{}", tool.name);
        }
    }
}
