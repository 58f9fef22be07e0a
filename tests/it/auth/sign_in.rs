//! Signing in.

use diesel::prelude::*;
use lanmu::db::schema::users;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, PASSWORD};
use crate::support::databases;
use crate::support::databases::ParseInstant;
use crate::support::stage::Stage;

use super::{bearing, login, refresh, tokens};

async fn a_good_sign_in_opens_management(stage: Stage) {
    let app = stage.app().await;
    let answer = login(&app, ADMIN, PASSWORD).await.ok(200);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 900);
    bearing(&app, &tokens(&answer).0).await.ok(200);
}

async fn the_account_is_told_who_it_is(stage: Stage) {
    let app = stage.app().await;
    let me = app.admin().get("/v1/auth/me").await.ok(200);
    assert_eq!(
        me.json,
        json!({
            "id": 1, "email": ADMIN, "name": null, "role": "admin", "sections": null,
            "created_at": NOON,
        })
    );
}

async fn an_email_address_is_compared_without_case(stage: Stage) {
    let app = stage.app().await;
    for email in [
        "ADMIN@example.com",
        "Admin@Example.Com",
        " admin@example.com ",
    ] {
        login(&app, email, PASSWORD).await.ok(200);
    }
}

async fn a_wrong_password_and_an_unknown_account_look_the_same(stage: Stage) {
    let app = stage.app().await;
    diesel::insert_into(users::table)
        .values((
            users::email.eq("gone@example.com"),
            users::email_key.eq("gone@example.com"),
            users::password_hash.eq("no hash at all"),
            users::role.eq("admin"),
            users::disabled.eq(true),
            users::created_at.eq(NOON.parse_instant()),
            users::updated_at.eq(NOON.parse_instant()),
            users::version.eq(1_i64),
        ))
        .execute(&mut app.connect())
        .expect("the account is added");
    let mut bodies = Vec::new();
    for (email, password) in [
        (ADMIN, "wrong horse battery"),
        (ADMIN, "correct horse batter"),
        (ADMIN, "CORRECT HORSE BATTERY"),
        (ADMIN, "correct horse battery "),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("not an address", "x"),
        ("admin@example.com\u{0}", PASSWORD),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ] {
        let answer = login(&app, email, password)
            .await
            .problem(401, "invalid_credentials");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        let mut body = answer.json.clone();
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

async fn a_failed_sign_in_changes_nothing_but_the_audit_log(stage: Stage) {
    let app = stage.app().await;
    let rows = || {
        let mut rows = databases::rows(&mut app.connect());
        rows.retain(|(table, _)| *table != "audit");
        rows
    };
    let before = rows();
    login(&app, ADMIN, "wrong horse battery")
        .await
        .problem(401, "invalid_credentials");
    refresh(&app, "never given out")
        .await
        .problem(401, "invalid_refresh_token");
    assert_eq!(rows(), before);
}

crate::facts![
    a_good_sign_in_opens_management,
    the_account_is_told_who_it_is,
    an_email_address_is_compared_without_case,
    a_wrong_password_and_an_unknown_account_look_the_same,
    a_failed_sign_in_changes_nothing_but_the_audit_log,
];
