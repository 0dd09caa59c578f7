//! The catalogue: every call there is, as data. Routes, gate, ledger types, OpenAPI, MCP tools, the command line
//! and the docs are derived from it.

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::schema::{input_schema, output_schema};
use crate::{Code, Daemon, Ring, api};

/// The HTTP methods we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads; the arguments stand in path and query.
    Get,
    /// Everything with a body.
    Post,
    /// Removes; the arguments stand in path and query.
    Delete,
}

impl Method {
    /// As on the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Groups of tools that an agent may be given as a whole (`--toolsets`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Toolset {
    /// The machine: processes, services, files, network.
    System,
    /// The record of what was done.
    Ledger,
    /// What the agent remembers.
    Memory,
    /// Who the machine is, what befell it, and its copies.
    Identity,
}

impl Toolset {
    /// Every toolset.
    pub const ALL: &[Self] = &[Self::System, Self::Ledger, Self::Memory, Self::Identity];

    /// As written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Ledger => "ledger",
            Self::Memory => "memory",
            Self::Identity => "identity",
        }
    }
}

/// What a call does to the machine; the policy judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Only looks.
    Observe,
    /// Changes what a rollback or the undo journal brings back.
    Change,
    /// Loses data or access that neither brings back.
    Destroy,
    /// Spends money or signs.
    Spend,
    /// The emergency exits.
    Emergency,
    /// Changes who decides, what is recorded, what may leave or what runs as root.
    Trust,
}

impl Effect {
    /// As written in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Change => "change",
            Self::Destroy => "destroy",
            Self::Spend => "spend",
            Self::Emergency => "emergency",
            Self::Trust => "trust",
        }
    }
}

/// How a call is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// There is nothing to take back.
    Nothing,
    /// It cannot be taken back.
    Never,
    /// `POST /undo` puts back what was before.
    Journal,
}

/// One endpoint, as data.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The tool an agent knows it by; none for calls between our own programs.
    pub tool: Option<&'static str>,
    /// Who serves it.
    pub daemon: Daemon,
    /// HTTP method.
    pub method: Method,
    /// Path with `{name}` segments.
    pub path: &'static str,
    /// The group of tools it belongs to.
    pub toolset: Toolset,
    /// What it does to the machine.
    pub effect: Effect,
    /// Daemons that may make the call.
    pub callers: &'static [Daemon],
    /// The least trusted ring that may make it; none: only the daemons in `callers`.
    pub ring: Option<Ring>,
    /// Twice is the same as once.
    pub idempotent: bool,
    /// How it is taken back.
    pub undo: Undo,
    /// Top-level arguments that no record ever shows.
    pub secrets: &'static [&'static str],
    /// Its own error codes, beside those every call shares.
    pub errors: &'static [Code],
    /// Largest body in bytes.
    pub body_limit: u32,
    /// Longest run in seconds.
    pub timeout_secs: u32,
    /// The answer is a stream: Server-Sent Events or JSON lines.
    pub stream: bool,
    /// What it does; the first sentence is what a model reads.
    pub summary: &'static str,
    /// JSON Schema of the arguments: path, query and body fields together.
    pub input: fn() -> Schema,
    /// JSON Schema of the answer, or of one item of a stream.
    pub output: fn() -> Schema,
    /// Arguments and an answer, for docs and golden files.
    pub example: fn() -> (Value, Value),
}

/// A call with its Rust types; what a daemon registers a handler for.
pub trait Endpoint: 'static {
    /// The arguments.
    type In: DeserializeOwned + JsonSchema + Send + 'static;
    /// The answer, or one item of a stream.
    type Out: Serialize + JsonSchema + Send + 'static;
    /// Its catalogue entry.
    const CALL: Call;
}

impl Call {
    /// A call that only looks, for every principal down to ring 1.
    pub const fn observe<E: Endpoint>(
        daemon: Daemon,
        method: Method,
        path: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            tool: None,
            daemon,
            method,
            path,
            toolset: Toolset::System,
            effect: Effect::Observe,
            callers: &[],
            ring: Some(Ring::One),
            idempotent: true,
            undo: Undo::Nothing,
            secrets: &[],
            errors: &[],
            body_limit: 64 * 1024,
            timeout_secs: 30,
            stream: false,
            summary,
            input: input_schema::<E::In>,
            output: output_schema::<E::Out>,
            example: || (Value::Object(Map::new()), Value::Null),
        }
    }

    /// A call with an effect, for operators and ring 0.
    pub const fn effect<E: Endpoint>(
        effect: Effect,
        undo: Undo,
        daemon: Daemon,
        method: Method,
        path: &'static str,
        summary: &'static str,
    ) -> Self {
        let mut call = Self::observe::<E>(daemon, method, path, summary);
        call.effect = effect;
        call.undo = undo;
        call.idempotent = false;
        call.ring = Some(Ring::Zero);
        call
    }

    /// Offers it to agents as a tool.
    pub const fn tool(mut self, name: &'static str, toolset: Toolset) -> Self {
        self.tool = Some(name);
        self.toolset = toolset;
        self
    }

    /// Places a call that is no tool in a toolset, for the docs.
    pub const fn toolset(mut self, toolset: Toolset) -> Self {
        self.toolset = toolset;
        self
    }

    /// Lets daemons make the call beside the ring's principals.
    pub const fn callers(mut self, callers: &'static [Daemon]) -> Self {
        self.callers = callers;
        self
    }

    /// Lets nobody but these daemons make the call.
    pub const fn only(mut self, callers: &'static [Daemon]) -> Self {
        self.callers = callers;
        self.ring = None;
        self
    }

    /// Names arguments that no record ever shows.
    pub const fn secrets(mut self, names: &'static [&'static str]) -> Self {
        self.secrets = names;
        self
    }

    /// Names its own error codes.
    pub const fn errors(mut self, errors: &'static [Code]) -> Self {
        self.errors = errors;
        self
    }

    /// Raises or lowers the body limit.
    pub const fn body_limit(mut self, bytes: u32) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Raises or lowers the time limit.
    pub const fn timeout_secs(mut self, secs: u32) -> Self {
        self.timeout_secs = secs;
        self
    }

    /// Answers with a stream.
    pub const fn stream(mut self) -> Self {
        self.stream = true;
        self
    }

    /// Shows arguments and an answer.
    pub const fn example(mut self, example: fn() -> (Value, Value)) -> Self {
        self.example = example;
        self
    }

    /// The name of the call in the ledger: daemon and literal path segments, as in `keyd.wallet.sign`.
    pub fn event(&self) -> String {
        let literal = |segment: &&str| !segment.is_empty() && !segment.starts_with('{');
        let segments = self.path.split('/').filter(literal);
        std::iter::once(self.daemon.name()).chain(segments).collect::<Vec<_>>().join(".")
    }

    /// The `{name}` segments of the path.
    pub fn path_params(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Splits one object of arguments into request path, query and body, as `path` and `method` say.
    pub fn request(&self, arguments: &Map<String, Value>) -> Request {
        let mut rest = arguments.clone();
        let path = self.path.split('/').map(|segment| {
            match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(name) => encode(&rest.remove(name).map(|v| plain(&v)).unwrap_or_default()),
                None => segment.to_owned(),
            }
        });
        let path = path.collect::<Vec<_>>().join("/");
        match self.method {
            Method::Post => Request { target: path, body: Some(Value::Object(rest)) },
            Method::Get | Method::Delete => {
                let pairs = rest
                    .iter()
                    .filter(|(_, v)| !v.is_null())
                    .map(|(k, v)| format!("{}={}", encode(k), encode(&plain(v))));
                let query = pairs.collect::<Vec<_>>().join("&");
                let target = if query.is_empty() { path } else { format!("{path}?{query}") };
                Request { target, body: None }
            }
        }
    }
}

/// A call's arguments as an HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// The JSON body of a POST.
    pub body: Option<Value>,
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&crate::json::hex(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

/// Every call of this release.
pub fn calls() -> impl Iterator<Item = &'static Call> {
    CATALOGUE.iter().copied().flatten()
}

/// The calls one daemon serves.
pub fn calls_of(daemon: Daemon) -> impl Iterator<Item = &'static Call> {
    calls().filter(move |call| call.daemon == daemon)
}

/// The call behind a tool's name.
pub fn tool(name: &str) -> Option<&'static Call> {
    calls().find(|call| call.tool == Some(name))
}

const CATALOGUE: &[&[Call]] = &[
    api::agentd::system::CALLS,
    api::agentd::service::CALLS,
    api::agentd::file::CALLS,
    api::agentd::shell::CALLS,
    api::agentd::undo::CALLS,
    api::agentd::ledger::CALLS,
    api::agentd::memory::CALLS,
    api::agentd::incident::CALLS,
    api::agentd::receipt::CALLS,
    api::agentd::card::CALLS,
    api::agentd::backup::CALLS,
    api::agentd::network::CALLS,
    api::agentd::users::CALLS,
    api::agentd::sysctl::CALLS,
    api::agentd::process::CALLS,
    api::agentd::firewall::CALLS,
    api::agentd::security::CALLS,
    api::agentd::telemetry::CALLS,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn no_two_calls_share_a_route_a_tool_or_a_ledger_name() {
        let (mut routes, mut tools, mut events) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for call in calls() {
            assert!(routes.insert((call.daemon, call.method.as_str(), call.path)), "{}", call.path);
            assert!(call.tool.is_none_or(|tool| tools.insert(tool)), "{:?}", call.tool);
            assert!(call.effect == Effect::Observe || events.insert(call.event()), "{}", call.event());
        }
    }

    #[test]
    fn every_call_has_a_sentence_and_an_example_that_decodes_as_its_schema_names_it() {
        for call in calls() {
            assert!(call.summary.ends_with('.'), "{}", call.path);
            let (input, output) = (call.example)();
            assert!(output.is_object(), "{}: an answer is an object", call.path);
            let properties = (call.input)();
            let known = |field: &String| properties.get("properties").and_then(|p| p.get(field)).is_some();
            assert!(input.as_object().unwrap().keys().all(known), "{}", call.path);
            for param in call.path_params() {
                assert!(known(&param.to_owned()), "{}: {param} is no argument", call.path);
            }
        }
    }

    #[test]
    fn arguments_go_where_path_and_method_say() {
        let call = tool("ledger_proof").unwrap();
        let arguments = json!({"id": 7, "size": 9});
        let request = call.request(arguments.as_object().unwrap());
        assert_eq!(request, Request { target: "/events/7/proof?size=9".into(), body: None });
        let call = tool("system_query").unwrap();
        let arguments = json!({"query": "hostname"});
        let request = call.request(arguments.as_object().unwrap());
        assert_eq!(
            request,
            Request { target: "/system/query".into(), body: Some(json!({"query": "hostname"})) }
        );
        assert_eq!(encode("a b/é?"), "a%20b%2F%C3%A9%3F");
    }
}
