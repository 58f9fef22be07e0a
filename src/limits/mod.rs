//! How much one client may ask for: requests per minute, hits that count, failed sign-ins.
//!
//! Everything is kept in memory and per node: several nodes allow several times as much. A bucket
//! holds one minute's requests; it is full at first and fills up evenly (GCRA). [`limit`] takes
//! from the buckets of addresses; those of accounts and API keys are for whoever authenticates
//! them, by [`Limits::charge`]. [`sign_in`] knows attempts to sign in.
//!
//! Answers tell the state of the bucket in `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-10), those that caches may keep as well: the draft has
//! clients ignore the two on an answer out of a cache, and a header more is no reason to send two
//! kinds of answers.

mod attempts;
mod middleware;
pub mod sign_in;
mod ticks;

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::config::Rates;
use crate::error::{ApiError, ApiResult};
use crate::http::client;
use sign_in::{Attempt, SignIns};
use ticks::Ticks;

pub use attempts::Place;
pub use middleware::{limit, of_address};

/// How often what is known of idle clients is dropped.
const TIDY_EVERY: Duration = Duration::from_secs(15);

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// `GET`, `HEAD` and `OPTIONS`.
    Reads,
    /// Requests that change something.
    Writes,
    /// Hits recorded.
    Hits,
}

impl Bucket {
    fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Hits => "hits",
        }
    }
}

/// Whose bucket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A client's network: see [`Key::of_address`].
    Address(IpAddr),
    /// An account, by its id.
    Account(i64),
    /// An API key, by its id.
    ApiKey(i64),
}

impl Key {
    /// The key of a client's address: the IPv4 address, or the /64 of an IPv6 address.
    pub fn of_address(address: IpAddr) -> Self {
        Self::Address(client::network(address))
    }
}

/// What a bucket said to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The bucket.
    pub bucket: Bucket,
    /// Requests that the full bucket holds; as many flow in per minute.
    pub limit: u32,
    /// Requests that are left after this one.
    pub remaining: u32,
    /// Seconds, at least 1, after which at least one more is there.
    pub reset_seconds: u32,
    /// Whether this request may go on.
    pub allowed: bool,
}

impl Decision {
    /// 429 with `Retry-After`, where the request may not go on.
    pub fn refusal(self) -> Option<ApiError> {
        (!self.allowed).then_some(ApiError::RateLimited(self.reset_seconds))
    }
}

/// All limits of this node; cheap to clone. Switched off, it allows everything and tells nothing.
#[derive(Clone)]
pub struct Limits(Option<Arc<Inner>>);

struct Inner {
    reads: Meter,
    writes: Meter,
    hits: Meter,
    rejections: Meter,
    sign_ins: SignIns,
}

/// The buckets of one kind.
struct Meter {
    bucket: Bucket,
    limit: u32,
    policy: HeaderValue,
    limiter: RateLimiter<Key, DashMapStateStore<Key>, Ticks, StateInformationMiddleware>,
}

impl Meter {
    fn new(bucket: Bucket, per_minute: u32, ticks: &Ticks) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        let policy = format!("\"{}\";q={per_minute};w=60", bucket.name());
        Self {
            bucket,
            limit: per_minute,
            // ASCII without control characters is always a header's value.
            policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("")),
            limiter: RateLimiter::dashmap_with_clock(quota, ticks.clone()).with_middleware(),
        }
    }

    fn check(&self, key: Key) -> Decision {
        let decision = |allowed, remaining, wait| Decision {
            bucket: self.bucket,
            limit: self.limit,
            remaining,
            reset_seconds: whole_seconds(wait),
            allowed,
        };
        match self.limiter.check_key(&key) {
            Ok(state) => {
                let next = Duration::from_secs(60) / self.limit.max(1);
                decision(true, state.remaining_burst_capacity(), next)
            }
            Err(until) => {
                let now = governor::clock::Clock::now(self.limiter.clock());
                decision(false, 0, until.wait_time_from(now))
            }
        }
    }

    fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

/// Rounded up, at least 1.
fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_nanos().div_ceil(1_000_000_000).max(1);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

impl Limits {
    /// Limits of these rates, or none.
    pub fn new(rates: Option<Rates>, clock: &Clock) -> Self {
        Self(rates.map(|rates| {
            let ticks = Ticks::new(clock.clone());
            Arc::new(Inner {
                reads: Meter::new(Bucket::Reads, rates.reads, &ticks),
                writes: Meter::new(Bucket::Writes, rates.writes, &ticks),
                hits: Meter::new(Bucket::Hits, rates.hits, &ticks),
                rejections: Meter::new(Bucket::Hits, rates.hits, &ticks),
                sign_ins: SignIns::new(ticks),
            })
        }))
    }

    /// Takes one from a bucket. `None`: limits are off.
    pub fn check(&self, bucket: Bucket, key: Key) -> Option<Decision> {
        self.0.as_ref().map(|inner| inner.meter(bucket).check(key))
    }

    /// Takes one from the bucket of whoever sends this request, reads or writes by its method, and
    /// lets the answer's headers tell of that bucket instead of the address's. 429 where it is
    /// empty.
    pub fn charge(&self, req: &ServiceRequest, key: Key) -> ApiResult<()> {
        let Some(decision) = self.check(middleware::bucket_of(req.method()), key) else {
            return Ok(());
        };
        req.extensions_mut().insert(decision);
        decision.refusal().map_or(Ok(()), Err)
    }

    /// What may be recorded from this address.
    pub fn hits_from(&self, address: Option<IpAddr>) -> Allowance {
        Allowance {
            limits: self.clone(),
            key: address.map(Key::of_address),
        }
    }

    /// An attempt to sign in to the account of this key (known or not) from this address.
    pub fn sign_in(&self, email_key: &str, address: Option<IpAddr>) -> Attempt {
        Attempt::new(self.clone(), email_key, address)
    }

    /// Drops what is known of clients that were idle long enough for it to make no difference.
    pub fn tidy(&self) {
        if let Some(inner) = &self.0 {
            for meter in [&inner.reads, &inner.writes, &inner.hits, &inner.rejections] {
                meter.tidy();
            }
            inner.sign_ins.tidy();
        }
    }

    /// Tidies for ever, every few seconds.
    pub async fn keep_tidy(self) {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            self.tidy();
        }
    }

    fn sign_ins(&self) -> Option<&SignIns> {
        self.0.as_ref().map(|inner| &inner.sign_ins)
    }

    fn attempts(&self) -> Option<&attempts::Attempts> {
        self.sign_ins().map(|sign_ins| &sign_ins.attempts)
    }

    /// Writes a decision into the headers of an answer.
    pub fn tell(&self, decision: Decision, headers: &mut HeaderMap) {
        let Some(inner) = &self.0 else {
            return;
        };
        let state = format!(
            "\"{}\";r={};t={}",
            decision.bucket.name(),
            decision.remaining,
            decision.reset_seconds
        );
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert(HeaderName::from_static("ratelimit"), state);
        }
        headers.insert(
            HeaderName::from_static("ratelimit-policy"),
            inner.meter(decision.bucket).policy.clone(),
        );
    }
}

impl Inner {
    fn meter(&self, bucket: Bucket) -> &Meter {
        match bucket {
            Bucket::Reads => &self.reads,
            Bucket::Writes => &self.writes,
            Bucket::Hits => &self.hits,
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_on = self.0.is_some();
        f.debug_struct("Limits").field("is_on", &is_on).finish()
    }
}

/// What may be done with one hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// It is judged.
    Judged,
    /// It is over the limit: rejected, and the ledger says so.
    Noted,
    /// So many were over the limit that this one is rejected without a word in the ledger: whoever
    /// sends without end must not write without end.
    Unnoted,
}

/// What may be recorded by one sender of hits.
#[derive(Debug)]
pub struct Allowance {
    limits: Limits,
    key: Option<Key>,
}

impl Allowance {
    /// Takes one hit. A minute's hits are judged, as many more are noted.
    pub fn take(&self) -> Share {
        let (Some(inner), Some(key)) = (&self.limits.0, self.key) else {
            return Share::Judged;
        };
        if inner.hits.check(key).allowed {
            Share::Judged
        } else if inner.rejections.check(key).allowed {
            Share::Noted
        } else {
            Share::Unnoted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Timestamp;

    fn limits(reads: u32) -> (Limits, Clock) {
        let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000).expect("in range"));
        let rates = Rates {
            reads,
            writes: 10_000_000,
            hits: 1,
        };
        (Limits::new(Some(rates), &clock), clock)
    }

    fn taken(limits: &Limits, key: Key) -> u32 {
        let check = || limits.check(Bucket::Reads, key).expect("limits are on");
        (0..).take_while(|_| check().allowed).count() as u32
    }

    #[test]
    fn a_bucket_holds_exactly_its_limit_and_fills_up_in_a_minute() {
        for reads in [1, 7, 60, 1000, 60_000] {
            let (limits, clock) = limits(reads);
            let key = Key::Account(1);
            assert_eq!(taken(&limits, key), reads);
            clock.set(clock.now().plus_seconds(30));
            assert_eq!(taken(&limits, key), reads / 2);
            clock.set(clock.now().plus_seconds(600));
            assert_eq!(taken(&limits, key), reads);
            assert_eq!(taken(&limits, Key::ApiKey(1)), reads);
        }
    }

    #[test]
    fn a_clock_that_goes_back_stops_nobody_whose_bucket_is_not_empty() {
        let (limits, clock) = limits(10);
        let key = Key::Account(1);
        for _ in 0..5 {
            assert!(limits.check(Bucket::Reads, key).expect("on").allowed);
        }
        clock.set(clock.now().plus_seconds(-86_400));
        assert_eq!(taken(&limits, key), 5);
    }

    #[test]
    fn whoever_is_charged_is_told_of_in_the_headers() {
        let (limits, _) = limits(1);
        let request = || actix_web::test::TestRequest::get().to_srv_request();
        for (key, is_allowed) in [
            (Key::Account(1), true),
            (Key::ApiKey(1), true),
            (Key::Account(1), false),
        ] {
            let req = request();
            let charged = limits.charge(&req, key);
            assert_eq!(charged.is_ok(), is_allowed);
            let told = req.extensions().get::<Decision>().copied();
            assert_eq!(told.map(|decision| decision.allowed), Some(is_allowed));
        }
        let off = Limits::new(None, &Clock::System);
        let req = request();
        off.charge(&req, Key::Account(1)).expect("limits are off");
        assert!(req.extensions().get::<Decision>().is_none());
    }

    #[test]
    fn idle_keys_are_dropped() {
        let (limits, clock) = limits(10);
        for id in 0..1000 {
            limits.check(Bucket::Reads, Key::Account(id));
        }
        limits.tidy();
        let known = || {
            limits
                .0
                .as_ref()
                .map_or(0, |inner| inner.reads.limiter.len())
        };
        assert_eq!(known(), 1000);
        clock.set(clock.now().plus_seconds(60));
        limits.tidy();
        assert_eq!(known(), 0);
    }
}
