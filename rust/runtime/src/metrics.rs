//! What a daemon counts, as OpenMetrics text on `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The numbers of one daemon.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    seconds: Histogram,
    connections: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: String,
    status: u16,
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("osmoda");
        let calls = Family::default();
        registry.register("calls", "Calls by ledger name and HTTP status", calls.clone());
        // 50 us to 13 s in steps of four.
        let seconds = Histogram::new(exponential_buckets(50e-6, 4.0, 10));
        registry.register("call_seconds", "Time from decoded request to answer", seconds.clone());
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        Arc::new(Self { registry, calls, seconds, connections })
    }

    pub(crate) fn call(&self, call: &str, status: u16, elapsed: Duration) {
        self.calls.get_or_create(&CallLabels { call: call.to_owned(), status }).inc();
        self.seconds.observe(elapsed.as_secs_f64());
    }

    /// Counts a connection until the guard is dropped.
    pub(crate) fn connection(self: &Arc<Self>) -> impl Drop + use<> {
        self.connections.inc();
        Counted(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String does not fail");
        text
    }
}

struct Counted(Arc<Metrics>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
