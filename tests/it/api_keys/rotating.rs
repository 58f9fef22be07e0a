//! A new key in the place of an old one.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{READ, assert_dead, assert_good, faults, path, read};

/// Rotates the key with this body; the new one.
async fn rotate(app: &TestApp, id: i64, body: Value) -> String {
    let path = format!("{}/rotate", path(id));
    let rotated = app.admin().post(&path, body).await.ok(200);
    rotated["key"].as_str().expect("a key").to_owned()
}

async fn a_rotated_key_ends_at_once(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let app = &nodes[0];
    let (id, old) = app.api_key(READ, json!({})).await;
    let before = read(app, id).await;
    app.advance(60);
    let answer = app.admin().act(&format!("{}/rotate", path(id))).await;
    let answer = answer.ok(200);
    let new = answer["key"].as_str().expect("a key");
    assert_ne!(new, old);
    assert!(new.starts_with("lanmu_") && new.len() == 49, "{new}");
    assert_eq!(answer["prefix"], new[..12]);
    assert_eq!(answer["old_key_expires_at"], Value::Null);
    assert_eq!((&answer["version"], &answer["id"]), (&json!(2), &json!(id)));
    assert_eq!(answer["updated_at"], "2026-01-31T04:01:00Z");
    assert_eq!(answer.header("etag"), Some("\"2\""));
    for member in [
        "name",
        "scopes",
        "sections",
        "expires_at",
        "created_by",
        "created_at",
    ] {
        assert_eq!(answer[member], before[member], "{member}");
    }
    assert!(!read(app, id).await.text().contains(&new[12..]));
    for node in &nodes {
        assert_dead(node, &old).await;
        assert_good(node, new).await;
    }
    for body in [
        json!({}),
        json!({"overlap_seconds": 0}),
        json!({"overlap_seconds": null}),
    ] {
        let last = rotate(app, id, body.clone()).await;
        let again = rotate(app, id, body).await;
        assert_dead(app, &last).await;
        assert_good(app, &again).await;
    }
}

async fn an_old_key_stays_good_for_the_overlap(stage: Stage) {
    let app = stage.app().await;
    let (id, old) = app.api_key(READ, json!({})).await;
    let new = rotate(&app, id, json!({"overlap_seconds": 3600})).await;
    let until = "2026-01-31T05:00:00Z";
    assert_eq!(read(&app, id).await["old_key_expires_at"], until);
    for key in [&old, &new] {
        assert_good(&app, key).await;
    }
    app.set_clock("2026-01-31T04:59:59Z");
    assert_good(&app, &old).await;
    app.set_clock(until);
    assert_dead(&app, &old).await;
    assert_good(&app, &new).await;
}

async fn the_overlap_is_a_week_at_most(stage: Stage) {
    let app = stage.app().await;
    let (id, old) = app.api_key(READ, json!({})).await;
    let path = format!("{}/rotate", path(id));
    for seconds in [-1, 604_801, i64::MAX] {
        let body = json!({"overlap_seconds": seconds});
        let answer = app.admin().post(&path, body).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(faults(&answer), ["/overlap_seconds out_of_range"]);
    }
    for body in [
        json!({"overlap_seconds": "1"}),
        json!({"overlap_seconds": 1.5}),
        json!({"x": 1}),
    ] {
        app.admin()
            .post(&path, body)
            .await
            .problem(400, "invalid_body");
    }
    assert_eq!(read(&app, id).await["version"], 1);
    rotate(&app, id, json!({"overlap_seconds": 604_800})).await;
    app.advance(604_799);
    assert_good(&app, &old).await;
    app.advance(1);
    assert_dead(&app, &old).await;
}

async fn one_old_key_is_good_at_most(stage: Stage) {
    let app = stage.app().await;
    let (id, first) = app.api_key(READ, json!({})).await;
    let second = rotate(&app, id, json!({"overlap_seconds": 3600})).await;
    let third = rotate(&app, id, json!({"overlap_seconds": 60})).await;
    assert_dead(&app, &first).await;
    for key in [&second, &third] {
        assert_good(&app, key).await;
    }
    let fourth = rotate(&app, id, json!({})).await;
    for key in [&first, &second, &third] {
        assert_dead(&app, key).await;
    }
    assert_good(&app, &fourth).await;
}

async fn the_end_of_a_key_is_that_of_its_old_one_too(stage: Stage) {
    let app = stage.app().await;
    let ends = json!({"expires_at": "2026-01-31T04:10:00Z"});
    let (id, old) = app.api_key(READ, ends).await;
    let new = rotate(&app, id, json!({"overlap_seconds": 3600})).await;
    app.advance(599);
    for key in [&old, &new] {
        assert_good(&app, key).await;
    }
    app.advance(1);
    for key in [&old, &new] {
        assert_dead(&app, key).await;
    }
}

async fn revoking_ends_the_old_key_too(stage: Stage) {
    let app = stage.app().await;
    let (id, old) = app.api_key(READ, json!({})).await;
    let new = rotate(&app, id, json!({"overlap_seconds": 3600})).await;
    app.admin().delete(&path(id)).await.ok(204);
    for key in [&old, &new] {
        assert_dead(&app, key).await;
    }
}

async fn an_old_key_has_the_scopes_of_the_new_one(stage: Stage) {
    let app = stage.app().await;
    let (id, old) = app.api_key(READ, json!({})).await;
    rotate(&app, id, json!({"overlap_seconds": 3600})).await;
    let scopes = json!({"scopes": ["hits:read"]});
    app.admin().patch(&path(id), scopes).await.ok(200);
    app.get_with(&old, super::ARTICLES)
        .await
        .problem(403, "forbidden");
    app.get_with(&old, "/v1/admin/hits").await.ok(200);
}

crate::facts![
    a_rotated_key_ends_at_once,
    an_old_key_stays_good_for_the_overlap,
    the_overlap_is_a_week_at_most,
    one_old_key_is_good_at_most,
    the_end_of_a_key_is_that_of_its_old_one_too,
    revoking_ends_the_old_key_too,
    an_old_key_has_the_scopes_of_the_new_one,
];
