//! What the engine tells in `/metrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::hits::{Outcome, Recorded};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

/// The engine's measures.
pub struct Metrics {
    answered: Family<Labels, Counter>,
    /// Hits that found the queue full.
    pub refused: Counter,
    /// Flushes that failed.
    pub failed: Counter,
    /// Writers that broke.
    pub restarts: Counter,
    /// Articles whose ledgers were written.
    pub folded: Counter,
    /// Flushes that are not folded in, when last looked at.
    pub pending: Gauge,
    /// How long flushes take.
    pub seconds: Histogram,
    sizes: Histogram,
}

impl Metrics {
    /// Measures of this registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            answered: Family::default(),
            refused: Counter::default(),
            failed: Counter::default(),
            restarts: Counter::default(),
            folded: Counter::default(),
            pending: Gauge::default(),
            seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
            sizes: Histogram::new(exponential_buckets(1.0, 2.0, 13)),
        };
        let registry = registry.sub_registry_with_prefix("lanmu_hits");
        registry.register(
            "answered",
            "Hits that were written and answered, by result",
            metrics.answered.clone(),
        );
        registry.register(
            "refused",
            "Hits answered with 503 since the queue was full",
            metrics.refused.clone(),
        );
        registry.register(
            "flush_failures",
            "Flushes that failed; their hits were answered with 503",
            metrics.failed.clone(),
        );
        registry.register(
            "writer_restarts",
            "Writers that broke and were begun again",
            metrics.restarts.clone(),
        );
        registry.register(
            "folded_articles",
            "Ledgers of articles that hits of the log were folded into",
            metrics.folded.clone(),
        );
        registry.register(
            "pending_flushes",
            "Flushes of all nodes that stood in the log when it was last looked at",
            metrics.pending.clone(),
        );
        registry.register_with_unit(
            "flush",
            "How long flushes take",
            Unit::Seconds,
            metrics.seconds.clone(),
        );
        registry.register("flush_hits", "Hits of one flush", metrics.sizes.clone());
        metrics
    }

    /// Counts what became of a flush's hits.
    pub fn tell(&self, recorded: &[Vec<Recorded>]) {
        const ALL: [Outcome; 5] = [
            Outcome::Counted,
            Outcome::Duplicate,
            Outcome::Bot,
            Outcome::Rejected,
            Outcome::NotFound,
        ];
        let hits = || recorded.iter().flatten();
        self.sizes.observe(hits().count() as f64);
        for outcome in ALL {
            let number = hits().filter(|hit| hit.outcome == outcome).count();
            if number > 0 {
                let result = outcome.as_str();
                self.answered
                    .get_or_create(&Labels { result })
                    .inc_by(number as u64);
            }
        }
    }
}
