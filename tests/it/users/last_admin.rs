//! One admin who can sign in is always left.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::people::{SECRET, USERS};
use crate::support::stage::Stage;

use super::{create, patch, path};

/// What takes the first admin away, or tries to.
async fn attempts(app: &TestApp) -> Vec<Answer> {
    vec![
        app.admin().delete(&path(1)).await,
        patch(app, 1, json!({"disabled": true})).await,
        patch(app, 1, json!({"role": "editor", "sections": []})).await,
        patch(app, 1, json!({"role": "viewer", "sections": null})).await,
        patch(
            app,
            1,
            json!({"role": "author", "sections": [], "disabled": true}),
        )
        .await,
    ]
}

async fn assert_stays(app: &TestApp) {
    let before = databases::rows(&mut app.connect());
    for answer in attempts(app).await {
        answer.problem(409, "last_admin");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn the_last_admin_stays(stage: Stage) {
    let app = stage.app().await;
    app.token().await;
    assert_stays(&app).await;
    app.account("a@example.com", "editor", json!({})).await;
    assert_stays(&app).await;
    let harmless = json!({"name": "林舟", "role": "admin", "disabled": false});
    patch(&app, 1, harmless).await.ok(200);
}

async fn an_admin_who_can_not_sign_in_does_not_count(stage: Stage) {
    let app = stage.app().await;
    app.token().await;
    let disabled = app
        .account("a@example.com", "admin", json!({"disabled": true}))
        .await;
    assert_stays(&app).await;
    let invited = create(&app, json!({"email": "b@example.com", "role": "admin"})).await;
    let invited = invited.ok(201)["id"].as_i64().expect("an id");
    assert_stays(&app).await;
    // Those may go: they aren't the last who can sign in.
    for id in [disabled, invited] {
        let less = json!({"role": "viewer", "sections": []});
        patch(&app, id, less).await.ok(200);
        patch(&app, id, json!({"role": "admin"})).await.ok(200);
    }
    let reset = format!("{}/password-reset", path(invited));
    let reset = app.admin().act(&reset).await.ok(201);
    let token = reset["token"].as_str().expect("a token");
    app.reset(token, SECRET).await.ok(204);
    app.admin().delete(&path(1)).await.ok(204);
    let token = app.sign_in("b@example.com", SECRET).await.access;
    app.get_with(&token, USERS).await.ok(200);
    let last = app.with(&token, Method::DELETE, &path(invited));
    last.send().await.problem(409, "last_admin");
    app.login(ADMIN, PASSWORD)
        .await
        .problem(401, "invalid_credentials");
}

async fn with_another_admin_the_first_may_be_demoted(stage: Stage) {
    let app = stage.app().await;
    app.account("a@example.com", "admin", json!({})).await;
    let token = app.sign_in("a@example.com", SECRET).await.access;
    let less = json!({"role": "editor", "sections": []});
    patch(&app, 1, less).await.ok(200);
    app.admin().get(USERS).await.problem(403, "forbidden");
    app.get_with(&token, USERS).await.ok(200);
}

/// Each of two admins takes the other away at the same time, on nodes of their own.
async fn two_admins_never_take_each_other_away(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let second = nodes[0].account("a@example.com", "admin", json!({})).await;
    let sign_in = async || {
        [
            nodes[0].sign_in(ADMIN, PASSWORD).await.access,
            nodes[1].sign_in("a@example.com", SECRET).await.access,
        ]
    };
    let mut tokens = sign_in().await;
    for body in [
        json!({"disabled": true}),
        json!({"role": "viewer", "sections": null}),
        Value::Null,
    ] {
        let both = (0..2).map(|n| {
            let (method, other) = match &body {
                Value::Null => (Method::DELETE, [second, 1][n]),
                _ => (Method::PATCH, [second, 1][n]),
            };
            let request = nodes[n].with(&tokens[n], method, &path(other));
            request.header("if-match", "*").json(&body).send()
        });
        let answers = join_all(both).await;
        let done = answers.iter().filter(|a| matches!(a.status, 200 | 204));
        assert_eq!(done.count(), 1, "{body}: {answers:?}");
        if body.is_null() {
            continue;
        }
        // Whoever is left brings the other back.
        let survivor = usize::from(answers[0].status != 200);
        let gone = [second, 1][survivor];
        let back = json!({"disabled": false, "role": "admin"});
        let request = nodes[0].with(&tokens[survivor], Method::PATCH, &path(gone));
        let request = request.header("if-match", "*").json(&back);
        request.send().await.ok(200);
        tokens = sign_in().await;
    }
}

crate::facts![
    the_last_admin_stays,
    an_admin_who_can_not_sign_in_does_not_count,
    with_another_admin_the_first_may_be_demoted,
    two_admins_never_take_each_other_away,
];
