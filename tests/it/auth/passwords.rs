//! Changing one's own password.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::people::{AUDIT, SECRET, Tokens};
use crate::support::stage::Stage;

const EMAIL: &str = "lin.zhou@example.com";
const NEW: &str = "yet another horse";

async fn change(app: &TestApp, access: &str, body: Value) -> Answer {
    let request = app.with(access, Method::POST, "/v1/auth/password");
    request.json(&body).send().await
}

fn words(current: &str, new: &str) -> Value {
    json!({"current_password": current, "new_password": new})
}

async fn a_changed_password_ends_every_session(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    nodes[0].account(EMAIL, "author", json!({})).await;
    let own = nodes[0].sign_in(EMAIL, SECRET).await;
    let others = [
        nodes[0].sign_in(EMAIL, SECRET).await,
        nodes[1].sign_in(EMAIL, SECRET).await,
    ];
    let stranger = nodes[0].token().await;
    let answer = change(&nodes[1], &own.access, words(SECRET, NEW)).await;
    let answer = answer.ok(200);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 900);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let fresh = Tokens::of(&answer);
    for node in &nodes {
        for tokens in others.iter().chain([&own]) {
            node.assert_dead(tokens).await;
        }
        node.login(EMAIL, SECRET)
            .await
            .problem(401, "invalid_credentials");
        node.get_with(&fresh.access, "/v1/auth/me").await.ok(200);
        node.get_with(&stranger, "/v1/auth/me").await.ok(200);
        node.sign_in(EMAIL, NEW).await;
    }
    let next = Tokens::of(&nodes[0].refresh(&fresh.refresh).await.ok(200));
    nodes[1].get_with(&next.access, "/v1/auth/me").await.ok(200);
}

async fn a_wrong_current_password_changes_nothing_and_is_told(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "author", json!({})).await;
    let own = app.sign_in(EMAIL, SECRET).await;
    for wrong in [NEW, "ANOTHER HORSE BATTERY", "another horse battery ", "x"] {
        let answer = change(&app, &own.access, words(wrong, NEW)).await;
        let answer = answer.problem(422, "validation_failed");
        let told = ("/current_password".to_owned(), "invalid".to_owned());
        assert_eq!(answer.faults(), [told]);
        let request_id = answer.header("x-request-id").expect("an id");
        let told = app.told(request_id).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["event"], "auth.sign_in_failed");
        let actor = json!({"type": "account", "id": id, "name": EMAIL});
        assert_eq!(told[0]["actor"], actor);
        assert_eq!(told[0]["resource"], json!({"type": "user", "id": id}));
        assert_eq!(told[0]["changes"], json!([]));
    }
    app.get_with(&own.access, "/v1/auth/me").await.ok(200);
    app.refresh(&own.refresh).await.ok(200);
    app.sign_in(EMAIL, SECRET).await;
}

async fn a_new_password_must_be_good_enough(stage: Stage) {
    let app = stage.app().await;
    app.account(EMAIL, "author", json!({})).await;
    let own = app.sign_in(EMAIL, SECRET).await;
    for (new, code) in [
        ("", "required"),
        ("seven77", "too_short"),
        ("密码太短了", "too_short"),
        (&"x1".repeat(129), "too_long"),
        ("password123", "too_common"),
        ("PassWord123", "too_common"),
        ("PASSWORD123", "too_common"),
        ("~~~~~~~~~~", "too_common"),
        (EMAIL, "too_common"),
        ("LIN.ZHOU@EXAMPLE.COM", "too_common"),
        ("Lin.Zhou", "too_common"),
    ] {
        let answer = change(&app, &own.access, words(SECRET, new)).await;
        let answer = answer.problem(422, "validation_failed");
        let told = ("/new_password".to_owned(), code.to_owned());
        assert_eq!(answer.faults(), [told], "{new}");
        let request_id = answer.header("x-request-id").expect("an id");
        assert_eq!(app.told(request_id).await, [] as [Value; 0]);
    }
    let empty = change(&app, &own.access, json!({})).await;
    let empty = empty.problem(422, "validation_failed");
    let mut places: Vec<String> = empty.faults().into_iter().map(|(at, _)| at).collect();
    places.sort();
    assert_eq!(places, ["/current_password", "/new_password"]);
    for body in [json!([]), json!({"current_password": 7}), json!({"x": 1})] {
        change(&app, &own.access, body)
            .await
            .problem(400, "invalid_body");
    }
    app.get_with(&own.access, "/v1/auth/me").await.ok(200);
    app.sign_in(EMAIL, SECRET).await;
}

async fn a_change_is_told_without_the_passwords(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "author", json!({})).await;
    let own = app.sign_in(EMAIL, SECRET).await;
    let answer = change(&app, &own.access, words(SECRET, NEW)).await.ok(200);
    let told = app
        .told(answer.header("x-request-id").expect("an id"))
        .await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["event"], "user.password_changed");
    assert_eq!(told[0]["resource"], json!({"type": "user", "id": id}));
    let all = app.admin().get(&format!("{AUDIT}?limit=100")).await.ok(200);
    for secret in [SECRET, NEW, "argon2"] {
        assert!(!all.text().contains(secret), "{secret}: {all}");
    }
    // The version tells the change, as the list of accounts shows it.
    let account = app.admin().get(&format!("/v1/admin/users/{id}")).await;
    assert_eq!(account.ok(200)["version"], 2);
}

async fn two_changes_at_once_are_one(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    nodes[0].account(EMAIL, "author", json!({})).await;
    let own = nodes[0].sign_in(EMAIL, SECRET).await;
    let news = ["first new horse", "second new horse"];
    let both = (0..2).map(|n| change(&nodes[n], &own.access, words(SECRET, news[n])));
    let answers = futures_util::future::join_all(both).await;
    let won: Vec<usize> = (0..2).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert!(matches!(answers[1 - won[0]].status, 401 | 422));
    nodes[0].sign_in(EMAIL, news[won[0]]).await;
}

crate::facts![
    a_changed_password_ends_every_session,
    a_wrong_current_password_changes_nothing_and_is_told,
    a_new_password_must_be_good_enough,
    a_change_is_told_without_the_passwords,
    two_changes_at_once_are_one,
];
