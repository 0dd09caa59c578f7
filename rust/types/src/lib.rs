//! What every part of osModa agrees on: ids, times, wire shapes, error codes and the catalogue of calls.
//!
//! Pure: no I/O, no clock, no randomness of its own. [`catalogue`] is the one list from which routes, the
//! gate, OpenAPI, MCP tools, the command line and the docs are derived.

pub mod api;
pub mod catalogue;
mod clock;
mod code;
mod daemon;
mod docs;
pub mod health;
mod id;
pub mod json;
pub mod ledger;
mod mcp;
mod openapi;
mod principal;
mod problem;
mod schema;
mod unit;
mod value;

pub use catalogue::{Call, Effect, Endpoint, Method, Toolset, Undo};
pub use clock::{Clock, Entropy, Since, Timestamp};
pub use code::Code;
pub use daemon::Daemon;
pub use docs::{errors_page, events_page, tools_page};
pub use id::{BackupId, Id, IncidentId, Kind, MachineId, MemoryId, RequestId, SessionId, UndoId, ids};
pub use mcp::{ToolDefinition, tool_definition, tool_definitions};
pub use openapi::{coerce, openapi_document};
pub use principal::{Actor, ActorError, Principal, Ring};
pub use problem::{FieldError, Problem, chain};
pub use unit::{NotAUnit, UnitName};
pub use value::{Empty, Few, Limit, Text, TooLong, Within};
