//! Sign-in, tokens, and who is let in.

pub mod forge;
mod forged;
mod guard;
mod own_sessions;
mod passwords;
mod rotation;
mod sessions;
mod sign_in;
mod tokens;

use reqwest::Method;
use serde_json::json;

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::client::Answer;
use crate::support::stage::Fact;

const LIST: &str = "/v1/admin/articles";

async fn login(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    app.post("/v1/auth/login", body).await
}

/// Access and refresh token of a new session.
async fn session(app: &TestApp) -> (String, String) {
    tokens(&login(app, ADMIN, PASSWORD).await.ok(200))
}

fn tokens(answer: &Answer) -> (String, String) {
    let text = |member: &str| answer[member].as_str().expect("a token").to_owned();
    (text("access_token"), text("refresh_token"))
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    app.post("/v1/auth/refresh", body).await
}

/// `GET` of the articles with this `Authorization`.
async fn with(app: &TestApp, authorization: &str) -> Answer {
    app.request(Method::GET, LIST)
        .header("authorization", authorization)
        .send()
        .await
}

async fn bearing(app: &TestApp, token: &str) -> Answer {
    with(app, &format!("Bearer {token}")).await
}

#[track_caller]
fn refused(answer: Answer) -> Answer {
    let answer = answer.problem(401, "unauthorized");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer
}

/// The facts of this module.
pub fn facts() -> Vec<Fact> {
    [
        sign_in::facts(),
        tokens::facts(),
        forged::facts(),
        rotation::facts(),
        sessions::facts(),
        guard::facts(),
        passwords::facts(),
        own_sessions::facts(),
    ]
    .concat()
}
