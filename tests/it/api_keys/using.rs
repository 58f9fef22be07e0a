//! What a key opens, until when, and what its use leaves.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::people::{AUDIT, KEYS, USERS};
use crate::support::stage::Stage;

use super::{ARTICLES, READ, assert_dead, assert_good, path, read};

async fn a_key_is_good_until_it_expires(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let app = &nodes[0];
    let ends = json!({"expires_at": "2026-01-31T04:10:00Z"});
    let (id, key) = app.api_key(READ, ends).await;
    let (_, apart) = app.api_key(READ, json!({})).await;
    for node in &nodes {
        node.set_clock("2026-01-31T04:09:59Z");
        assert_good(node, &key).await;
        node.set_clock("2026-01-31T04:10:00Z");
        assert_dead(node, &key).await;
        assert_good(node, &apart).await;
    }
    // It is listed still, and may be given more time.
    let listed = app.admin().get(KEYS).await.ok(200);
    assert!(listed.ids().contains(&id));
    let more = json!({"expires_at": "2026-01-31T04:20:00Z"});
    app.admin().patch(&path(id), more).await.ok(200);
    assert_good(app, &key).await;
    app.advance(600);
    assert_dead(app, &key).await;
    let forever = json!({"expires_at": null});
    app.admin().patch(&path(id), forever).await.ok(200);
    app.advance(300 * 86_400);
    assert_good(app, &key).await;
}

async fn the_last_use_is_told_to_the_minute(stage: Stage) {
    let app = stage.app().await;
    let (id, key) = app.api_key(READ, json!({})).await;
    assert_eq!(read(&app, id).await["last_used_at"], Value::Null);
    let told = async || {
        assert_good(&app, &key).await;
        read(&app, id).await["last_used_at"].clone()
    };
    assert_eq!(told().await, NOON);
    app.advance(59);
    assert_eq!(told().await, NOON);
    app.advance(1);
    assert_eq!(told().await, "2026-01-31T04:01:00Z");
    app.advance(3600);
    assert_eq!(told().await, "2026-01-31T05:01:00Z");
    // Use is no change: the version stays, and so does the audit log.
    let found = read(&app, id).await;
    assert_eq!(
        (&found["version"], &found["updated_at"]),
        (&json!(1), &json!(NOON))
    );
    let path = format!("{AUDIT}?resource=api_key&resource_id={id}");
    assert_eq!(app.entries(&path).await.len(), 1);
}

async fn a_key_is_an_authorization_and_nothing_else(stage: Stage) {
    let app = stage.app().await;
    let (_, key) = app.api_key(READ, json!({})).await;
    assert_good(&app, &key).await;
    let anonymous = |path: &str| app.request(Method::GET, path);
    for query in ["key", "api_key", "access_token"] {
        let request = anonymous(&format!("{ARTICLES}?{query}={key}"));
        request.send().await.problem(401, "unauthorized");
    }
    for (name, value) in [
        ("x-api-key", key.clone()),
        ("cookie", format!("key={key}")),
        ("authorization", key.clone()),
        ("authorization", format!("Basic {key}")),
        ("authorization", format!("Bearer {key}x")),
        ("authorization", format!("Bearer {}", &key[..key.len() - 1])),
        ("authorization", format!("Bearer {}", key.to_uppercase())),
        (
            "authorization",
            format!("Bearer {}", key.replacen("lanmu", "lanm0", 1)),
        ),
        ("authorization", format!("Bearer lanmu_{}", "A".repeat(43))),
    ] {
        let request = anonymous(ARTICLES).header(name, &value);
        request.send().await.problem(401, "unauthorized");
    }
}

/// Keys have no account, and none of the scopes gives what admins have.
async fn a_key_manages_no_access(stage: Stage) {
    let app = stage.app().await;
    let all = [
        "content:read",
        "content:write",
        "content:publish",
        "hits:read",
        "hits:write",
    ];
    let (id, key) = app.api_key(&all, json!({})).await;
    for (method, path) in [
        (Method::GET, KEYS.to_owned()),
        (Method::POST, KEYS.to_owned()),
        (Method::GET, path(id)),
        (Method::DELETE, path(id)),
        (Method::POST, format!("{}/rotate", path(id))),
        (Method::GET, USERS.to_owned()),
        (Method::POST, USERS.to_owned()),
        (Method::DELETE, format!("{USERS}/1")),
        (Method::POST, format!("{USERS}/1/password-reset")),
        (Method::GET, format!("{USERS}/1/sessions")),
        (Method::DELETE, format!("{USERS}/1/sessions")),
        (Method::GET, AUDIT.to_owned()),
        (Method::POST, "/v1/admin/sections".to_owned()),
    ] {
        let answer = app.with(&key, method, &path).send().await;
        answer.problem(403, "forbidden");
    }
    assert_good(&app, &key).await;
}

async fn what_a_key_makes_has_no_account(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let (_, key) = app
        .api_key(&["content:read", "content:write"], json!({}))
        .await;
    let made = app
        .with(&key, Method::POST, ARTICLES)
        .json(&json!({"title": "晨渡", "section_id": section}))
        .send()
        .await
        .ok(201);
    assert_eq!(made["created_by"], Value::Null);
}

crate::facts![
    a_key_is_good_until_it_expires,
    the_last_use_is_told_to_the_minute,
    a_key_is_an_authorization_and_nothing_else,
    a_key_manages_no_access,
    what_a_key_makes_has_no_account,
];
