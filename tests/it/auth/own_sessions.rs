//! Sessions, listed and ended: one's own, and by admins those of any account.

use diesel::prelude::*;
use lanmu::db::schema::sessions;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{NOON, TestApp};
use crate::support::client::Answer;
use crate::support::people::{SECRET, Tokens, USERS};
use crate::support::stage::Stage;

const EMAIL: &str = "lin.zhou@example.com";
const SESSIONS: &str = "/v1/auth/sessions";

/// Signs in as a client of this name at this address.
async fn sign_in_from(app: &TestApp, agent: &str, address: &str) -> Tokens {
    let request = app
        .request(Method::POST, "/v1/auth/login")
        .header("user-agent", agent)
        .header("x-forwarded-for", address);
    let body = json!({"email": EMAIL, "password": SECRET});
    Tokens::of(&request.json(&body).send().await.ok(200))
}

async fn listed(app: &TestApp, tokens: &Tokens) -> Answer {
    app.get_with(&tokens.access, SESSIONS).await.ok(200)
}

async fn end(app: &TestApp, tokens: &Tokens, path: &str) -> Answer {
    app.with(&tokens.access, Method::DELETE, path).send().await
}

async fn open_sessions_are_listed_with_their_clients(stage: Stage) {
    let app = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.0/8")])
        .await;
    app.account(EMAIL, "author", json!({})).await;
    let long = "x".repeat(400);
    let first = sign_in_from(&app, "Firefox/140", "203.0.113.9").await;
    app.advance(60);
    let second = sign_in_from(&app, &long, "2001:db8::7").await;
    let found = listed(&app, &second).await;
    assert_eq!(found.header("cache-control"), Some("no-store"));
    let ids = found.ids();
    assert_eq!(ids.len(), 2);
    assert!(ids[0] > ids[1], "the newest is first: {ids:?}");
    let expected = |id: i64, at: &str, ends: &str, address: &str, agent: &str, current: bool| {
        json!({
            "id": id, "created_at": at, "last_used_at": at, "expires_at": ends,
            "address": address, "user_agent": agent, "current": current,
        })
    };
    let later = "2026-01-31T04:01:00Z";
    let (month, month_later) = ("2026-03-02T04:00:00Z", "2026-03-02T04:01:00Z");
    let newer = |current| {
        let agent = &long[..300];
        expected(ids[0], later, month_later, "2001:db8::7", agent, current)
    };
    let older = |current| expected(ids[1], NOON, month, "203.0.113.9", "Firefox/140", current);
    assert_eq!(found["data"], json!([newer(true), older(false)]));
    assert_eq!(found["page"]["total"], 2);
    let found = listed(&app, &first).await;
    assert_eq!(found["data"], json!([newer(false), older(true)]));
}

async fn a_refresh_tells_when_and_where(stage: Stage) {
    let app = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.0/8")])
        .await;
    app.account(EMAIL, "author", json!({})).await;
    let tokens = sign_in_from(&app, "Firefox/140", "203.0.113.9").await;
    app.advance(600);
    // An access token in use is no use of the session.
    assert_eq!(listed(&app, &tokens).await["data"][0]["last_used_at"], NOON);
    let request = app
        .request(Method::POST, "/v1/auth/refresh")
        .header("user-agent", "Firefox/141")
        .header("x-forwarded-for", "198.51.100.4");
    let body = json!({"refresh_token": tokens.refresh});
    let tokens = Tokens::of(&request.json(&body).send().await.ok(200));
    let session = listed(&app, &tokens).await["data"][0].clone();
    assert_eq!(session["last_used_at"], "2026-01-31T04:10:00Z");
    assert_eq!(session["created_at"], NOON);
    assert_eq!(session["address"], "198.51.100.4");
    assert_eq!(session["user_agent"], "Firefox/141");
    assert_eq!(session["current"], true);
}

async fn sessions_that_are_over_are_not_listed(stage: Stage) {
    let app = stage.app().await;
    app.account(EMAIL, "author", json!({})).await;
    let old = app.sign_in(EMAIL, SECRET).await;
    let out = app.sign_in(EMAIL, SECRET).await;
    let logout = app.with(&out.access, Method::POST, "/v1/auth/logout");
    logout.send().await.ok(204);
    assert_eq!(listed(&app, &old).await.ids().len(), 1);
    app.advance(30 * 86_400 - 1);
    let new = app.sign_in(EMAIL, SECRET).await;
    assert_eq!(listed(&app, &new).await.ids().len(), 2);
    app.advance(1);
    assert_eq!(listed(&app, &new).await.ids().len(), 1);
}

async fn sessions_have_pages(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "author", json!({})).await;
    let mut tokens = app.sign_in(EMAIL, SECRET).await;
    for _ in 0..3 {
        tokens = app.sign_in(EMAIL, SECRET).await;
    }
    let all = listed(&app, &tokens).await.ids();
    let of_user = format!("{USERS}/{id}/sessions");
    assert_eq!(app.admin().get(&of_user).await.ok(200).ids(), all);
    for limit in 1..5 {
        assert_eq!(app.walk(&format!("{of_user}?limit={limit}")).await, all);
    }
    let query = format!("{SESSIONS}?limit=2&page=2");
    let second = app.get_with(&tokens.access, &query).await.ok(200);
    assert_eq!(second.ids(), all[2..]);
    for wrong in ["limit=0", "current=true", "page=0"] {
        let path = format!("{SESSIONS}?{wrong}");
        let answer = app.get_with(&tokens.access, &path).await;
        answer.problem(400, "invalid_request");
    }
}

async fn one_session_is_ended(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let app = &nodes[0];
    app.account(EMAIL, "author", json!({})).await;
    let [own, other, third] = [
        app.sign_in(EMAIL, SECRET).await,
        app.sign_in(EMAIL, SECRET).await,
        app.sign_in(EMAIL, SECRET).await,
    ];
    let ids = listed(app, &own).await.ids();
    let path = format!("{SESSIONS}/{}", ids[1]);
    end(app, &own, &path).await.ok(204);
    for node in &nodes {
        node.assert_dead(&other).await;
        node.get_with(&third.access, SESSIONS).await.ok(200);
    }
    assert_eq!(listed(app, &own).await.ids(), [ids[0], ids[2]]);
    end(app, &own, &path).await.problem(404, "not_found");
    // One's own may be ended, too.
    end(app, &own, &format!("{SESSIONS}/{}", ids[2]))
        .await
        .ok(204);
    nodes[1].assert_dead(&own).await;
    app.refresh(&third.refresh).await.ok(200);
}

async fn all_sessions_are_ended(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    nodes[0].account(EMAIL, "author", json!({})).await;
    let stranger = nodes[0].token().await;
    let sessions = [
        nodes[0].sign_in(EMAIL, SECRET).await,
        nodes[1].sign_in(EMAIL, SECRET).await,
    ];
    end(&nodes[1], &sessions[0], SESSIONS).await.ok(204);
    for node in &nodes {
        for tokens in &sessions {
            node.assert_dead(tokens).await;
        }
        node.get_with(&stranger, SESSIONS).await.ok(200);
    }
    nodes[0].sign_in(EMAIL, SECRET).await;
}

async fn the_session_of_somebody_else_is_not_found(stage: Stage) {
    let app = stage.app().await;
    app.account(EMAIL, "author", json!({})).await;
    app.account("b@example.com", "admin", json!({})).await;
    let own = app.sign_in(EMAIL, SECRET).await;
    let stranger = app.sign_in("b@example.com", SECRET).await;
    let id = listed(&app, &own).await.ids()[0];
    // Admins end others' sessions as admins, not as their own.
    let theirs = format!("{SESSIONS}/{id}");
    end(&app, &stranger, &theirs)
        .await
        .problem(404, "not_found");
    for wrong in ["987", "0", "x", "-1"] {
        let answer = end(&app, &own, &format!("{SESSIONS}/{wrong}")).await;
        answer.problem(404, "not_found");
    }
    listed(&app, &own).await;
}

async fn an_admin_lists_and_ends_the_sessions_of_an_account(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "author", json!({})).await;
    let sessions = [
        app.sign_in(EMAIL, SECRET).await,
        app.sign_in(EMAIL, SECRET).await,
    ];
    let path = format!("{USERS}/{id}/sessions");
    let found = app.admin().get(&path).await.ok(200);
    assert_eq!(found.ids(), listed(&app, &sessions[0]).await.ids());
    for session in found["data"].as_array().expect("a list") {
        assert_eq!(session["current"], false);
    }
    let own = app.admin().get(&format!("{USERS}/1/sessions")).await;
    assert_eq!(own.ok(200)["data"][0]["current"], true);
    app.admin().delete(&path).await.ok(204);
    for tokens in &sessions {
        app.assert_dead(tokens).await;
    }
    assert_eq!(app.admin().get(&path).await.ok(200)["data"], json!([]));
    for wrong in ["987", "0", "x"] {
        let path = format!("{USERS}/{wrong}/sessions");
        app.admin().get(&path).await.problem(404, "not_found");
        app.admin().delete(&path).await.problem(404, "not_found");
    }
    let author = app.sign_in(EMAIL, SECRET).await;
    for method in [Method::GET, Method::DELETE] {
        let answer = app.with(&author.access, method, &path).send().await;
        answer.problem(403, "forbidden");
    }
}

async fn an_api_key_has_no_account_of_its_own(stage: Stage) {
    let app = stage.app().await;
    let all = [
        "content:read",
        "content:write",
        "content:publish",
        "hits:read",
        "hits:write",
    ];
    let (_, key) = app.api_key(&all, json!({})).await;
    let change = json!({"current_password": SECRET, "new_password": "yet another horse"});
    for (method, path, body) in [
        (Method::GET, "/v1/auth/me", Value::Null),
        (Method::POST, "/v1/auth/logout", Value::Null),
        (Method::POST, "/v1/auth/password", change),
        (Method::POST, "/v1/auth/password", json!({})),
        (Method::GET, SESSIONS, Value::Null),
        (Method::DELETE, SESSIONS, Value::Null),
        (Method::DELETE, "/v1/auth/sessions/1", Value::Null),
    ] {
        let request = app.with(&key, method, path);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        request.send().await.problem(403, "forbidden");
    }
    app.get_with(&key, "/v1/admin/articles").await.ok(200);
}

async fn past_a_hundred_the_oldest_session_ends(stage: Stage) {
    let app = stage.app().await;
    let id = app.account(EMAIL, "author", json!({})).await;
    let stranger = app.token().await;
    let [first, second] = [
        app.sign_in(EMAIL, SECRET).await,
        app.sign_in(EMAIL, SECRET).await,
    ];
    let at = |seconds: i64| app.now().plus_seconds(seconds);
    for _ in 0..98 {
        diesel::insert_into(sessions::table)
            .values((
                sessions::user_id.eq(id),
                sessions::created_at.eq(at(0)),
                sessions::expires_at.eq(at(3600)),
            ))
            .execute(&mut app.connect())
            .expect("one more is open");
    }
    assert_eq!(listed(&app, &first).await["page"]["total"], 100);
    let last = app.sign_in(EMAIL, SECRET).await;
    app.assert_dead(&first).await;
    for open in [&second, &last] {
        assert_eq!(listed(&app, open).await["page"]["total"], 100);
    }
    app.get_with(&stranger, "/v1/auth/me").await.ok(200);
    // Those that are over count for nothing.
    app.advance(3600);
    let next = app.sign_in(EMAIL, SECRET).await;
    assert_eq!(listed(&app, &next).await["page"]["total"], 3);
}

crate::facts![
    past_a_hundred_the_oldest_session_ends,
    open_sessions_are_listed_with_their_clients,
    a_refresh_tells_when_and_where,
    sessions_that_are_over_are_not_listed,
    sessions_have_pages,
    one_session_is_ended,
    all_sessions_are_ended,
    the_session_of_somebody_else_is_not_found,
    an_admin_lists_and_ends_the_sessions_of_an_account,
    an_api_key_has_no_account_of_its_own,
];
