//! What the database layer tells in `/metrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    place: &'static str,
}

/// The database's measures; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Delivery reads run on the primary, or on the only database there is.
    pub primary: Counter,
    /// Delivery reads run on a replica.
    pub replica: Counter,
    /// Delivery reads that a replica was too far behind for.
    pub behind: Counter,
    /// Those that wait for a connection or for the turn to write.
    pub waiting: Gauge,
    /// Requests refused at once, since too many wait.
    pub refused: Counter,
    reads: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let reads = Family::<Labels, Counter>::default();
        let at = |place| reads.get_or_create(&Labels { place }).clone();
        Self {
            primary: at("primary"),
            replica: at("replica"),
            behind: Counter::default(),
            waiting: Gauge::default(),
            refused: Counter::default(),
            reads,
        }
    }
}

impl Metrics {
    /// Adds them to this registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "lanmu_db_reads",
            "Delivery reads that asked the database, by where it was",
            self.reads.clone(),
        );
        registry.register(
            "lanmu_replica_behind",
            "Delivery reads that went on to the primary since a replica was behind",
            self.behind.clone(),
        );
        registry.register(
            "lanmu_db_waiting",
            "Who waits for a connection or for the turn to write",
            self.waiting.clone(),
        );
        registry.register(
            "lanmu_db_refused",
            "Requests answered with 503 at once since too many wait",
            self.refused.clone(),
        );
    }
}
