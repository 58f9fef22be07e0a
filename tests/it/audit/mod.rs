//! The audit log: who did what.

mod articles;
mod keeping;
mod listing;
mod people;
mod refusals;
mod sections;
mod steps;
mod writes;

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::{Map, Value};

use crate::support::app::TestApp;
use crate::support::client::{Answer, Request};
use crate::support::stage::Fact;

static NEXT: AtomicU32 = AtomicU32::new(1);

/// Sends a request with an id of its own: its answer, and what the log holds of it, in order.
async fn traced(app: &TestApp, request: Request) -> (Answer, Vec<Value>) {
    let id = format!("trace-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let answer = request.header("x-request-id", &id).send().await;
    let mut entries = app.told(&id).await;
    entries.reverse();
    (answer, entries)
}

/// A request of the admin's; null is no body.
async fn request(app: &TestApp, method: Method, path: &str, body: &Value) -> Request {
    let is_patch = method == Method::PATCH;
    let mut request = app.admin().request(method, path).await;
    if is_patch {
        request = request.header("if-match", "*");
    }
    if body.is_null() {
        request
    } else {
        request.json(body)
    }
}

/// What the log holds of a request of the admin's, which must have this status.
async fn act(app: &TestApp, method: Method, path: &str, body: Value, status: u16) -> Vec<Value> {
    let request = request(app, method, path, &body).await;
    let (answer, entries) = traced(app, request).await;
    answer.ok(status);
    entries
}

/// Each entry as `event resource id`.
fn events(entries: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    entries
        .iter()
        .map(|entry| {
            let resource = &entry["resource"];
            format!(
                "{} {} {}",
                text(&entry["event"]),
                text(&resource["type"]),
                resource["id"]
            )
        })
        .collect()
}

/// An entry's changes: each member with its value before and after.
fn changes(entry: &Value) -> Value {
    let list = entry["changes"].as_array().expect("a list");
    let pair = |change: &Value| {
        let name = change["member"].as_str().expect("a name").to_owned();
        (
            name,
            Value::from(vec![change["before"].clone(), change["after"].clone()]),
        )
    };
    Value::Object(list.iter().map(pair).collect::<Map<_, _>>())
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        writes::facts(),
        articles::facts(),
        people::facts(),
        refusals::facts(),
        sections::facts(),
        listing::facts(),
        keeping::facts(),
    ]
    .concat()
}
