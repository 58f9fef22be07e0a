//! Numbers that look random and are the same each time, and how long the longer facts run.

use std::cell::Cell;

/// A number from the environment, so that the longer facts can be made longer still.
pub fn setting(name: &str, default: u64) -> u64 {
    #[allow(
        clippy::disallowed_methods,
        reason = "how long the suite runs is its own setting"
    )]
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The seed of this run: `LANMU_TEST_SEED`, or always the same.
pub fn seed() -> u64 {
    setting("LANMU_TEST_SEED", 20_260_131)
}

/// A row of numbers from a seed (SplitMix64).
pub struct Numbers(Cell<u64>);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub fn below(&self, end: u64) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }

    pub fn seconds(&self, end: u64) -> i64 {
        i64::try_from(self.below(end)).expect("small")
    }

    pub fn pick<T: Copy>(&self, from: &[T]) -> T {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).expect("an index")]
    }
}
