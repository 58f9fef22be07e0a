//! What the senders of purges tell in `/metrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// The senders' measures; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    requests: Family<Labels, Counter>,
    /// Purges that not all caches have, when last looked at.
    pub waiting: Gauge,
}

impl Metrics {
    /// Measures of this registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            waiting: Gauge::default(),
        };
        registry.register(
            "lanmu_purges",
            "Requests to caches to drop what has changed, by result",
            metrics.requests.clone(),
        );
        registry.register(
            "lanmu_purges_waiting",
            "Writes that not all caches were told of, when last looked at",
            metrics.waiting.clone(),
        );
        metrics
    }

    /// Counts a request.
    pub fn count(&self, is_sent: bool) {
        let result = if is_sent { "sent" } else { "failed" };
        self.requests.get_or_create(&Labels { result }).inc();
    }
}
