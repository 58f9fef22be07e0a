//! Deleting accounts.

use diesel::prelude::*;
use lanmu::db::schema::{password_resets, refresh_tokens, sessions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::people::{SECRET, USERS};
use crate::support::stage::Stage;

use super::{create, path};

async fn a_deleted_account_is_gone(stage: Stage) {
    let app = stage.app().await;
    let other = stage.app().await;
    let id = app.account("a@example.com", "editor", json!({})).await;
    let tokens = app.sign_in("a@example.com", SECRET).await;
    let reset = app
        .admin()
        .act(&format!("{}/password-reset", path(id)))
        .await;
    let reset = reset.ok(201)["token"].as_str().map(ToOwned::to_owned);
    app.admin().delete(&path(id)).await.ok(204);
    app.admin().get(&path(id)).await.problem(404, "not_found");
    app.admin()
        .delete(&path(id))
        .await
        .problem(404, "not_found");
    app.admin()
        .get(&format!("{}/sessions", path(id)))
        .await
        .problem(404, "not_found");
    assert_eq!(app.admin().get(USERS).await.ok(200).ids(), [1]);
    for node in [&app, &other] {
        node.assert_dead(&tokens).await;
        node.login("a@example.com", SECRET)
            .await
            .problem(401, "invalid_credentials");
    }
    app.reset(&reset.expect("a token"), "yet another horse")
        .await
        .problem(422, "validation_failed");
    // What is left is the admin's own session.
    let mut conn = app.connect();
    let owners: Vec<i64> = sessions::table
        .select(sessions::user_id)
        .distinct()
        .load(&mut conn)
        .expect("sessions");
    assert_eq!(owners, [1]);
    let tokens: i64 = refresh_tokens::table
        .left_join(sessions::table)
        .filter(sessions::user_id.is_null().or(sessions::user_id.ne(1)))
        .count()
        .get_result(&mut conn)
        .expect("a number");
    let resets: i64 = password_resets::table
        .count()
        .get_result(&mut conn)
        .expect("a number");
    assert_eq!((tokens, resets), (0, 0));
}

async fn only_the_version_that_was_seen_is_deleted(stage: Stage) {
    let app = stage.app().await;
    let id = app.account("a@example.com", "viewer", json!({})).await;
    let delete = async |if_match: &str| {
        let admin = app.admin();
        admin
            .write_if(if_match, Method::DELETE, &path(id), Value::Null)
            .await
    };
    delete("\"2\"").await.problem(412, "version_mismatch");
    app.login("a@example.com", SECRET).await.ok(200);
    delete("\"1\"").await.ok(204);
}

async fn made(app: &TestApp, email: &str) -> i64 {
    let made = create(app, json!({"email": email, "role": "viewer"})).await;
    made.ok(201)["id"].as_i64().expect("an id")
}

async fn an_id_is_never_used_again(stage: Stage) {
    let app = stage.app().await;
    let mut last = made(&app, "0@example.com").await;
    for _ in 0..3 {
        app.admin().delete(&path(last)).await.ok(204);
        let next = made(&app, "0@example.com").await;
        assert!(next > last, "{next} after {last}");
        last = next;
    }
    app.stop().await;
    let app = stage.app().await;
    app.admin().delete(&path(last)).await.ok(204);
    assert!(made(&app, "1@example.com").await > last);
}

async fn what_it_wrote_stays_its_own(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app
        .account("a@example.com", "editor", json!({"sections": [section]}))
        .await;
    let token = app.sign_in("a@example.com", SECRET).await.access;
    let body = json!({
        "title": "晨渡", "section_id": section, "publish": {},
        "body": {"format": "text", "content": "码头的灯亮了。"},
    });
    let article = app.with(&token, Method::POST, "/v1/admin/articles");
    let article = article.json(&body).send().await.ok(201);
    assert_eq!(article["created_by"], id);
    app.admin().delete(&path(id)).await.ok(204);
    let article = article["id"].as_i64().expect("an id");
    app.get(&format!("/v1/articles/{article}")).await.ok(200);
    let managed = format!("/v1/admin/articles/{article}");
    let managed = app.admin().get(&managed).await.ok(200);
    assert_eq!(managed["created_by"], id);
    let by = format!("/v1/admin/articles?created_by={id}");
    assert_eq!(app.admin().get(&by).await.ok(200).ids(), [article]);
}

async fn an_admin_may_leave(stage: Stage) {
    let app = stage.app().await;
    let id = app.account("a@example.com", "admin", json!({})).await;
    let tokens = app.sign_in("a@example.com", SECRET).await;
    let own = app.with(&tokens.access, Method::DELETE, &path(id));
    own.send().await.ok(204);
    app.assert_dead(&tokens).await;
}

crate::facts![
    a_deleted_account_is_gone,
    only_the_version_that_was_seen_is_deleted,
    an_id_is_never_used_again,
    what_it_wrote_stays_its_own,
    an_admin_may_leave,
];
