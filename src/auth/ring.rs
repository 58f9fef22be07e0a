//! The ring of signing keys: which one signs, which ones verify, which ones are published. Decided
//! here alone, from the instants of the keys and the app's clock.

use std::cmp::Ordering;

use crate::db::Timestamp;

use super::keys::Key;
use super::token::{ACCESS_SECONDS, LEEWAY};

/// What a key is for at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It will sign. It is published, so that whoever caches the public keys knows it in time, and
    /// its tokens are good: a node whose clock is seconds ahead may use it first.
    Coming,
    /// It signs.
    Signing,
    /// It signs no more; its tokens are good until the last of them has expired, at this instant.
    Retiring(Timestamp),
    /// It verifies beside the one that signs: a key of a file, which tells no instants.
    Verifying,
    /// All its tokens have expired. It verifies nothing and isn't published.
    Past,
}

/// The state at `now` of keys that begin to sign at these instants, in ascending order. Where none
/// has begun (a clock that is behind), the first one signs.
pub fn states(begins: &[Timestamp], now: Timestamp) -> Vec<State> {
    let begun = begins.partition_point(|begin| *begin <= now);
    let signing = begun.saturating_sub(1);
    let state = |index: usize| match index.cmp(&signing) {
        // The one that signs comes after it, so there is a next one.
        Ordering::Less => superseded(begins[index + 1], now),
        Ordering::Equal => State::Signing,
        Ordering::Greater => State::Coming,
    };
    (0..begins.len()).map(state).collect()
}

/// The state of a key whose successor began to sign at `since`. A node whose clock is behind by the
/// leeway still used it then.
fn superseded(since: Timestamp, now: Timestamp) -> State {
    let until = since.plus_seconds(ACCESS_SECONDS + LEEWAY);
    if now < until {
        State::Retiring(until)
    } else {
        State::Past
    }
}

/// A key of the database, and from when on it signs.
#[derive(Debug)]
pub struct TimedKey {
    /// The key.
    pub key: Key,
    /// From when on it signs.
    pub signs_from: Timestamp,
}

/// The keys of a node. Never empty.
#[derive(Debug)]
pub enum Ring {
    /// The keys of a file: the first one signs, all verify and are published.
    File(Vec<Key>),
    /// The keys of the database, in the order in which they sign.
    Database(Vec<TimedKey>),
}

impl Ring {
    /// Each key with its state at this instant.
    pub fn states(&self, now: Timestamp) -> Vec<(&Key, State)> {
        match self {
            Self::File(keys) => {
                let others = std::iter::repeat(State::Verifying);
                keys.iter()
                    .zip(std::iter::once(State::Signing).chain(others))
                    .collect()
            }
            Self::Database(keys) => {
                let begins: Vec<Timestamp> = keys.iter().map(|key| key.signs_from).collect();
                let keys = keys.iter().map(|timed| &timed.key);
                keys.zip(states(&begins, now)).collect()
            }
        }
    }

    /// The keys that verify at this instant: those to publish.
    pub fn verifying(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let states = self.states(now).into_iter();
        states
            .filter(|(_, state)| *state != State::Past)
            .map(|(key, _)| key)
    }

    /// The key of this id, where it verifies at this instant.
    pub fn verifier(&self, kid: &str, now: Timestamp) -> Option<&Key> {
        self.verifying(now).find(|key| key.kid == kid)
    }

    /// The key that signs at this instant.
    pub fn signer(&self, now: Timestamp) -> Option<&Key> {
        let mut states = self.states(now).into_iter();
        states
            .find(|(_, state)| *state == State::Signing)
            .map(|(key, _)| key)
    }

    /// Whether there is a key of this id, whatever its state.
    pub fn has(&self, kid: &str) -> bool {
        match self {
            Self::File(keys) => keys.iter().any(|key| key.kid == kid),
            Self::Database(keys) => keys.iter().any(|timed| timed.key.kid == kid),
        }
    }

    /// Whether the keys are those of the database.
    pub fn is_of_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000).expect("a year of four digits")
    }

    /// States at this second of keys that begin at these seconds.
    fn seen(begins: &[i64], now: i64) -> Vec<State> {
        let begins: Vec<Timestamp> = begins.iter().copied().map(at).collect();
        states(&begins, at(now))
    }

    #[test]
    fn one_key_signs_whatever_the_clock_says() {
        for now in [-1_000_000, 0, 1_000_000] {
            assert_eq!(seen(&[0], now), [State::Signing]);
        }
        assert_eq!(seen(&[], 0), []);
    }

    #[test]
    fn a_new_key_comes_and_signs_from_its_instant_on() {
        assert_eq!(seen(&[0, 600], 599), [State::Signing, State::Coming]);
        let retiring = State::Retiring(at(600 + 905));
        assert_eq!(seen(&[0, 600], 600), [retiring, State::Signing]);
    }

    #[test]
    fn an_old_key_is_good_until_its_last_token_has_expired() {
        let last = 600 + ACCESS_SECONDS + LEEWAY;
        let retiring = State::Retiring(at(last));
        assert_eq!(seen(&[0, 600], last - 1), [retiring, State::Signing]);
        assert_eq!(seen(&[0, 600], last), [State::Past, State::Signing]);
    }

    #[test]
    fn each_key_is_superseded_by_the_next_one() {
        let third = State::Retiring(at(1200 + 905));
        assert_eq!(
            seen(&[0, 100, 1200, 3000], 1200 + 300),
            [State::Past, third, State::Signing, State::Coming]
        );
    }

    #[test]
    fn of_two_that_begin_at_once_the_later_one_signs() {
        let retiring = State::Retiring(at(905));
        assert_eq!(seen(&[0, 0], 0), [retiring, State::Signing]);
    }

    #[test]
    fn a_clock_that_is_behind_signs_with_the_first() {
        assert_eq!(seen(&[100, 200], 0), [State::Signing, State::Coming]);
    }
}
