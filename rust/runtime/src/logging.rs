//! Log lines on stderr: JSON for machines, text on a terminal; the filter can change while running.

use std::fmt::{self as text, Debug};
use std::io::{IsTerminal, stderr};
use std::panic;

use osmoda_types::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt};

use crate::SystemClock;
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
            registry.with(lines.event_format(JsonLine)).try_init()
        } else {
            registry.with(lines).try_init()
        };
        panic::set_hook(Box::new(|panic| {
            let at = panic.location().map(ToString::to_string);
            tracing::error!(at, what = panic.payload_as_str(), "panic");
        }));
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

/// `{"ts":…,"level":…,"target":…,"message":…, fields…}`, one line an event.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> text::Result {
        let mut fields = Fields(Map::new());
        let meta = event.metadata();
        fields.0.insert("ts".into(), SystemClock.now().to_string().into());
        fields.0.insert("level".into(), meta.level().as_str().to_ascii_lowercase().into());
        fields.0.insert("target".into(), meta.target().into());
        event.record(&mut fields);
        writeln!(writer, "{}", Value::Object(fields.0))
    }
}

struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
