//! Attempts to sign in, with a right password or a wrong one: how many a minute, and how many of one
//! address or at one account may wait for their turn at once.
//!
//! A few passwords are checked at a time, so that whoever sends right ones without end would leave
//! no place to anybody else.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Limits;
use super::sign_in::{ATTEMPTS, Account, PLACES};
use super::ticks::Ticks;
use crate::error::{ApiError, ApiResult};

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, Ticks, NoOpMiddleware<Nanos>>;

/// The attempts of this node.
pub(super) struct Attempts {
    networks: Limiter<IpAddr>,
    accounts: Limiter<Account>,
    waiting: Mutex<Waiting>,
}

/// How many wait, by whose they are. Nobody is here with none.
#[derive(Default)]
struct Waiting {
    networks: HashMap<IpAddr, usize>,
    accounts: HashMap<Account, usize>,
}

impl Attempts {
    pub(super) fn new(ticks: &Ticks) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(ATTEMPTS).unwrap_or(NonZeroU32::MIN));
        Self {
            networks: RateLimiter::dashmap_with_clock(quota, ticks.clone()),
            accounts: RateLimiter::dashmap_with_clock(quota, ticks.clone()),
            waiting: Mutex::default(),
        }
    }

    /// Takes one attempt of the address's and one of the account's. How long to wait where one of
    /// them has none left; an address without any makes nothing be remembered of accounts.
    pub(super) fn take(&self, account: &Account, network: Option<&IpAddr>) -> Option<Duration> {
        network
            .and_then(|network| wait(&self.networks, network))
            .or_else(|| wait(&self.accounts, account))
    }

    pub(super) fn tidy(&self) {
        self.networks.retain_recent();
        self.networks.shrink_to_fit();
        self.accounts.retain_recent();
        self.accounts.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<K: Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K) -> Option<Duration> {
    let refused = limiter.check_key(key).err()?;
    let now = governor::clock::Clock::now(limiter.clock());
    Some(refused.wait_time_from(now))
}

/// A place among those that wait for their password to be checked; given up when dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    limits: Limits,
    account: Account,
    network: Option<IpAddr>,
}

impl Place {
    /// A place; 503 where the account or the address has as many as it may.
    pub(super) fn take(
        limits: &Limits,
        account: Account,
        network: Option<IpAddr>,
    ) -> ApiResult<Self> {
        if let Some(attempts) = limits.attempts() {
            let mut waiting = attempts.lock();
            let of_account = waiting.accounts.get(&account);
            let of_network = network.and_then(|network| waiting.networks.get(&network));
            if of_account.max(of_network) >= Some(&PLACES) {
                return Err(ApiError::Unavailable(2));
            }
            *waiting.accounts.entry(account).or_default() += 1;
            if let Some(network) = network {
                *waiting.networks.entry(network).or_default() += 1;
            }
        }
        Ok(Self {
            limits: limits.clone(),
            account,
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(attempts) = self.limits.attempts() else {
            return;
        };
        let mut waiting = attempts.lock();
        leave(&mut waiting.accounts, &self.account);
        if let Some(network) = &self.network {
            leave(&mut waiting.networks, network);
        }
    }
}

fn leave<K: Hash + Eq>(waiting: &mut HashMap<K, usize>, key: &K) {
    if let Some(number) = waiting.get_mut(key) {
        *number = number.saturating_sub(1);
        if *number == 0 {
            waiting.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::Rates;

    fn limits() -> Limits {
        let rates = Rates {
            reads: 1,
            writes: 1,
            hits: 1,
        };
        Limits::new(Some(rates), &Clock::System)
    }

    #[test]
    fn one_address_and_one_account_leave_places_to_others() {
        let limits = limits();
        let address = |number: u8| Some(IpAddr::from([192, 0, 2, number]));
        let begin = |email: &str, number| limits.sign_in(email, address(number)).begin();
        let of_address: Vec<_> = (0..PLACES)
            .map(|n| begin(&format!("{n}@example.com"), 1).expect("a place"))
            .collect();
        let full = |begun: ApiResult<Place>| {
            assert!(matches!(begun, Err(ApiError::Unavailable(_))));
        };
        full(begin("a@example.com", 1));
        let of_account: Vec<_> = (0..8)
            .map(|n| begin("a@example.com", 2 + n).expect("a place"))
            .collect();
        full(begin("a@example.com", 100));
        drop(begin("b@example.com", 100).expect("neither is full"));
        drop((of_address, of_account));
        drop(begin("a@example.com", 1).expect("all are gone"));
        let attempts = limits.attempts().expect("they are on");
        assert!(attempts.lock().accounts.is_empty() && attempts.lock().networks.is_empty());
    }
}
