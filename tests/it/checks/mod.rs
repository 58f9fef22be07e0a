//! What is looked for in an article before it is published.

mod blocking;
mod finding;
mod settings;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Fact;

fn path(id: i64) -> String {
    format!("/v1/admin/articles/{id}/check")
}

async fn check(app: &TestApp, id: i64) -> Answer {
    app.admin().act(&path(id)).await.ok(200)
}

/// An article that lacks nothing, with this body.
fn whole(format: &str, content: &str) -> Value {
    json!({
        "summary": "船工上船了。", "source": {"name": "青屿日报"},
        "cover": {"url": "/img/dawn.jpg", "alt": "薄雾里的渡船"},
        "body": {"format": format, "content": content},
    })
}

/// A draft that lacks nothing, with this body; its id.
async fn draft(app: &TestApp, format: &str, content: &str) -> i64 {
    let section = app.admin().section("港口", json!({})).await;
    let body = whole(format, content);
    app.admin().draft("晨渡", section, body).await
}

/// Each finding's code and pointer, and for a place in the body the text from there on.
fn places(answer: &Answer, content: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let findings = answer["data"].as_array().expect("a list").iter();
    findings
        .map(|finding| {
            let offset = finding["offset"]
                .as_u64()
                .and_then(|at| usize::try_from(at).ok());
            let rest = |at: usize| content.chars().skip(at).take(6).collect();
            let rest = offset.map_or(String::new(), rest);
            (text(&finding["code"]), text(&finding["pointer"]), rest)
        })
        .collect()
}

/// The places in the body: code and text.
fn in_body(answer: &Answer, content: &str) -> Vec<(String, String)> {
    let places = places(answer, content).into_iter();
    let in_body = places.filter(|(_, pointer, _)| pointer == "/body/content");
    in_body.map(|(code, _, text)| (code, text)).collect()
}

fn found(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(code, text): &(&str, &str)| ((*code).to_owned(), (*text).to_owned());
    pairs.iter().map(owned).collect()
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [blocking::facts(), finding::facts(), settings::facts()].concat()
}
