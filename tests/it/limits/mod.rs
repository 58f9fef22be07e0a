//! How much one client may ask for.

mod callers;
mod hits;
mod requests;
mod sign_in;

use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::{Answer, Request};
use crate::support::stage::Fact;

/// The suite's own address is a proxy whose `X-Forwarded-For` is believed.
const PROXY: (&str, &str) = ("LANMU_TRUSTED_PROXIES", "127.0.0.1");

const SITE: &str = "/v1/site";

/// A request that a proxy passes on from this address.
fn from(app: &TestApp, address: &str, method: Method, path: &str) -> Request {
    app.request(method, path).header("x-forwarded-for", address)
}

/// A write that changes nothing, and fails with 401 where it is not limited.
async fn write(app: &TestApp) -> Answer {
    let body = json!({"refresh_token": "never given out"});
    app.post("/v1/auth/refresh", body).await
}

/// 429 with these seconds to wait.
#[track_caller]
fn limited(answer: Answer, seconds: &str) -> Answer {
    let answer = answer.problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), Some(seconds));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer
}

/// `RateLimit` and `RateLimit-Policy`.
fn told(answer: &Answer) -> (Option<&str>, Option<&str>) {
    (
        answer.header("ratelimit"),
        answer.header("ratelimit-policy"),
    )
}

/// The facts of this module.
pub fn facts() -> Vec<Fact> {
    [
        requests::facts(),
        callers::facts(),
        hits::facts(),
        sign_in::facts(),
    ]
    .concat()
}
