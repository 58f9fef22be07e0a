//! Lists: filters, sorts, pages and cursors.

mod counts;
mod filters;
mod management;
mod pages;
mod sorts;

use serde_json::{Value, json};

use crate::support::app::{TestApp, merged};
use crate::support::client::Answer;
use crate::support::stage::Fact;

const LIST: &str = "/v1/articles";
const MANAGED: &str = "/v1/admin/articles";

/// A list of up to 100, as the admin where it is a managed one.
async fn list(app: &TestApp, path: &str) -> Answer {
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{mark}limit=100");
    if path.starts_with(MANAGED) {
        app.admin().get(&path).await.ok(200)
    } else {
        app.get(&path).await.ok(200)
    }
}

async fn ids(app: &TestApp, path: &str) -> Vec<i64> {
    list(app, path).await.ids()
}

/// What a filter lets through, oldest first: readers and editors must be given the same.
async fn filtered(app: &TestApp, filter: &str) -> Vec<i64> {
    let query = format!("?sort=published_at&{filter}");
    let found = list(app, &format!("{LIST}{query}")).await;
    assert_eq!(found["page"]["total"], found.ids().len());
    assert_eq!(ids(app, &format!("{MANAGED}{query}")).await, found.ids());
    found.ids()
}

/// The parameters that a request is refused for, sorted.
async fn refused(app: &TestApp, path: &str) -> Vec<String> {
    let answer = if path.starts_with(MANAGED) {
        app.admin().get(path).await
    } else {
        app.get(path).await
    };
    let faults = answer.problem(400, "invalid_request").faults();
    let mut parameters: Vec<String> = faults.into_iter().map(|(at, _)| at).collect();
    parameters.sort();
    parameters.dedup();
    parameters
}

async fn section(app: &TestApp) -> i64 {
    app.admin()
        .section("港口", json!({"slug": "harbour"}))
        .await
}

/// A public article of this day of January 2026.
async fn on_day(app: &TestApp, section: i64, day: u8, more: Value) -> i64 {
    let at = json!({"published_at": format!("2026-01-{day:02}T00:00:00Z")});
    app.admin().article("晨渡", section, merged(at, more)).await
}

async fn at(app: &TestApp, section: i64, published_at: &str) -> i64 {
    let more = json!({"published_at": published_at});
    app.admin().article("晨渡", section, more).await
}

/// So many public articles, one a day.
async fn days(app: &TestApp, number: u8) -> Vec<i64> {
    let section = section(app).await;
    let mut ids = Vec::new();
    for day in 1..=number {
        ids.push(on_day(app, section, day, json!({"tags": ["潮汐"]})).await);
    }
    ids
}

fn reversed(ids: &[i64]) -> Vec<i64> {
    ids.iter().rev().copied().collect()
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        filters::facts(),
        sorts::facts(),
        pages::facts(),
        counts::facts(),
        management::facts(),
    ]
    .concat()
}
