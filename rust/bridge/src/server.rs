//! The MCP side: what is listed, and who answers a call.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use osmoda_client::{Client, find_run_dir};
use osmoda_types::{Clock, Code, Entropy, Problem, SessionId, Timestamp};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Map, Value};

use crate::args::Args;
use crate::call::{call, failure, success};
use crate::meta::{CALL, SEARCH};
use crate::progress::Progress;
use crate::search::search;
use crate::toolbox::Toolbox;

/// What a model is told once.
const INSTRUCTIONS: &str = "These tools operate this machine, and every call is recorded in a ledger under your name.
- Diagnose before you fix: ask how the machine is, and the ledger what was done before.
- Before a call that is not marked read-only, say what you will change and why. Before one that is marked destructive, get the person's consent.
- status approval_required is no failure: the call waits for a person. Say what you asked for and its approval id, go on with other work, and repeat the same call once it is approved. You cannot approve it yourself.
- An error has a code, what was wrong (errors names each argument) and next_step. policy.denied and auth.ring are final: another tool or spelling for the same end is refused as well, so tell the person.
- daemon.absent means that a part of the system is down, not that your call was wrong: report next_step.";

/// And this, when most tools are not listed.
const LEAN: &str = "
- Only the most used tools are listed. tool_search finds the others by words and shows their arguments; tool_call calls them.";

/// The MCP server of one bridge; cheap to clone.
#[derive(Clone)]
pub(crate) struct Bridge {
    toolbox: Arc<Toolbox>,
    instructions: String,
    client: Client,
}

impl Bridge {
    pub(crate) fn new(args: &Args) -> Self {
        let session = args.session.clone().unwrap_or_else(|| SessionId::new(&Machine, &Machine).to_string());
        let run_dir = args.run_dir.clone().unwrap_or_else(find_run_dir);
        let client = Client::new(run_dir).actor(&args.actor).mark("x-osmoda-session", &session);
        let instructions = if args.lean { [INSTRUCTIONS, LEAN].concat() } else { INSTRUCTIONS.into() };
        Self { toolbox: Arc::new(Toolbox::new(&args.toolsets, args.lean)), instructions, client }
    }

    async fn answer(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        progress: Progress,
    ) -> Result<CallToolResult, ErrorData> {
        match name {
            SEARCH => Ok(self.search(arguments)),
            CALL => Ok(self.call_named(arguments, progress).await),
            _ => match self.toolbox.find(name) {
                Some(tool) => Ok(call(&self.client, tool, arguments, progress).await),
                None => Err(ErrorData::invalid_params(self.toolbox.unknown(name), None)),
            },
        }
    }

    fn search(&self, arguments: &Map<String, Value>) -> CallToolResult {
        match self.toolbox.meta.search(arguments) {
            Ok((query, limit)) => success(search(&self.toolbox, query, limit)),
            Err(problem) => failure(&problem),
        }
    }

    /// Here an unknown tool is a wrong argument, which a model gets to read; a protocol error often stays with its client.
    async fn call_named(&self, arguments: &Map<String, Value>, progress: Progress) -> CallToolResult {
        let (name, inner) = match self.toolbox.meta.call(arguments) {
            Ok(named) => named,
            Err(problem) => return failure(&problem),
        };
        let none = Map::new();
        let inner = inner.unwrap_or(&none);
        match self.toolbox.find(name) {
            Some(tool) => call(&self.client, tool, inner, progress).await,
            None if name == SEARCH => self.search(inner),
            None => failure(&Problem::new(Code::RequestField).at("/tool", self.toolbox.unknown(name))),
        }
    }
}

impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("osmoda-bridge", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(self.instructions.clone())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.toolbox.listed().to_vec()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.toolbox.listed().iter().find(|tool| tool.name == name).cloned()
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
