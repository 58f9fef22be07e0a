//! The time that limits are measured by. It never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::nanos::Nanos;

use crate::clock::Clock;

/// A century, in milliseconds: what limits add to it in nanoseconds stays far below 2^64.
const MAX_MILLIS: u64 = 100 * 366 * 24 * 3600 * 1000;

/// Time since the process began to limit. The machine's is its monotonic one, so that a corrected
/// date neither locks anybody out nor lets anybody in; a manual clock moves it forward, and while
/// it goes back this stands still.
#[derive(Debug, Clone)]
pub struct Ticks {
    clock: Clock,
    began: Instant,
    origin: i64,
    latest: Arc<AtomicU64>,
}

impl Ticks {
    /// Begins at zero now.
    pub fn new(clock: Clock) -> Self {
        Self {
            began: Instant::now(),
            origin: clock.now().millis(),
            latest: Arc::default(),
            clock,
        }
    }

    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        let longest = Duration::from_millis(MAX_MILLIS);
        match &self.clock {
            Clock::System => self.began.elapsed().min(longest),
            Clock::Manual(_) => {
                let since = self.clock.now().millis().saturating_sub(self.origin);
                let since = u64::try_from(since).unwrap_or(0).min(MAX_MILLIS);
                let latest = self.latest.fetch_max(since, Ordering::SeqCst);
                Duration::from_millis(latest.max(since))
            }
        }
    }
}

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        // Within a century, whose nanoseconds are fewer than 2^64: it always converts.
        self.elapsed().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Timestamp;

    #[test]
    fn it_goes_on_with_the_clock_and_never_back() {
        let at = |text: &str| Timestamp::parse(text).expect("an instant");
        let clock = Clock::manual(at("2026-01-31T04:00:00Z"));
        let ticks = Ticks::new(clock.clone());
        for (to, seconds) in [
            ("2026-01-31T04:00:05Z", 5),
            ("2020-01-01T00:00:00Z", 5),
            ("1970-01-01T00:00:00Z", 5),
            ("2026-01-31T04:00:09Z", 9),
            ("9999-01-01T00:00:00Z", MAX_MILLIS / 1000),
        ] {
            clock.set(at(to));
            assert_eq!(ticks.elapsed().as_secs(), seconds, "{to}");
            let _: Nanos = governor::clock::Clock::now(&ticks);
        }
    }
}
