//! API keys, as admins manage them and as systems use them.

mod changing;
mod making;
mod rotating;
mod using;

use reqwest::Method;
use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::people::KEYS;
use crate::support::stage::Fact;

const READ: &[&str] = &["content:read"];
const ARTICLES: &str = "/v1/admin/articles";

fn path(id: i64) -> String {
    format!("{KEYS}/{id}")
}

async fn create(app: &TestApp, body: Value) -> Answer {
    app.admin().post(KEYS, body).await
}

/// The key as admins see it.
async fn read(app: &TestApp, id: i64) -> Answer {
    app.admin().get(&path(id)).await.ok(200)
}

async fn write(app: &TestApp, if_match: &str, method: Method, path: &str, body: Value) -> Answer {
    app.admin().write_if(if_match, method, path, body).await
}

/// The faults' places and codes, sorted, as `place code`.
fn faults(answer: &Answer) -> Vec<String> {
    let faults = answer.faults().into_iter();
    let mut faults: Vec<String> = faults.map(|(at, code)| format!("{at} {code}")).collect();
    faults.sort();
    faults
}

/// The key opens management.
async fn assert_good(app: &TestApp, key: &str) {
    app.get_with(key, ARTICLES).await.ok(200);
}

/// The key opens nothing.
async fn assert_dead(app: &TestApp, key: &str) {
    app.get_with(key, ARTICLES)
        .await
        .problem(401, "unauthorized");
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        making::facts(),
        using::facts(),
        changing::facts(),
        rotating::facts(),
    ]
    .concat()
}
