//! Safe writes: what is only tried, and what is sent again.

mod dry_run;
mod idempotency;
mod together;

use reqwest::Method;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::client::Request;
use crate::support::stage::Fact;

const ARTICLES: &str = "/v1/admin/articles";
const SECTIONS: &str = "/v1/admin/sections";
const EXTERNAL: &str = "/v1/admin/external-articles";

/// A request of the admin's on this condition (blank: none); null is no body.
async fn write(
    app: &TestApp,
    method: &Method,
    path: &str,
    if_match: &str,
    body: &Value,
) -> Request {
    let mut request = app.admin().request(method.clone(), path).await;
    if !if_match.is_empty() {
        request = request.header("if-match", if_match);
    }
    if body.is_null() {
        request
    } else {
        request.json(body)
    }
}

/// The facts of this module.
pub fn facts() -> Vec<Fact> {
    [dry_run::facts(), idempotency::facts(), together::facts()].concat()
}
