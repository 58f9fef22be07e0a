//! Sessions: refreshed, ended, revoked; the key behind them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use diesel::prelude::*;
use futures_util::future::join_all;
use lanmu::db::schema::{signing_keys, users};
use reqwest::Method;

use crate::support::app::{ADMIN, PASSWORD};
use crate::support::databases;
use crate::support::stage::Stage;

use super::{bearing, login, refresh, refused, session, tokens};

async fn a_refresh_rotates_the_tokens(stage: Stage) {
    let app = stage.app().await;
    let (access, first) = session(&app).await;
    app.advance(600);
    let (newer, second) = tokens(&refresh(&app, &first).await.ok(200));
    assert_ne!((&access, &first), (&newer, &second));
    bearing(&app, &newer).await.ok(200);
    app.advance(600);
    refused(bearing(&app, &access).await);
    bearing(&app, &newer).await.ok(200);
    let (_, third) = tokens(&refresh(&app, &second).await.ok(200));
    refresh(&app, &third).await.ok(200);
}

async fn a_refresh_token_shown_again_at_once_does_no_harm(stage: Stage) {
    let app = stage.app().await;
    let (_, first) = session(&app).await;
    let (access, second) = tokens(&refresh(&app, &first).await.ok(200));
    for _ in 0..3 {
        refresh(&app, &first)
            .await
            .problem(409, "refresh_token_used");
    }
    app.advance(10);
    refresh(&app, &first)
        .await
        .problem(409, "refresh_token_used");
    bearing(&app, &access).await.ok(200);
    refresh(&app, &second).await.ok(200);
}

async fn a_refresh_token_shown_again_later_ends_its_session(stage: Stage) {
    let app = stage.app().await;
    let (apart, _) = session(&app).await;
    let (_, first) = session(&app).await;
    let (access, second) = tokens(&refresh(&app, &first).await.ok(200));
    app.advance(11);
    refresh(&app, &first)
        .await
        .problem(401, "invalid_refresh_token");
    refused(bearing(&app, &access).await);
    refresh(&app, &second)
        .await
        .problem(401, "invalid_refresh_token");
    bearing(&app, &apart).await.ok(200);
}

async fn simultaneous_refreshes_rotate_once(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let (_, first) = session(&nodes[0]).await;
    let answers = join_all((0..20).map(|n| refresh(&nodes[n % 2], &first))).await;
    let count = |status: u16| answers.iter().filter(|a| a.status == status).count();
    assert_eq!((count(200), count(409)), (1, 19));
    let good = answers.iter().find(|a| a.status == 200);
    let (access, second) = tokens(good.expect("one is good"));
    bearing(&nodes[1], &access).await.ok(200);
    let (newer, third) = tokens(&refresh(&nodes[1], &second).await.ok(200));
    for node in &nodes {
        node.advance(11);
    }
    refresh(&nodes[0], &first)
        .await
        .problem(401, "invalid_refresh_token");
    for token in [&access, &newer] {
        refused(bearing(&nodes[1], token).await);
    }
    refresh(&nodes[1], &third)
        .await
        .problem(401, "invalid_refresh_token");
}

async fn a_session_ends_when_it_is_not_used(stage: Stage) {
    let app = stage.app().await;
    let (_, token) = session(&app).await;
    app.advance(400 * 86_400);
    refresh(&app, &token)
        .await
        .problem(401, "invalid_refresh_token");
}

async fn an_access_token_refreshes_nothing(stage: Stage) {
    let app = stage.app().await;
    let (access, token) = session(&app).await;
    for wrong in [
        &access,
        &format!("{token}x"),
        "x",
        "\u{0}",
        &"x".repeat(5000),
    ] {
        let answer = refresh(&app, wrong).await;
        assert!(matches!(answer.status, 401 | 422), "{answer}");
    }
    refused(bearing(&app, &token).await);
    refresh(&app, &token).await.ok(200);
}

async fn signing_out_ends_the_tokens_at_once(stage: Stage) {
    let app = stage.app().await;
    let other = stage.app().await;
    let (apart, _) = session(&app).await;
    let (access, token) = session(&app).await;
    let (_, unused) = tokens(&refresh(&app, &token).await.ok(200));
    let logout = |access: &str| {
        app.request(Method::POST, "/v1/auth/logout")
            .header("authorization", &format!("Bearer {access}"))
            .send()
    };
    logout(&access).await.ok(204);
    for node in [&app, &other] {
        refused(bearing(node, &access).await);
        refresh(node, &unused)
            .await
            .problem(401, "invalid_refresh_token");
    }
    refused(logout(&access).await);
    bearing(&other, &apart).await.ok(200);
}

async fn a_disabled_account_is_out_at_once(stage: Stage) {
    let app = stage.app().await;
    let (access, token) = session(&app).await;
    let disable = |disabled: bool| {
        diesel::update(users::table.filter(users::email.eq(ADMIN)))
            .set(users::disabled.eq(disabled))
            .execute(&mut app.connect())
            .expect("the account is there");
    };
    disable(true);
    refused(bearing(&app, &access).await);
    refresh(&app, &token)
        .await
        .problem(401, "invalid_refresh_token");
    login(&app, ADMIN, PASSWORD)
        .await
        .problem(401, "invalid_credentials");
    let me = app
        .request(Method::GET, "/v1/auth/me")
        .header("authorization", &format!("Bearer {access}"));
    refused(me.send().await);
    disable(false);
    login(&app, ADMIN, PASSWORD).await.ok(200);
}

async fn a_deleted_account_is_out_at_once(stage: Stage) {
    let app = stage.app().await;
    let (access, token) = session(&app).await;
    diesel::delete(users::table.filter(users::email.eq(ADMIN)))
        .execute(&mut app.connect())
        .expect("the account goes");
    refused(bearing(&app, &access).await);
    refresh(&app, &token)
        .await
        .problem(401, "invalid_refresh_token");
}

async fn an_account_with_an_unknown_role_may_do_nothing(stage: Stage) {
    let app = stage.app().await;
    let (access, _) = session(&app).await;
    diesel::update(users::table)
        .set(users::role.eq("reader"))
        .execute(&mut app.connect())
        .expect("the account is there");
    let answer = bearing(&app, &access).await;
    assert!(matches!(answer.status, 401 | 403), "{answer}");
}

async fn nodes_of_one_database_share_the_key(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let (access, token) = session(&nodes[0]).await;
    bearing(&nodes[1], &access).await.ok(200);
    let (access, _) = tokens(&refresh(&nodes[1], &token).await.ok(200));
    bearing(&nodes[0], &access).await.ok(200);
    let keys = [
        nodes[0].get("/.well-known/jwks.json").await.ok(200),
        nodes[1].get("/.well-known/jwks.json").await.ok(200),
    ];
    assert_eq!(keys[0].json, keys[1].json);
    let kept: i64 = signing_keys::table
        .count()
        .get_result(&mut nodes[0].connect())
        .expect("a number");
    assert_eq!(kept, 1);
}

async fn the_key_survives_a_restart(stage: Stage) {
    let app = stage.app().await;
    let (access, _) = session(&app).await;
    app.stop().await;
    bearing(&*stage.app().await, &access).await.ok(200);
}

async fn the_key_may_come_from_a_file(stage: Stage) {
    let folder = databases::scratch();
    let pair = Ed25519KeyPair::generate().expect("a key");
    let file = |name: &str, der: &[u8]| {
        let path = folder.path().join(name);
        let text = STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        std::fs::write(&path, pem).expect("the file is written");
        path.display().to_string()
    };
    let first = file("v1.pem", pair.to_pkcs8v1().expect("its text").as_ref());
    let second = file("v2.pem", pair.to_pkcs8().expect("its text").as_ref());
    let plain = stage.app().await;
    let nodes = [
        stage.with(&[("LANMU_SIGNING_KEY_FILE", &first)]).await,
        stage.with(&[("LANMU_SIGNING_KEY_FILE", &second)]).await,
    ];
    let (access, _) = session(&nodes[0]).await;
    bearing(&nodes[1], &access).await.ok(200);
    refused(bearing(&plain, &access).await);
    let (other, _) = session(&plain).await;
    refused(bearing(&nodes[0], &other).await);
    let jwks = nodes[0].get("/.well-known/jwks.json").await.ok(200);
    let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    assert_eq!(jwks["keys"][0]["x"], public.as_str());
}

crate::facts![
    a_refresh_rotates_the_tokens,
    a_refresh_token_shown_again_at_once_does_no_harm,
    a_refresh_token_shown_again_later_ends_its_session,
    simultaneous_refreshes_rotate_once,
    a_session_ends_when_it_is_not_used,
    an_access_token_refreshes_nothing,
    signing_out_ends_the_tokens_at_once,
    a_disabled_account_is_out_at_once,
    a_deleted_account_is_out_at_once,
    an_account_with_an_unknown_role_may_do_nothing,
    nodes_of_one_database_share_the_key,
    the_key_survives_a_restart,
    the_key_may_come_from_a_file,
];
