//! Changing and revoking API keys.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::databases;
use crate::support::people::KEYS;
use crate::support::stage::Stage;

use super::{ARTICLES, READ, assert_dead, assert_good, create, faults, path, read, write};

async fn a_change_needs_the_version_that_was_seen(stage: Stage) {
    let app = stage.app().await;
    let (id, key) = app.api_key(READ, json!({})).await;
    let before = databases::rows(&mut app.connect());
    let body = json!({"name": "外网"});
    let bare = app.admin().request(Method::PATCH, &path(id)).await;
    bare.json(&body)
        .send()
        .await
        .problem(428, "precondition_required");
    write(&app, "\"2\"", Method::PATCH, &path(id), body.clone())
        .await
        .problem(412, "version_mismatch");
    let rotate = format!("{}/rotate", path(id));
    for (method, path) in [(Method::DELETE, &path(id)), (Method::POST, &rotate)] {
        write(&app, "\"2\"", method, path, Value::Null)
            .await
            .problem(412, "version_mismatch");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    app.advance(60);
    let changed = write(&app, "\"1\"", Method::PATCH, &path(id), body).await;
    let changed = changed.ok(200);
    assert_eq!(changed["version"], 2);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed["updated_at"], "2026-01-31T04:01:00Z");
    let rotated = write(&app, "\"2\"", Method::POST, &rotate, Value::Null).await;
    let rotated = rotated.ok(200);
    assert_eq!(rotated.header("etag"), Some("\"3\""));
    assert_dead(&app, &key).await;
    write(&app, "\"3\"", Method::DELETE, &path(id), Value::Null)
        .await
        .ok(204);
}

async fn only_what_is_given_changes(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let body = json!({
        "name": "推送", "scopes": READ, "sections": [section],
        "expires_at": "2026-03-01T00:00:00Z",
    });
    let made = create(&app, body).await.ok(201);
    let id = made["id"].as_i64().expect("an id");
    let mut key = read(&app, id).await.json;
    for (body, member, value) in [
        (json!({"name": "外网"}), "name", json!("外网")),
        (
            json!({"scopes": ["hits:read", "hits:read"]}),
            "scopes",
            json!(["hits:read"]),
        ),
        (json!({"sections": []}), "sections", json!([])),
        (
            json!({"sections": [section, section]}),
            "sections",
            json!([section]),
        ),
        (json!({"sections": null}), "sections", Value::Null),
        (
            json!({"expires_at": "2026-04-01T08:00:00+08:00"}),
            "expires_at",
            json!("2026-04-01T00:00:00Z"),
        ),
        (json!({"expires_at": null}), "expires_at", Value::Null),
        (json!({}), "expires_at", Value::Null),
    ] {
        key[member] = value;
        key["version"] = json!(key["version"].as_i64().expect("a number") + 1);
        let changed = app.admin().patch(&path(id), body.clone()).await.ok(200);
        assert_eq!(changed.json, key, "{body}");
        assert_eq!(read(&app, id).await.json, key, "{body}");
    }
}

async fn all_faults_of_a_change_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    let (id, _) = app.api_key(READ, json!({})).await;
    let before = databases::rows(&mut app.connect());
    for (body, told) in [
        (
            json!({"name": null, "scopes": null}),
            &["/name required", "/scopes required"][..],
        ),
        (
            json!({
                "name": "", "scopes": ["x"], "sections": [987],
                "expires_at": "2026-01-31T04:00:00Z",
            }),
            &[
                "/expires_at out_of_range",
                "/name required",
                "/scopes/0 not_allowed",
                "/sections/0 does_not_exist",
            ],
        ),
    ] {
        let answer = app.admin().patch(&path(id), body).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(faults(&answer), told);
    }
    for body in [
        json!({"key": "x"}),
        json!({"prefix": "x"}),
        json!({"scopes": {}}),
    ] {
        let answer = app.admin().patch(&path(id), body).await;
        answer.problem(400, "invalid_body");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn an_expired_key_may_be_renamed(stage: Stage) {
    let app = stage.app().await;
    let ends = json!({"expires_at": "2026-01-31T04:10:00Z"});
    let (id, key) = app.api_key(READ, ends).await;
    app.advance(3600);
    let changed = app.admin().patch(&path(id), json!({"name": "旧"})).await;
    assert_eq!(changed.ok(200)["expires_at"], "2026-01-31T04:10:00Z");
    assert_dead(&app, &key).await;
}

async fn other_scopes_and_sections_count_at_once(stage: Stage) {
    let app = stage.app().await;
    let other = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let apart = app.admin().section("山野", json!({})).await;
    let (id, key) = app.api_key(READ, json!({})).await;
    let make = || {
        let request = other.with(&key, Method::POST, ARTICLES);
        let body = json!({"title": "晨渡", "section_id": section});
        async move { request.json(&body).send().await }
    };
    make().await.problem(403, "forbidden");
    let more = json!({"scopes": ["content:read", "content:write"]});
    app.admin().patch(&path(id), more).await.ok(200);
    make().await.ok(201);
    for (sections, status) in [
        (json!([apart]), 403),
        (json!([]), 403),
        (json!([section]), 201),
    ] {
        let body = json!({"sections": sections});
        app.admin().patch(&path(id), body).await.ok(200);
        make().await.ok(status);
    }
}

async fn a_revoked_key_is_worth_nothing(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let app = &nodes[0];
    let (id, key) = app.api_key(READ, json!({})).await;
    let (_, apart) = app.api_key(READ, json!({})).await;
    assert_good(&nodes[1], &key).await;
    app.admin().delete(&path(id)).await.ok(204);
    for node in &nodes {
        assert_dead(node, &key).await;
        assert_good(node, &apart).await;
    }
    app.admin().get(&path(id)).await.problem(404, "not_found");
    app.admin()
        .delete(&path(id))
        .await
        .problem(404, "not_found");
    app.admin()
        .act(&format!("{}/rotate", path(id)))
        .await
        .problem(404, "not_found");
}

async fn an_id_is_never_used_again(stage: Stage) {
    let app = stage.app().await;
    let (mut last, _) = app.api_key(READ, json!({})).await;
    for _ in 0..3 {
        app.admin().delete(&path(last)).await.ok(204);
        let (next, _) = app.api_key(READ, json!({})).await;
        assert!(next > last, "{next} after {last}");
        last = next;
    }
}

async fn what_names_no_key_is_not_found(stage: Stage) {
    let app = stage.app().await;
    for id in ["987", "0", "-1", "x", "9223372036854775808"] {
        let path = format!("{KEYS}/{id}");
        app.admin().get(&path).await.problem(404, "not_found");
        app.admin()
            .patch(&path, json!({"name": "x"}))
            .await
            .problem(404, "not_found");
        app.admin().delete(&path).await.problem(404, "not_found");
        app.admin()
            .act(&format!("{path}/rotate"))
            .await
            .problem(404, "not_found");
    }
}

crate::facts![
    a_change_needs_the_version_that_was_seen,
    only_what_is_given_changes,
    all_faults_of_a_change_are_told_at_once,
    an_expired_key_may_be_renamed,
    other_scopes_and_sections_count_at_once,
    a_revoked_key_is_worth_nothing,
    an_id_is_never_used_again,
    what_names_no_key_is_not_found,
];
