//! Preview links: what is not public, for whoever has the link.

mod ending;
mod forged;
mod making;
mod reading;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Fact;

const ARTICLES: &str = "/v1/admin/articles";

fn one(id: i64) -> String {
    format!("{ARTICLES}/{id}")
}

/// Where the article's link is made.
fn making(id: i64) -> String {
    format!("{ARTICLES}/{id}/preview")
}

/// Where the link of this token leads.
fn place(token: &str) -> String {
    format!("/v1/preview/{token}")
}

/// A new link of the article, made by the admin; its token.
async fn link(app: &TestApp, id: i64) -> String {
    token_of(&app.admin().act(&making(id)).await.ok(201))
}

#[track_caller]
fn token_of(made: &Answer) -> String {
    made["token"].as_str().expect("a token").to_owned()
}

/// A section that readers see, and a draft in it.
async fn a_draft(app: &TestApp) -> i64 {
    let section = app.admin().section("港口", json!({"slug": "port"})).await;
    let more = json!({"slug": "dawn"});
    app.admin().draft("晨渡", section, more).await
}

/// What the link shows.
async fn shown(app: &TestApp, token: &str) -> Value {
    app.get(&place(token)).await.ok(200).json
}

/// The link shows nothing, and doesn't tell why.
async fn assert_gone(app: &TestApp, token: &str) {
    assert_none(app.get(&place(token)).await);
}

#[track_caller]
fn assert_none(answer: Answer) {
    let answer = answer.problem(404, "not_found");
    assert_eq!(answer["detail"], "there is no such preview");
    assert_unkept(&answer);
}

/// Nobody is told that it may be kept, indexed or named to others.
#[track_caller]
fn assert_unkept(answer: &Answer) {
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow"),
        ("referrer-policy", "no-referrer"),
        ("access-control-allow-origin", "*"),
    ] {
        let found: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(found, [value], "{name} of {answer}");
    }
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        making::facts(),
        reading::facts(),
        ending::facts(),
        forged::facts(),
    ]
    .concat()
}
