//! Log lines on stderr: JSON for machines, text on a terminal; the filter can change while running.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use crate::config::{Log, LogFormat};

/// The process' log.
pub(crate) struct Logging {
    filter: Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Begins to log.
    pub(crate) fn start(log: &Log) -> Self {
        let (filter, handle) = reload::Layer::new(filter(log));
        let json = match log.format {
            LogFormat::Auto => !stderr().is_terminal(),
            LogFormat::Json => true,
            LogFormat::Text => false,
        };
        let lines = fmt::layer().with_writer(stderr);
        let registry = tracing_subscriber::registry().with(filter);
        // A second start in one process (tests) keeps the first subscriber.
        let _ = if json {
            registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init()
        } else {
            registry.with(lines).try_init()
        };
        Self { filter: handle }
    }

    /// Uses this filter from now on.
    pub(crate) fn apply(&self, log: &Log) {
        let _ = self.filter.reload(filter(log));
    }
}

fn filter(log: &Log) -> EnvFilter {
    // OSMODA_LOG goes before the file: it is for the person who looks right now.
    let text = std::env::var("OSMODA_LOG").unwrap_or_else(|_| log.filter.clone());
    EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new("info"))
}
