//! The MCP side: what is listed, and who answers a call.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use osmoda_client::{Client, find_run_dir};
use osmoda_types::{Clock, Code, Entropy, Problem, SessionId, Timestamp};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value};

use crate::args::Args;
use crate::call::{call, failure};
use crate::progress::Progress;
use crate::search::search;
use crate::toolbox::{CALL, SEARCH, Toolbox};

/// What a model is told once.
const INSTRUCTIONS: &str = "These tools operate this machine. Look before you act: system_health, system_query, event_log. Say what you will \
    change and why before you change it. Every call that changes something is recorded before it takes effect, with your name. \
    An answer with status approval_required waits for a person: tell them what you asked for, go on with something else, then repeat \
    the same call with the approval. An error names its cause and a next step; policy errors are final, another route will not help. \
    tool_search finds tools by words.";

/// The MCP server of one bridge; cheap to clone.
#[derive(Clone)]
pub(crate) struct Bridge {
    toolbox: Arc<Toolbox>,
    client: Client,
}

impl Bridge {
    pub(crate) fn new(args: &Args) -> Self {
        let session = args.session.clone().unwrap_or_else(|| SessionId::new(&Machine, &Machine).to_string());
        let run_dir = args.run_dir.clone().unwrap_or_else(find_run_dir);
        let client = Client::new(run_dir).actor(&args.actor).mark("x-osmoda-session", &session);
        Self { toolbox: Arc::new(Toolbox::new(&args.toolsets, args.lean)), client }
    }

    async fn answer(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        progress: Progress,
    ) -> Result<CallToolResult, ErrorData> {
        match name {
            SEARCH => Ok(self.search(arguments)),
            CALL => match arguments.get("tool").and_then(Value::as_str) {
                Some(tool) if tool != CALL => {
                    let inner = match arguments.get("arguments") {
                        None | Some(Value::Null) => Map::new(),
                        Some(Value::Object(inner)) => inner.clone(),
                        Some(_) => return Ok(wrong("/arguments", "is not an object")),
                    };
                    Box::pin(self.answer(tool, &inner, progress)).await
                }
                _ => Ok(wrong("/tool", "is not the name of a tool")),
            },
            _ => match self.toolbox.find(name) {
                Some(tool) => Ok(call(&self.client, tool, arguments, progress).await),
                None => Err(self.unknown(name)),
            },
        }
    }

    fn search(&self, arguments: &Map<String, Value>) -> CallToolResult {
        let Some(query) = arguments.get("query").and_then(Value::as_str) else {
            return wrong("/query", "is not text");
        };
        let limit = match arguments.get("limit") {
            None | Some(Value::Null) => 5,
            Some(limit) => match limit.as_u64().filter(|limit| (1..=50).contains(limit)) {
                Some(limit) => usize::try_from(limit).unwrap_or(5),
                None => return wrong("/limit", "is not a number from 1 to 50"),
            },
        };
        let found = search(&self.toolbox, query, limit);
        let mut result = CallToolResult::structured(found.clone());
        result.content = vec![ContentBlock::text(found.to_string())];
        result
    }

    fn unknown(&self, name: &str) -> ErrorData {
        let name: String = name.chars().take(64).collect();
        let close = self.toolbox.closest(&name);
        let hint = if close.is_empty() {
            format!("{SEARCH} finds tools")
        } else {
            format!("did you mean {}?", close.join(", "))
        };
        ErrorData::invalid_params(format!("there is no tool {name:?}: {hint}"), None)
    }
}

impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("osmoda-bridge", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.toolbox.listed()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.toolbox.listed().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let progress = Progress::of(&context);
        tokio::select! {
            answer = self.answer(&request.name, &arguments, progress) => answer.map(Into::into),
            // Dropping the call closes its connection, which is how the daemon learns of it.
            () = context.ct.cancelled() => Err(ErrorData::internal_error("cancelled", None)),
        }
    }
}

fn wrong(pointer: &str, message: &str) -> CallToolResult {
    failure(&Problem::new(Code::RequestField).at(pointer, message))
}

/// The machine's clock and randomness, for the one id a bridge makes.
struct Machine;

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the session's id is all that depends on it")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).ok().and_then(Timestamp::from_millis).unwrap_or(Timestamp::EPOCH)
    }
}

impl Entropy for Machine {
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "the session's id is all that depends on it")]
        getrandom::fill(buffer).expect("Linux answers getrandom once it has booted");
    }
}
