//! Every management write and every sign-in event leaves exactly its entries.

use std::collections::BTreeSet;

use lanmu::audit::Event;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, PASSWORD, TestApp};
use crate::support::contract::{document, operation};
use crate::support::databases;
use crate::support::stage::Stage;

use super::steps::{access_steps, content_steps};
use super::{events, request, traced};

/// Secrets of an answer: what is shown once.
fn secrets(body: &Value) -> Vec<String> {
    let names = ["key", "token", "access_token", "refresh_token"];
    let found = names.iter().filter_map(|name| body[name].as_str());
    found.map(ToOwned::to_owned).collect()
}

/// The id of the session that the admin's token belongs to.
async fn own_session(app: &TestApp) -> i64 {
    app.admin().get("/v1/auth/sessions").await.ok(200).ids()[0]
}

async fn every_write_leaves_exactly_its_entries(stage: Stage) {
    let app = stage.app().await;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut driven: BTreeSet<String> = BTreeSet::new();
    let mut told: Vec<String> = ["another horse battery", "yet another horse", PASSWORD]
        .map(ToOwned::to_owned)
        .to_vec();
    let steps = content_steps().into_iter().chain(access_steps());
    for (number, (method, path, body, status, expected)) in steps.enumerate() {
        let is_own = path.starts_with("/v1/auth");
        let path = if is_own {
            app.forget_token();
            path.replace("{own}", &own_session(&app).await.to_string())
        } else {
            path.to_owned()
        };
        let name = format!("{method} {path}");
        let request = request(&app, method.clone(), &path, &body).await;
        let id = format!("step-{number}");
        let answer = request.header("x-request-id", &id).send().await.ok(status);
        told.extend(secrets(&answer.json));
        if is_own {
            app.forget_token();
        }
        let mut entries = app.told(&id).await;
        entries.reverse();
        let found = events(&entries);
        assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{name}: {found}");
        }
        for entry in &entries {
            let actor = json!({"type": "account", "id": 1, "name": ADMIN});
            assert_eq!(entry["actor"], actor, "{name}");
            assert_eq!(entry["address"], "127.0.0.1", "{name}");
            assert_eq!(entry["request_id"], id, "{name}");
            assert_eq!(entry["at"], NOON, "{name}");
            seen.insert(entry["event"].as_str().expect("a name").to_owned());
        }
        let bare = path.split('?').next().unwrap_or_default();
        let operation = operation(&method, bare).expect("it is documented");
        driven.insert(operation["operationId"].as_str().expect("an id").to_owned());
    }
    seen.extend(sign_in_events(&app, &mut told).await);
    assert_all_events_seen(&seen);
    assert_all_writes_driven(&driven);
    let rows = databases::rows(&mut app.connect());
    let log = rows.iter().find(|(table, _)| *table == "audit");
    for row in &log.expect("the table").1 {
        for secret in &told {
            assert!(!row.contains(secret.as_str()), "{secret} is told: {row}");
        }
        assert!(!row.contains("argon2"), "{row}");
    }
}

/// The events of those who aren't signed in yet.
async fn sign_in_events(app: &TestApp, told: &mut Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    let id = app.account("b@example.com", "viewer", json!({})).await;
    let path = format!("/v1/admin/users/{id}/password-reset");
    let made = app.admin().act(&path).await.ok(201);
    told.push(made["token"].as_str().expect("a token").to_owned());
    let mut post = async |path: &str, body: Value, status: u16, expected: &str| {
        let (answer, entries) = traced(app, app.request(Method::POST, path).json(&body)).await;
        let answer = answer.ok(status);
        let found = events(&entries);
        let (first, more) = (found.first().cloned().unwrap_or_default(), found.len());
        assert!(first.starts_with(expected), "{path}: {found:?}");
        assert_eq!(more, usize::from(!expected.is_empty()), "{path}: {found:?}");
        seen.extend(
            entries
                .iter()
                .filter_map(|e| e["event"].as_str().map(ToOwned::to_owned)),
        );
        told.extend(secrets(&answer.json));
        answer
    };
    let login = |password: &str| json!({"email": ADMIN, "password": password});
    post(
        "/v1/auth/login",
        login("wrong"),
        401,
        "auth.sign_in_failed user 1",
    )
    .await;
    let tokens = post(
        "/v1/auth/login",
        login(PASSWORD),
        200,
        "auth.signed_in session ",
    )
    .await;
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    post("/v1/auth/refresh", refresh.clone(), 200, "").await;
    post("/v1/auth/refresh", refresh.clone(), 409, "").await;
    post("/v1/auth/refresh", json!({"refresh_token": "x"}), 401, "").await;
    app.advance(11);
    let reused = "auth.refresh_token_reused session ";
    post("/v1/auth/refresh", refresh.clone(), 401, reused).await;
    post("/v1/auth/refresh", refresh, 401, "").await;
    let reset = |token: &Value| json!({"token": token, "password": "yet another horse"});
    let done = format!("user.password_reset user {id}");
    post("/v1/auth/reset", reset(&json!("x")), 422, "").await;
    post("/v1/auth/reset", reset(&made["token"]), 204, &done).await;
    seen
}

fn assert_all_events_seen(seen: &BTreeSet<String>) {
    for event in Event::ALL {
        // Signing keys are rotated by the command line, and time is no request.
        let is_else = matches!(event, Event::SigningKeyRotated | Event::ArticleExpired);
        let is_seen = is_else || seen.contains(event.as_str());
        assert!(is_seen, "nothing leaves {}", event.as_str());
    }
}

/// What writes and was not driven; sign-in's own are told apart.
fn assert_all_writes_driven(driven: &BTreeSet<String>) {
    let paths = document()["paths"].as_object().expect("paths");
    for (path, item) in paths {
        let is_managed = path.starts_with("/v1/admin") || path.starts_with("/v1/auth");
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id");
            let is_open = matches!(id, "login" | "refreshTokens" | "resetPassword");
            let is_write = method != "get" && is_managed && !is_open;
            assert!(!is_write || driven.contains(id), "{id} is not driven");
        }
    }
}

crate::facts![every_write_leaves_exactly_its_entries];
