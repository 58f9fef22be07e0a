//! Sign-ins: how many of an account and of an address may fail in a sliding quarter of an hour, and
//! how many may be tried in a minute.
//!
//! Accounts that exist and those that don't are treated alike. A right password is no failure, but
//! where the limit is reached it is no longer looked at, and one that was being checked when it was
//! reached gets no other answer than a wrong one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use super::attempts::{Attempts, Place};
use super::ticks::Ticks;
use super::{Limits, whole_seconds};
use crate::error::{ApiError, ApiResult};
use crate::http::client;

/// Failures that one account may have within [`WINDOW`].
pub const ACCOUNT_FAILURES: usize = 10;
/// Failures that one address may have within [`WINDOW`].
pub const ADDRESS_FAILURES: usize = 30;
/// How long a failure counts.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Attempts a minute, right ones too, that one account may have, and one address.
pub const ATTEMPTS: u32 = 60;
/// Attempts of one account, and of one address, that may be under way at once.
pub const PLACES: usize = 8;

/// The most accounts remembered, and the most addresses. Passwords are checked a few at a time, so
/// that so many are failed at only by an attack from thousands of addresses.
const REMEMBERED: usize = 50_000;

/// The failures of this node.
pub(super) struct SignIns {
    ticks: Ticks,
    failures: Mutex<Failures>,
    pub(super) attempts: Attempts,
}

struct Failures {
    accounts: Ledger<Account>,
    addresses: Ledger<IpAddr>,
}

/// The hash of what an account is found by: of the same size whatever was typed.
pub(super) type Account = [u8; 32];

impl SignIns {
    pub(super) fn new(ticks: Ticks) -> Self {
        Self {
            attempts: Attempts::new(&ticks),
            ticks,
            failures: Mutex::new(Failures {
                accounts: Ledger::new(ACCOUNT_FAILURES),
                addresses: Ledger::new(ADDRESS_FAILURES),
            }),
        }
    }

    pub(super) fn tidy(&self) {
        let now = self.ticks.elapsed();
        let mut failures = self.lock();
        failures.accounts.tidy(now);
        failures.addresses.tidy(now);
        drop(failures);
        self.attempts.tidy();
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failures {
    /// How long until both may fail again; `None`: now.
    fn wait(&self, attempt: &Attempt, now: Duration) -> Option<Duration> {
        let account = self.accounts.wait(&attempt.account, now);
        let network = attempt.network.as_ref();
        account.max(network.and_then(|network| self.addresses.wait(network, now)))
    }

    fn add(&mut self, attempt: &Attempt, now: Duration) {
        self.accounts.add(attempt.account, now);
        if let Some(network) = attempt.network {
            self.addresses.add(network, now);
        }
    }
}

/// Somebody tries to sign in. The failures are those of the moment at which it is asked.
#[derive(Debug, Clone)]
pub struct Attempt {
    limits: Limits,
    account: Account,
    network: Option<IpAddr>,
}

impl Attempt {
    pub(super) fn new(limits: Limits, email_key: &str, address: Option<IpAddr>) -> Self {
        let mut account = Account::default();
        account.copy_from_slice(digest(&SHA256, email_key.as_bytes()).as_ref());
        Self {
            limits,
            account,
            network: address.map(client::network),
        }
    }

    /// 429 where the account or the address has failed too often. To be asked before the password
    /// is looked at, and again when it is its turn.
    pub fn admit(&self) -> ApiResult<()> {
        let Some(sign_ins) = self.limits.sign_ins() else {
            return Ok(());
        };
        refuse(sign_ins.lock().wait(self, sign_ins.ticks.elapsed()))
    }

    /// Begins to look at the password: keep the place until that is done. 503 where too many of the
    /// account's or of the address's are under way, 429 where there were too many in a minute.
    pub fn begin(&self) -> ApiResult<Place> {
        let place = Place::take(&self.limits, self.account, self.network)?;
        let wait = self
            .limits
            .attempts()
            .and_then(|attempts| attempts.take(&self.account, self.network.as_ref()));
        refuse(wait)?;
        Ok(place)
    }

    /// Notes whether the password was right. 429 where the limit was reached while it was checked:
    /// then it tells nothing of the password, and nothing is noted.
    pub fn settle(&self, is_right: bool) -> ApiResult<()> {
        let Some(sign_ins) = self.limits.sign_ins() else {
            return Ok(());
        };
        let now = sign_ins.ticks.elapsed();
        let mut failures = sign_ins.lock();
        refuse(failures.wait(self, now))?;
        if !is_right {
            failures.add(self, now);
        }
        Ok(())
    }
}

fn refuse(wait: Option<Duration>) -> ApiResult<()> {
    match wait {
        Some(wait) => Err(ApiError::RateLimited(whole_seconds(wait))),
        None => Ok(()),
    }
}

/// The instants of failures by whose they are, the oldest first. Nobody has more than the limit.
struct Ledger<K> {
    limit: usize,
    failed: HashMap<K, VecDeque<Duration>>,
}

impl<K: Copy + Eq + Hash> Ledger<K> {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            failed: HashMap::new(),
        }
    }

    /// How long until the oldest failure leaves the window, where the limit is reached.
    fn wait(&self, key: &K, now: Duration) -> Option<Duration> {
        let failed = self.failed.get(key)?;
        let oldest = failed.len().checked_sub(self.limit)?;
        let free = *failed.get(oldest)? + WINDOW;
        free.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    fn add(&mut self, key: K, now: Duration) {
        if self.failed.len() >= REMEMBERED && !self.failed.contains_key(&key) {
            self.make_room(now);
        }
        let failed = self.failed.entry(key).or_default();
        failed.push_back(now);
        if failed.len() > self.limit {
            failed.pop_front();
        }
    }

    /// Forgets what is past and, if that is not enough, who has failed least and longest ago: a
    /// flood of single failures doesn't wash away who is near the limit.
    fn make_room(&mut self, now: Duration) {
        self.tidy(now);
        if self.failed.len() < REMEMBERED {
            return;
        }
        let least = self
            .failed
            .iter()
            .min_by_key(|(_, failed)| (failed.len(), failed.back().copied()))
            .map(|(key, _)| *key);
        if let Some(key) = least {
            self.failed.remove(&key);
        }
    }

    fn tidy(&mut self, now: Duration) {
        self.failed.retain(|_, failed| {
            while failed.front().is_some_and(|at| *at + WINDOW <= now) {
                failed.pop_front();
            }
            !failed.is_empty()
        });
        if self.failed.capacity() > 4 * self.failed.len() + 1024 {
            self.failed.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Rates;
    use crate::db::Timestamp;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn the_window_slides() {
        let mut ledger = Ledger::new(3);
        for at in [0, 100, 200] {
            assert_eq!(ledger.wait(&1, seconds(at)), None);
            ledger.add(1, seconds(at));
        }
        assert_eq!(ledger.wait(&1, seconds(200)), Some(seconds(700)));
        assert_eq!(ledger.wait(&2, seconds(200)), None);
        assert_eq!(ledger.wait(&1, seconds(899)), Some(seconds(1)));
        assert_eq!(ledger.wait(&1, seconds(900)), None);
        ledger.add(1, seconds(900));
        assert_eq!(ledger.wait(&1, seconds(900)), Some(seconds(100)));
    }

    #[test]
    fn a_guess_that_is_checked_while_the_limit_is_reached_learns_nothing() {
        let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000).expect("in range"));
        let rates = Rates {
            reads: 1,
            writes: 1,
            hits: 1,
        };
        let limits = Limits::new(Some(rates), &clock);
        let attempt = || limits.sign_in("a@example.com", None);
        let (slow, other) = (attempt(), limits.sign_in("b@example.com", None));
        slow.admit().expect("nothing has failed yet");
        for _ in 0..ACCOUNT_FAILURES {
            attempt().settle(false).expect("within the limit");
        }
        for is_right in [true, false] {
            let refused = slow.settle(is_right).expect_err("the limit is reached");
            assert!(matches!(refused, ApiError::RateLimited(900)));
        }
        other.settle(true).expect("another account");
        clock.set(clock.now().plus_seconds(900));
        slow.settle(true).expect("all failures are past");
    }

    #[test]
    fn memory_is_bounded_and_keeps_who_failed_often() {
        let mut ledger = Ledger::new(3);
        for at in 0..2 {
            ledger.add(0, seconds(at));
        }
        for key in 1..=REMEMBERED + 10 {
            ledger.add(key, seconds(10));
        }
        assert_eq!(ledger.failed.len(), REMEMBERED);
        assert_eq!(ledger.failed[&0].len(), 2);
        ledger.tidy(seconds(910));
        assert!(ledger.failed.is_empty());
        assert!(ledger.failed.capacity() < 2048);
    }
}
