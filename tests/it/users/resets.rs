//! One-time tokens for passwords, and invitations by them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{create, expected, faults, patch, path, read};

const NEW: &str = "yet another horse";
const EMAIL: &str = "lin.zhou@example.com";

async fn made(app: &TestApp, id: i64) -> Answer {
    let path = format!("{}/password-reset", path(id));
    app.admin().act(&path).await.ok(201)
}

async fn token(app: &TestApp, id: i64) -> String {
    let made = made(app, id).await;
    made["token"].as_str().expect("a token").to_owned()
}

#[track_caller]
fn assert_refused(answer: Answer, told: &[(&str, &str)]) {
    let answer = answer.problem(422, "validation_failed");
    assert_eq!(faults(&answer), expected(told));
}

const BAD_TOKEN: &[(&str, &str)] = &[("/token", "invalid")];

async fn a_token_is_shown_with_its_end(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let made = made(&app, id).await;
    assert_eq!(made["url"], Value::Null);
    assert_eq!(made["expires_at"], "2026-02-01T04:00:00Z");
    let token = made["token"].as_str().expect("a token");
    assert!(token.len() >= 43, "{token}");
    assert_eq!(made.header("cache-control"), Some("no-store"));
    // The password that there is stays good until then, and so do the sessions.
    let tokens = app.sign_in(EMAIL, SECRET).await;
    assert_eq!(read(&app, id).await["version"], 1);
    app.get_with(&tokens.access, "/v1/auth/me").await.ok(200);
}

async fn the_address_to_hand_on_is_a_setting(stage: Stage) {
    let url = "https://admin.example.com/reset?lang=zh#{token}";
    let app = stage.with(&[("LANMU_RESET_URL", url)]).await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let made = made(&app, id).await;
    let token = made["token"].as_str().expect("a token");
    assert_eq!(
        made["url"],
        format!("https://admin.example.com/reset?lang=zh#{token}")
    );
    app.reset(token, NEW).await.ok(204);
}

async fn a_token_sets_a_password_once(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let app = &nodes[0];
    let id = app.account(EMAIL, "editor", json!({})).await;
    let sessions = [
        app.sign_in(EMAIL, SECRET).await,
        nodes[1].sign_in(EMAIL, SECRET).await,
    ];
    let token = token(app, id).await;
    let answer = app.reset(&token, NEW).await.ok(204);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for node in &nodes {
        assert_refused(node.reset(&token, "one more horse").await, BAD_TOKEN);
        for tokens in &sessions {
            node.assert_dead(tokens).await;
        }
        node.login(EMAIL, SECRET)
            .await
            .problem(401, "invalid_credentials");
        node.sign_in(EMAIL, NEW).await;
    }
    assert_eq!(read(app, id).await["version"], 2);
}

async fn a_token_used_twice_at_once_is_used_once(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let id = nodes[0].account(EMAIL, "editor", json!({})).await;
    let token = token(&nodes[0], id).await;
    let words = ["first new horse", "second new horse"];
    let answers = join_all((0..2).map(|n| nodes[n].reset(&token, words[n]))).await;
    let won: Vec<usize> = (0..2).filter(|n| answers[*n].status == 204).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    nodes[0].sign_in(EMAIL, words[won[0]]).await;
    nodes[0]
        .login(EMAIL, words[1 - won[0]])
        .await
        .problem(401, "invalid_credentials");
}

async fn a_second_token_replaces_the_first(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let other = app.account("b@example.com", "editor", json!({})).await;
    let (first, apart) = (token(&app, id).await, token(&app, other).await);
    let second = token(&app, id).await;
    assert_ne!(first, second);
    assert_refused(app.reset(&first, NEW).await, BAD_TOKEN);
    app.reset(&second, NEW).await.ok(204);
    app.reset(&apart, NEW).await.ok(204);
}

async fn a_token_is_good_for_24_hours(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let late = token(&app, id).await;
    app.advance(24 * 3600);
    assert_refused(app.reset(&late, NEW).await, BAD_TOKEN);
    app.sign_in(EMAIL, SECRET).await;
    let timely = token(&app, id).await;
    app.advance(24 * 3600 - 1);
    app.reset(&timely, NEW).await.ok(204);
}

async fn tidying_leaves_a_token_that_is_good(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let token = token(&app, id).await;
    app.advance(24 * 3600 - 1);
    lanmu::auth::tidy(&app.app).await.expect("it is tidied");
    app.reset(&token, NEW).await.ok(204);
}

async fn a_weak_password_does_not_use_the_token_up(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let token = token(&app, id).await;
    for (password, code) in [
        ("", "required"),
        ("seven77", "too_short"),
        (&"x1".repeat(129), "too_long"),
        ("PassWord123", "too_common"),
        ("LIN.ZHOU@example.com", "too_common"),
        ("Lin.Zhou", "too_common"),
    ] {
        assert_refused(app.reset(&token, password).await, &[("/password", code)]);
    }
    assert_refused(
        app.reset("unknown", "seven77").await,
        &[("/password", "too_short"), ("/token", "invalid")],
    );
    assert_refused(
        app.post("/v1/auth/reset", json!({})).await,
        &[("/password", "required"), ("/token", "required")],
    );
    for wrong in [
        json!({"token": 7, "password": NEW}),
        json!([]),
        json!({"x": 1}),
    ] {
        let answer = app.post("/v1/auth/reset", wrong).await;
        answer.problem(400, "invalid_body");
    }
    app.sign_in(EMAIL, SECRET).await;
    app.reset(&token, NEW).await.ok(204);
}

async fn a_made_up_token_sets_nothing(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let good = token(&app, id).await;
    for wrong in [
        "x",
        "\u{0}",
        &good[1..],
        &format!("{good} "),
        &good.to_uppercase(),
        &"x".repeat(10_000),
    ] {
        assert_refused(app.reset(wrong, NEW).await, BAD_TOKEN);
    }
    let (access, refresh) = {
        let tokens = app.sign_in(EMAIL, SECRET).await;
        (tokens.access, tokens.refresh)
    };
    for wrong in [access, refresh] {
        assert_refused(app.reset(&wrong, NEW).await, BAD_TOKEN);
    }
    app.get_with(&good, "/v1/auth/me").await.ok(401);
}

async fn a_disabled_account_takes_no_password(stage: Stage) {
    let app = stage.app().await;
    let id = app
        .account(EMAIL, "editor", json!({"disabled": true}))
        .await;
    let token = token(&app, id).await;
    assert_refused(app.reset(&token, NEW).await, BAD_TOKEN);
    app.login(EMAIL, NEW)
        .await
        .problem(401, "invalid_credentials");
    patch(&app, id, json!({"disabled": false})).await.ok(200);
    app.reset(&token, NEW).await.ok(204);
    app.sign_in(EMAIL, NEW).await;
}

async fn a_new_email_address_ends_the_token(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let first = token(&app, id).await;
    patch(&app, id, json!({"email": "other@example.com"}))
        .await
        .ok(200);
    assert_refused(app.reset(&first, NEW).await, BAD_TOKEN);
    // The same address in another case is no new one, nor is another name.
    let second = token(&app, id).await;
    let same = json!({"email": "Other@Example.com", "name": "林舟"});
    patch(&app, id, same).await.ok(200);
    app.reset(&second, NEW).await.ok(204);
    app.sign_in("other@example.com", NEW).await;
}

async fn a_change_by_the_account_itself_ends_the_token(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "editor", json!({})).await;
    let token = token(&app, id).await;
    let access = app.sign_in(EMAIL, SECRET).await.access;
    let body = json!({"current_password": SECRET, "new_password": NEW});
    let change = app.with(&access, reqwest::Method::POST, "/v1/auth/password");
    change.json(&body).send().await.ok(200);
    assert_refused(app.reset(&token, "one more horse").await, BAD_TOKEN);
}

async fn an_invited_account_sets_its_first_password(stage: Stage) {
    let app = stage.app().await;
    let invited = create(&app, json!({"email": EMAIL, "role": "editor"})).await;
    let id = invited.ok(201)["id"].as_i64().expect("an id");
    let token = token(&app, id).await;
    app.login(EMAIL, "").await.problem(422, "validation_failed");
    app.login(EMAIL, &token)
        .await
        .problem(401, "invalid_credentials");
    app.reset(&token, NEW).await.ok(204);
    app.sign_in(EMAIL, NEW).await;
    let account = read(&app, id).await;
    assert_eq!(account["has_password"], true);
    assert_eq!(account["version"], 2);
}

crate::facts![
    a_token_is_shown_with_its_end,
    the_address_to_hand_on_is_a_setting,
    a_token_sets_a_password_once,
    a_token_used_twice_at_once_is_used_once,
    a_second_token_replaces_the_first,
    a_token_is_good_for_24_hours,
    tidying_leaves_a_token_that_is_good,
    a_weak_password_does_not_use_the_token_up,
    a_made_up_token_sets_nothing,
    a_disabled_account_takes_no_password,
    a_new_email_address_ends_the_token,
    a_change_by_the_account_itself_ends_the_token,
    an_invited_account_sets_its_first_password,
];
