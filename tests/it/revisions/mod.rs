//! Revisions of articles: made by every save, read, compared, brought back, kept.

mod bounds;
mod comparing;
mod keeping;
mod random;
mod reading;
mod restoring;
mod saving;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, TestApp};
use crate::support::client::Answer;
use crate::support::people::SECRET;
use crate::support::stage::Fact;

const ARTICLES: &str = "/v1/admin/articles";

fn path(id: i64) -> String {
    format!("{ARTICLES}/{id}")
}

fn revision_path(id: i64, version: i64) -> String {
    format!("{ARTICLES}/{id}/revisions/{version}")
}

async fn section(app: &TestApp) -> i64 {
    app.admin()
        .section("港口", json!({"slug": "harbour"}))
        .await
}

async fn patch(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin().patch(&path(id), body).await.ok(200)
}

async fn act(app: &TestApp, id: i64, action: &str, body: Value) -> Answer {
    let path = format!("{}/{action}", path(id));
    app.admin().post(&path, body).await.ok(200)
}

/// The revisions of an article, the newest first.
async fn revisions(app: &TestApp, id: i64) -> Vec<Value> {
    let path = format!("{}/revisions?limit=100", path(id));
    let found = app.admin().get(&path).await.ok(200);
    found["data"].as_array().expect("a list").clone()
}

/// The versions that an article has revisions of, the newest first.
async fn versions(app: &TestApp, id: i64) -> Vec<i64> {
    let found = revisions(app, id).await;
    let version = |revision: &Value| revision["version"].as_i64().expect("a version");
    found.iter().map(version).collect()
}

/// What the article was in this version.
async fn content(app: &TestApp, id: i64, version: i64) -> Value {
    let found = app.admin().get(&revision_path(id, version)).await.ok(200);
    found["article"].clone()
}

async fn diff(app: &TestApp, id: i64, version: i64, query: &str) -> Answer {
    let path = format!("{}/diff{query}", revision_path(id, version));
    app.admin().get(&path).await
}

async fn restore(app: &TestApp, id: i64, version: i64) -> Answer {
    let path = format!("{}/restore", revision_path(id, version));
    app.admin().act(&path).await
}

async fn version(app: &TestApp, id: i64) -> i64 {
    let found = app.admin().get(&path(id)).await.ok(200);
    found["version"].as_i64().expect("a version")
}

fn admin() -> Value {
    json!({"type": "account", "id": 1, "name": ADMIN})
}

/// A new account's access token.
async fn token(app: &TestApp, role: &str, sections: Value) -> String {
    let email = format!("{role}@example.com");
    app.account(&email, role, json!({"sections": sections}))
        .await;
    app.sign_in(&email, SECRET).await.access
}

/// `POST` without a body, with this access token.
async fn act_with(app: &TestApp, token: &str, path: &str) -> Answer {
    app.with(token, Method::POST, path).send().await
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        saving::facts(),
        reading::facts(),
        comparing::facts(),
        restoring::facts(),
        bounds::facts(),
        keeping::facts(),
        random::facts(),
    ]
    .concat()
}
