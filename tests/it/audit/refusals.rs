//! What is refused or fails leaves no entry, and what leaves no entry isn't done.

use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::client::Request;
use crate::support::databases;
use crate::support::people::{KEYS, SECRET, USERS};
use crate::support::stage::Stage;

use super::traced;

const ARTICLES: &str = "/v1/admin/articles";
const SECTIONS: &str = "/v1/admin/sections";

/// What there is: section 1, article 1 in it (public), account 2, key 1.
async fn furnish(app: &TestApp) {
    app.admin().section("港口", json!({})).await;
    app.admin().article("晨渡", 1, json!({})).await;
    app.account("a@example.com", "editor", json!({})).await;
    app.api_key(&["content:read"], json!({})).await;
}

/// A write of the admin's on this condition (blank: none); null is no body.
async fn write(
    app: &TestApp,
    method: &Method,
    path: &str,
    if_match: &str,
    body: &Value,
) -> Request {
    let mut request = app.admin().request(method.clone(), path).await;
    if !if_match.is_empty() {
        request = request.header("if-match", if_match);
    }
    if body.is_null() {
        request
    } else {
        request.json(body)
    }
}

async fn a_refused_write_leaves_no_entry(stage: Stage) {
    let app = stage.app().await;
    furnish(&app).await;
    let before = databases::rows(&mut app.connect());
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let article = format!("{ARTICLES}/1");
    let hits = format!("{ARTICLES}/1/hits");
    let title = json!({"title": "夜渡"});
    let name = json!({"name": "海港"});
    let none = Value::Null;
    for (method, path, if_match, body, status) in [
        (&post, ARTICLES, "", json!({}), 422),
        (
            &post,
            ARTICLES,
            "",
            json!({"title": "夜渡", "section_id": 987}),
            422,
        ),
        (&post, ARTICLES, "", json!({"x": 1}), 400),
        (&patch, &article, "", title.clone(), 428),
        (&patch, &article, "\"7\"", title.clone(), 412),
        (&patch, &article, "*", json!({"title": null}), 422),
        (&patch, &article, "*", json!({"published_at": null}), 422),
        (&patch, "/v1/admin/articles/987", "*", title, 404),
        (&delete, &article, "\"7\"", none.clone(), 412),
        (&post, "/v1/admin/articles/1/restore", "", none.clone(), 409),
        (
            &delete,
            "/v1/admin/articles/1?permanent=true",
            "",
            none.clone(),
            409,
        ),
        (
            &put,
            "/v1/admin/external-articles/x",
            "",
            json!({"title": "x"}),
            422,
        ),
        (&put, &hits, "", json!({"baseline": -1, "reason": "x"}), 422),
        (&put, &hits, "", json!({"baseline": 1}), 422),
        (
            &post,
            "/v1/admin/articles/987/hits/reset",
            "",
            json!({"reason": "x"}),
            404,
        ),
        (
            &post,
            "/v1/admin/articles/1/hits/adjust",
            "",
            json!({"delta": -1, "reason": "x"}),
            422,
        ),
        (
            &put,
            "/v1/admin/hits/baselines",
            "",
            json!({"reason": "x", "items": [{"baseline": 1}, {"id": 1, "baseline": 1}]}),
            422,
        ),
        (
            &put,
            "/v1/admin/hits/baselines",
            "",
            json!({"reason": "x", "items": [{"id": 987, "baseline": 1}]}),
            200,
        ),
        (&post, SECTIONS, "", json!({}), 422),
        (&patch, "/v1/admin/sections/1", "\"7\"", name.clone(), 412),
        (&patch, "/v1/admin/sections/1", "", name, 428),
        (
            &post,
            "/v1/admin/sections/1/move",
            "",
            json!({"parent_id": 1}),
            409,
        ),
        (&delete, "/v1/admin/sections/1", "", none.clone(), 409),
        (&post, USERS, "", json!({"email": "x"}), 422),
        (
            &post,
            USERS,
            "",
            json!({"email": ADMIN, "role": "viewer"}),
            409,
        ),
        (
            &patch,
            "/v1/admin/users/2",
            "\"7\"",
            json!({"name": "x"}),
            412,
        ),
        (&patch, "/v1/admin/users/2", "*", json!({"role": null}), 422),
        (
            &patch,
            "/v1/admin/users/1",
            "*",
            json!({"role": "viewer", "sections": null}),
            409,
        ),
        (&delete, "/v1/admin/users/1", "", none.clone(), 409),
        (&delete, "/v1/admin/users/2", "\"7\"", none.clone(), 412),
        (
            &delete,
            "/v1/admin/users/987/sessions",
            "",
            none.clone(),
            404,
        ),
        (
            &post,
            "/v1/admin/users/987/password-reset",
            "",
            none.clone(),
            404,
        ),
        (&post, KEYS, "", json!({"name": "x", "scopes": ["x"]}), 422),
        (
            &patch,
            "/v1/admin/api-keys/1",
            "\"7\"",
            json!({"name": "x"}),
            412,
        ),
        (
            &post,
            "/v1/admin/api-keys/1/rotate",
            "\"7\"",
            none.clone(),
            412,
        ),
        (
            &post,
            "/v1/admin/api-keys/1/rotate",
            "",
            json!({"overlap_seconds": -1}),
            422,
        ),
        (&delete, "/v1/admin/api-keys/1", "\"7\"", none.clone(), 412),
        (&delete, "/v1/auth/sessions/987", "", none.clone(), 404),
        (&post, "/v1/auth/password", "", json!({}), 422),
    ] {
        let request = write(&app, method, path, if_match, &body).await;
        let (answer, told) = traced(&app, request).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer}");
        assert!(told.is_empty(), "{method} {path} {body}: {told:?}");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn who_may_not_write_leaves_no_entry(stage: Stage) {
    let app = stage.app().await;
    furnish(&app).await;
    let viewer = app.sign_in("a@example.com", SECRET).await.access;
    let body = json!({"title": "夜渡", "section_id": 1});
    for request in [
        app.request(Method::POST, ARTICLES),
        app.with("lanmu_x", Method::POST, ARTICLES),
        app.with(&viewer, Method::POST, ARTICLES),
        app.with(&viewer, Method::POST, USERS),
        app.with(&viewer, Method::DELETE, "/v1/admin/api-keys/1"),
    ] {
        let (answer, told) = traced(&app, request.json(&body)).await;
        assert!(matches!(answer.status, 401 | 403), "{answer}");
        assert!(told.is_empty(), "{told:?}");
    }
}

/// Renames a column, so that what writes it fails and all rows can still be read.
fn rename(app: &TestApp, table: &str, from: &str, to: &str) {
    diesel::sql_query(format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}"))
        .execute(&mut app.connect())
        .expect("the column is renamed");
}

async fn nothing_is_done_that_can_not_be_told(stage: Stage) {
    let app = stage.app().await;
    furnish(&app).await;
    app.token().await;
    let reset = app
        .admin()
        .act("/v1/admin/users/2/password-reset")
        .await
        .ok(201);
    rename(&app, "audit", "event", "hidden");
    let before = databases::rows(&mut app.connect());
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let content = json!({"format": "text", "content": "码头的灯亮了。"});
    let article = json!({"title": "夜渡", "section_id": 1, "publish": {}, "body": content});
    let user = json!({"email": "b@example.com", "role": "viewer"});
    let none = Value::Null;
    let change = json!({"current_password": PASSWORD, "new_password": SECRET});
    let wrong = json!({"current_password": "wrong horse", "new_password": SECRET});
    let login = |password: &str| json!({"email": ADMIN, "password": password});
    let baseline = json!({"baseline": 5, "reason": "旧系统"});
    for (method, path, body) in [
        (&post, ARTICLES, article.clone()),
        (&patch, "/v1/admin/articles/1", json!({"title": "夜渡"})),
        (
            &patch,
            "/v1/admin/articles/1",
            json!({"published_at": "2026-01-01T00:00:00Z"}),
        ),
        (&post, "/v1/admin/articles/1/publish", json!({})),
        (&post, "/v1/admin/articles/1/unpublish", none.clone()),
        (&delete, "/v1/admin/articles/1", none.clone()),
        (&put, "/v1/admin/external-articles/x-1", article),
        (&put, "/v1/admin/articles/1/hits", baseline),
        (
            &post,
            "/v1/admin/articles/1/hits/adjust",
            json!({"delta": 5, "reason": "补录"}),
        ),
        (
            &put,
            "/v1/admin/hits/baselines",
            json!({"reason": "旧系统", "items": [{"id": 1, "baseline": 5}]}),
        ),
        (
            &post,
            "/v1/admin/articles/1/hits/reset",
            json!({"reason": "误计"}),
        ),
        (&delete, "/v1/admin/articles/1/hits", none.clone()),
        (&post, SECTIONS, json!({"name": "山野"})),
        (&patch, "/v1/admin/sections/1", json!({"name": "山野"})),
        (
            &post,
            "/v1/admin/sections/1/move",
            json!({"parent_id": null}),
        ),
        (&post, USERS, user),
        (&patch, "/v1/admin/users/2", json!({"disabled": true})),
        (&delete, "/v1/admin/users/2", none.clone()),
        (&post, "/v1/admin/users/2/password-reset", none.clone()),
        (&delete, "/v1/admin/users/2/sessions", none.clone()),
        (
            &post,
            KEYS,
            json!({"name": "推送", "scopes": ["content:read"]}),
        ),
        (&patch, "/v1/admin/api-keys/1", json!({"name": "内网"})),
        (&post, "/v1/admin/api-keys/1/rotate", none.clone()),
        (&delete, "/v1/admin/api-keys/1", none.clone()),
        (&post, "/v1/auth/login", login(PASSWORD)),
        (&post, "/v1/auth/login", login("wrong horse")),
        (&post, "/v1/auth/password", change),
        (&post, "/v1/auth/password", wrong),
        (
            &post,
            "/v1/auth/reset",
            json!({"token": reset["token"], "password": "yet another horse"}),
        ),
        (&delete, "/v1/auth/sessions", none.clone()),
        (&delete, "/v1/auth/sessions/1", none.clone()),
        (&post, "/v1/auth/logout", none.clone()),
    ] {
        let request = super::request(&app, method.clone(), path, &body).await;
        let answer = request.expecting_failure().send().await;
        let answer = answer.problem(500, "internal_error");
        assert_eq!(
            databases::rows(&mut app.connect()),
            before,
            "{method} {path}: {answer}"
        );
    }
    rename(&app, "audit", "hidden", "event");
    app.admin().delete("/v1/admin/users/2").await.ok(204);
}

/// The new session is opened after the change was told: without it nothing is told, either.
async fn nothing_is_told_that_is_not_done(stage: Stage) {
    let app = stage.app().await;
    app.account("a@example.com", "editor", json!({})).await;
    let token = app.sign_in("a@example.com", SECRET).await.access;
    app.token().await;
    rename(&app, "sessions", "user_agent", "hidden");
    let before = databases::rows(&mut app.connect());
    let body = json!({"current_password": SECRET, "new_password": "yet another horse"});
    let request = app
        .with(&token, Method::POST, "/v1/auth/password")
        .json(&body);
    let (answer, told) = traced(&app, request.expecting_failure()).await;
    answer.problem(500, "internal_error");
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(databases::rows(&mut app.connect()), before);
    rename(&app, "sessions", "hidden", "user_agent");
    app.login("a@example.com", SECRET).await.ok(200);
    app.get_with(&token, "/v1/auth/me").await.ok(200);
}

crate::facts![
    a_refused_write_leaves_no_entry,
    who_may_not_write_leaves_no_entry,
    nothing_is_done_that_can_not_be_told,
    nothing_is_told_that_is_not_done,
];
