//! Mass assignment: what the service sets by itself can't be set by naming it, wherever it is named.

use serde_json::{Value, json};

use crate::support::contract::operation;
use crate::support::stage::Stage;

use super::{BAD_BODY, BAD_REQUEST, Desk, Route, Takes};

/// Members and columns that no caller sets, unless the document names one for a route.
const OWN: &[&str] = &[
    "id",
    "author_id",
    "role",
    "hits",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "status",
    "user_id",
    "permissions",
    "password_hash",
    "disabled",
];

/// How many requests the facts must come to at least: fewer, and something is left out.
const BODIES_AT_LEAST: usize = 1700;
const QUERIES_AT_LEAST: usize = 500;

/// A value of each kind that such a member may be given.
fn values() -> [Value; 3] {
    [json!(1), json!("admin"), json!({"id": 1, "set": "admin"})]
}

/// The objects of the route's good body, each with the members that the document names for it.
fn objects(route: &Route) -> Vec<(String, Vec<String>)> {
    if route.takes == Takes::NoMembers {
        return vec![(String::new(), Vec::new())];
    }
    let members = route.members();
    let nested = members.iter().filter(|member| member.kind == "object");
    let pointers = nested.map(|member| member.pointer.clone());
    let named_in = |object: &str| {
        let named = members.iter().filter_map(|member| {
            let (parent, name) = member.pointer.rsplit_once('/')?;
            (parent == object).then(|| name.to_owned())
        });
        named.collect()
    };
    std::iter::once(String::new())
        .chain(pointers)
        .map(|object| (object.clone(), named_in(&object)))
        .collect()
}

fn media_types(route: &Route) -> &'static [&'static str] {
    match route.takes {
        Takes::MergePatch => &["application/json", "application/merge-patch+json"],
        Takes::Beacon => &["application/json", "text/plain"],
        Takes::Json | Takes::JsonOrNothing | Takes::NoMembers => &["application/json"],
        Takes::Nothing => &[],
    }
}

/// The route's good body with this member in one of its objects.
fn with_member(route: &Route, object: &str, name: &str, value: Value) -> String {
    let mut body = route.full.clone();
    let members = body.pointer_mut(object).and_then(Value::as_object_mut);
    let members = members.expect("an object");
    members.insert(name.to_owned(), value);
    body.to_string()
}

async fn what_the_service_sets_is_no_member(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut tried = 0;
    for route in desk.routes() {
        for media_type in media_types(&route) {
            for (object, named) in objects(&route) {
                for name in OWN.iter().filter(|own| !named.iter().any(|n| n == *own)) {
                    for value in values() {
                        let what = format!("{route} {media_type} {object}/{name}: {value}");
                        let body = with_member(&route, &object, name, value);
                        let request = desk.ask(&route).body(media_type, body);
                        let pointer = format!("{object}/{name}");
                        desk.refuses_at(what, request, BAD_BODY, &pointer, "unknown_member")
                            .await;
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried >= BODIES_AT_LEAST, "only {tried} bodies were tried");
    desk.close().await;
}

/// The query parameters that the document names for a route.
fn parameters(route: &Route) -> Vec<&'static str> {
    let operation = operation(&route.method, route.template).expect("it is documented");
    let all = operation["parameters"].as_array().into_iter().flatten();
    all.filter(|parameter| parameter["in"] == "query")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect()
}

async fn what_the_service_sets_is_no_parameter(stage: Stage) {
    let desk = Desk::open(&stage, &[]).await;
    let mut tried = 0;
    for route in desk.routes() {
        let named = parameters(&route);
        for name in OWN.iter().filter(|own| !named.contains(own)) {
            for value in ["1", "admin", "%7B%22id%22%3A1%7D"] {
                let path = format!("{}?{name}={value}", route.path);
                let mut request = desk.ask_at(&route, &path);
                if route.has_body() {
                    request = request.json(&route.full);
                }
                let what = format!("{route} ?{name}={value}");
                desk.refuses_at(what, request, BAD_REQUEST, name, "unknown_parameter")
                    .await;
                tried += 1;
            }
        }
    }
    assert!(tried >= QUERIES_AT_LEAST, "only {tried} queries were tried");
    desk.close().await;
}

crate::facts![
    what_the_service_sets_is_no_member,
    what_the_service_sets_is_no_parameter,
];
