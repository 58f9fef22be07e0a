//! A change of access holds from the very next request on, on every node.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::support::app::{PASSWORD, TestApp};
use crate::support::stage::Stage;

use super::{ARTICLES, Holder, KEYS, SECTIONS, Site, USERS, holder, key, one, sign_in};

/// The site on one node, and another node on the same database.
async fn two_nodes(stage: &Stage) -> (Site, Rc<TestApp>) {
    let site = Site::new(stage).await;
    let other = stage.app().await;
    (site, other)
}

/// The status of a read on both nodes, which must agree.
async fn reads(by: &Holder, other: &Rc<TestApp>, path: &str) -> u16 {
    let here = by.get(path).await.status;
    assert_eq!(by.at(other).get(path).await.status, here, "{path}");
    here
}

/// The status of a change on both nodes, which must agree.
async fn changes(by: &Holder, other: &Rc<TestApp>, id: i64) -> u16 {
    let body = json!({"title": "夜渡"});
    let here = by.patch(&one(id), body.clone()).await.status;
    assert_eq!(by.at(other).patch(&one(id), body).await.status, here);
    here
}

async fn another_role_holds_at_once(stage: Stage) {
    let (site, other) = two_nodes(&stage).await;
    let admin = site.app.admin();
    let id = admin.draft("晨渡", site.home, json!({})).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let path = format!("{USERS}/{}", editor.id);
    assert_eq!(changes(&editor, &other, id).await, 200);
    for (role, written, users) in [
        ("viewer", 403, 403),
        ("author", 404, 403),
        ("editor", 200, 403),
    ] {
        admin.patch(&path, json!({"role": role})).await.ok(200);
        assert_eq!(changes(&editor, &other, id).await, written, "{role}");
        assert_eq!(reads(&editor, &other, USERS).await, users, "{role}");
    }
    let all = json!({"role": "admin", "sections": null});
    admin.patch(&path, all).await.ok(200);
    assert_eq!(reads(&editor, &other, USERS).await, 200);
}

async fn other_sections_hold_at_once(stage: Stage) {
    let (site, other) = two_nodes(&stage).await;
    let admin = site.app.admin();
    let id = admin.draft("晨渡", site.home, json!({})).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let path = format!("{USERS}/{}", editor.id);
    for (sections, status) in [
        (json!([site.beside]), 404),
        (json!([site.beside, site.home]), 200),
        (json!([]), 404),
        (json!([site.home]), 200),
        (Value::Null, 404),
    ] {
        let change = json!({"sections": sections});
        admin.patch(&path, change).await.ok(200);
        assert_eq!(changes(&editor, &other, id).await, status, "{sections}");
        assert_eq!(reads(&editor, &other, &one(id)).await, status, "{sections}");
    }
}

async fn a_disabled_or_deleted_account_is_out_at_once(stage: Stage) {
    let (site, other) = two_nodes(&stage).await;
    let admin = site.app.admin();
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let path = format!("{USERS}/{}", editor.id);
    assert_eq!(reads(&editor, &other, ARTICLES).await, 200);
    admin.patch(&path, json!({"disabled": true})).await.ok(200);
    assert_eq!(reads(&editor, &other, ARTICLES).await, 401);
    // Its old sessions are over, whatever comes.
    admin.patch(&path, json!({"disabled": false})).await.ok(200);
    assert_eq!(reads(&editor, &other, ARTICLES).await, 401);
    let token = sign_in(&site.app, "editor").await;
    let again = Holder { token, ..editor };
    assert_eq!(reads(&again, &other, ARTICLES).await, 200);
    admin.delete(&path).await.ok(204);
    assert_eq!(reads(&again, &other, ARTICLES).await, 401);
}

async fn a_new_password_ends_all_sessions_at_once(stage: Stage) {
    let (site, other) = two_nodes(&stage).await;
    let editor = holder(&site.app, "editor", json!([site.home])).await;
    let token = sign_in(&site.app, "editor").await;
    let second = Holder {
        token,
        ..editor.clone()
    };
    assert_eq!(reads(&second, &other, ARTICLES).await, 200);
    let body = json!({"current_password": PASSWORD, "new_password": "stapled by the harbour"});
    let changed = editor.post("/v1/auth/password", body).await.ok(200);
    for by in [&editor, &second] {
        assert_eq!(reads(by, &other, ARTICLES).await, 401);
    }
    let token = changed["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let third = Holder { token, ..editor };
    assert_eq!(reads(&third, &other, ARTICLES).await, 200);
    let path = format!("{USERS}/{}/sessions", third.id);
    site.app.admin().delete(&path).await.ok(204);
    assert_eq!(reads(&third, &other, ARTICLES).await, 401);
}

async fn a_changed_or_revoked_key_is_so_at_once(stage: Stage) {
    let (site, other) = two_nodes(&stage).await;
    let admin = site.app.admin();
    let id = admin.draft("晨渡", site.home, json!({})).await;
    let reader = key(&site.app, &["content:read"], json!([site.home])).await;
    let path = format!("{KEYS}/{}", reader.id);
    assert_eq!(reads(&reader, &other, &one(id)).await, 200);
    for (change, status) in [
        (json!({"sections": [site.beside]}), 404),
        (json!({"sections": null}), 200),
        (json!({"sections": []}), 404),
        (json!({"sections": [site.home]}), 200),
        (json!({"scopes": ["hits:read"]}), 403),
        (json!({"scopes": ["content:read"]}), 200),
    ] {
        admin.patch(&path, change.clone()).await.ok(200);
        assert_eq!(reads(&reader, &other, &one(id)).await, status, "{change}");
    }
    admin.delete(&path).await.ok(204);
    assert_eq!(reads(&reader, &other, &one(id)).await, 401);
}

async fn a_section_that_moves_changes_reach_at_once(stage: Stage) {
    let (site, other) = two_nodes(&stage).await;
    let admin = site.app.admin();
    let id = admin.draft("晨渡", site.below, json!({})).await;
    let reader = key(&site.app, &["content:read"], json!([site.home])).await;
    assert_eq!(reads(&reader, &other, &one(id)).await, 200);
    let path = format!("{SECTIONS}/{}/move", site.below);
    admin.post(&path, json!({"parent_id": null})).await.ok(200);
    assert_eq!(reads(&reader, &other, &one(id)).await, 404);
}

crate::facts![
    another_role_holds_at_once,
    other_sections_hold_at_once,
    a_disabled_or_deleted_account_is_out_at_once,
    a_new_password_ends_all_sessions_at_once,
    a_changed_or_revoked_key_is_so_at_once,
    a_section_that_moves_changes_reach_at_once,
];
