//! The daemon skeleton: one path from a socket through identity, gate and ledger to a handler.
//!
//! A daemon is [`main`] with a `bind` function that opens its state and registers a handler for each of its
//! catalogue entries in a [`Service`]. Everything else (arguments, configuration, socket, caller, decoding, idempotency,
//! gate, intent and outcome, errors, metrics, drain) is here, once.

mod accounts;
mod args;
mod config;
mod connections;
mod context;
mod daemon;
mod decode;
mod gate;
mod idempotency;
mod listener;
mod logging;
mod metrics;
mod noted;
mod outbox;
mod pipeline;
mod problem;
mod record;
mod salt;
mod service;
mod state;
mod system;
mod troubles;

pub use args::Args;
pub use config::{Common, ConfigError, LogFormat};
pub use context::Context;
pub use daemon::{Bound, Setup, StartError, main};
pub use outbox::{Outbox, Urgency};
pub use problem::of_store;
pub use record::{Record, Recorder};
pub use service::Service;
pub use state::StateDb;
pub use system::{SystemClock, SystemEntropy};
pub use troubles::Troubles;
