//! Making API keys and reading them.

use diesel::prelude::*;
use lanmu::db::schema::api_keys;
use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::databases;
use crate::support::people::KEYS;
use crate::support::stage::Stage;

use super::{READ, assert_good, create, faults, path, read};

const SCOPES: [&str; 5] = [
    "content:read",
    "content:write",
    "content:publish",
    "hits:read",
    "hits:write",
];

/// Whether it is `lanmu_` and 43 characters of base64url.
fn is_key(text: &str) -> bool {
    let random = text.strip_prefix("lanmu_").unwrap_or_default();
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    random.len() == 43 && random.chars().all(is_known)
}

async fn a_key_is_shown_once(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let body = json!({
        "name": " 内网推送 ", "scopes": SCOPES, "sections": [section],
        "expires_at": "2026-03-01T08:00:00+08:00",
    });
    let made = create(&app, body).await.ok(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(made.header("location"), Some(path(id).as_str()));
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let key = made["key"].as_str().expect("a key").to_owned();
    assert!(is_key(&key), "{key}");
    let prefix = made["prefix"].as_str().expect("a prefix");
    assert!(key.starts_with(prefix) && prefix.len() == 12, "{prefix}");
    let shown = json!({
        "id": id, "name": "内网推送", "prefix": prefix, "scopes": SCOPES, "sections": [section],
        "expires_at": "2026-03-01T00:00:00Z", "old_key_expires_at": null, "last_used_at": null,
        "created_by": 1, "created_at": NOON, "updated_at": NOON, "version": 1,
    });
    let mut first = made.json.clone();
    first.as_object_mut().expect("an object").remove("key");
    assert_eq!(first, shown);
    let found = read(&app, id).await;
    assert_eq!(found.json, shown);
    assert_eq!(found.header("etag"), Some("\"1\""));
    let listed = app.admin().get(KEYS).await.ok(200);
    assert_eq!(listed["data"], json!([shown]));
    let changed = app.admin().patch(&path(id), json!({"name": "外网"})).await;
    let told = app.admin().get("/v1/admin/audit?limit=100").await.ok(200);
    for answer in [found, listed, changed.ok(200), told] {
        assert!(!answer.text().contains(&key[12..]), "{answer}");
    }
    assert_good(&app, &key).await;
}

async fn a_key_is_kept_as_its_hash(stage: Stage) {
    let app = stage.app().await;
    let (_, key) = app.api_key(READ, json!({})).await;
    for (table, rows) in databases::rows(&mut app.connect()) {
        for row in rows {
            assert!(!row.contains(&key[12..]), "{table}: {row}");
        }
    }
    let hash: Vec<u8> = api_keys::table
        .select(api_keys::hash)
        .first(&mut app.connect())
        .expect("the key");
    assert_eq!(hash.len(), 32);
}

async fn a_key_needs_a_name_and_a_scope(stage: Stage) {
    let app = stage.app().await;
    let made = create(&app, json!({"name": "推送", "scopes": READ}))
        .await
        .ok(201);
    for member in [
        "sections",
        "expires_at",
        "last_used_at",
        "old_key_expires_at",
    ] {
        assert_eq!(made[member], Value::Null, "{member}");
    }
    let nulls = json!({"name": "推送", "scopes": READ, "sections": null, "expires_at": null});
    let same = create(&app, nulls).await.ok(201);
    assert_ne!(made["key"], same["key"]);
    let blank = json!({"name": "推送", "scopes": READ, "sections": [], "expires_at": " "});
    let blank = create(&app, blank).await.ok(201);
    assert_eq!(blank["sections"], json!([]));
    assert_eq!(blank["expires_at"], Value::Null);
    let [first, second] = [
        app.admin().section("港口", json!({})).await,
        app.admin().section("山野", json!({})).await,
    ];
    let twice = json!({"name": "推送", "scopes": READ, "sections": [second, first, second]});
    let twice = create(&app, twice).await.ok(201);
    assert_eq!(twice["sections"], json!([second, first]));
}

async fn all_faults_of_a_key_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let before = databases::rows(&mut app.connect());
    for (body, told) in [
        (json!({}), &["/name required", "/scopes required"][..]),
        (
            json!({"name": " ", "scopes": []}),
            &["/name required", "/scopes required"],
        ),
        (
            json!({
                "name": "推".repeat(201), "scopes": ["content:read", "admin", "Content:Read", ""],
                "sections": [section, 987], "expires_at": "tomorrow",
            }),
            &[
                "/expires_at invalid",
                "/name too_long",
                "/scopes/1 not_allowed",
                "/scopes/2 not_allowed",
                "/scopes/3 not_allowed",
                "/sections/1 does_not_exist",
            ],
        ),
        (
            json!({"name": "推\n送", "scopes": READ, "expires_at": NOON}),
            &["/expires_at out_of_range", "/name invalid_characters"],
        ),
        (
            json!({"name": "推送", "scopes": READ, "expires_at": "2026-01-31T11:59:59+08:00"}),
            &["/expires_at out_of_range"],
        ),
    ] {
        let answer = create(&app, body.clone()).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(faults(&answer), told, "{body}");
    }
    for body in [
        json!({"name": 7, "scopes": READ}),
        json!({"name": "推送", "scopes": "content:read"}),
        json!({"name": "推送", "scopes": READ, "key": "lanmu_x"}),
        json!({"name": "推送", "scopes": READ, "prefix": "lanmu_"}),
        json!({"name": "推送", "scopes": READ, "created_by": 7}),
        json!([]),
    ] {
        create(&app, body).await.problem(400, "invalid_body");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn a_scope_given_twice_counts_once(stage: Stage) {
    let app = stage.app().await;
    let scopes = ["hits:read", "content:read", "hits:read", "content:read"];
    let made = create(&app, json!({"name": "推送", "scopes": scopes})).await;
    assert_eq!(made.ok(201)["scopes"], json!(["hits:read", "content:read"]));
}

async fn keys_are_listed_by_id(stage: Stage) {
    let app = stage.app().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(app.api_key(READ, json!({})).await.0);
    }
    let all = app.admin().get(KEYS).await.ok(200);
    assert_eq!(all.ids(), ids);
    assert_eq!(all["page"]["total"], 5);
    let second = app.admin().get(&format!("{KEYS}?limit=2&page=2")).await;
    assert_eq!(second.ok(200).ids(), ids[2..4]);
    for limit in 1..6 {
        assert_eq!(app.walk(&format!("{KEYS}?limit={limit}")).await, ids);
    }
    for query in ["limit=0", "name=x", "cursor=x", "sort=name"] {
        let answer = app.admin().get(&format!("{KEYS}?{query}")).await;
        answer.problem(400, "invalid_request");
    }
}

async fn the_account_that_made_a_key_is_told(stage: Stage) {
    let app = stage.app().await;
    let id = app.account("a@example.com", "admin", json!({})).await;
    let token = app.sign_in("a@example.com", crate::support::people::SECRET);
    let token = token.await.access;
    let body = json!({"name": "推送", "scopes": READ});
    let made = app.with(&token, reqwest::Method::POST, KEYS);
    let made = made.json(&body).send().await.ok(201);
    assert_eq!(made["created_by"], id);
    app.admin()
        .delete(&format!("/v1/admin/users/{id}"))
        .await
        .ok(204);
    // The key isn't its maker's: it goes on.
    assert_eq!(
        read(&app, made["id"].as_i64().expect("an id")).await["created_by"],
        id
    );
    assert_good(&app, made["key"].as_str().expect("a key")).await;
}

crate::facts![
    a_key_is_shown_once,
    a_key_is_kept_as_its_hash,
    a_key_needs_a_name_and_a_scope,
    all_faults_of_a_key_are_told_at_once,
    a_scope_given_twice_counts_once,
    keys_are_listed_by_id,
    the_account_that_made_a_key_is_told,
];
