//! What the cache of answers tells in `/metrics`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// The cache's measures; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Requests that found their answer.
    pub hits: Counter,
    /// Requests whose answer was made.
    pub misses: Counter,
    /// Answers put out for want of room.
    pub evictions: Counter,
    /// What the answers weigh.
    pub bytes: Gauge,
    /// How many there are.
    pub answers: Gauge,
}

impl Metrics {
    /// Measures of this registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            hits: Counter::default(),
            misses: Counter::default(),
            evictions: Counter::default(),
            bytes: Gauge::default(),
            answers: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix("lanmu_cache");
        registry.register(
            "hits",
            "Reads whose answer was at hand",
            metrics.hits.clone(),
        );
        registry.register(
            "misses",
            "Reads whose answer was made",
            metrics.misses.clone(),
        );
        registry.register(
            "evictions",
            "Answers that were put out for want of room",
            metrics.evictions.clone(),
        );
        registry.register_with_unit(
            "size",
            "What the answers take, when one was kept last",
            Unit::Bytes,
            metrics.bytes.clone(),
        );
        registry.register(
            "answers",
            "Answers that are kept, when one was kept last",
            metrics.answers.clone(),
        );
        metrics
    }
}
