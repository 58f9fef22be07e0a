//! Who the log says it was: accounts, keys, nobody, the command line; and from where.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD};
use crate::support::people::{AUDIT, SECRET, USERS};
use crate::support::stage::Stage;

use super::{act, changes, events, traced};

const ARTICLES: &str = "/v1/admin/articles";

async fn an_account_and_a_key_are_told_by_name(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let sections = json!({"sections": [section]});
    let user = app.account("Lin@example.com", "editor", sections).await;
    let token = app.sign_in("lin@example.com", SECRET).await.access;
    let (key_id, key) = app.api_key(&["content:write"], json!({})).await;
    let body = json!({"title": "晨渡", "section_id": section});
    let account = json!({"type": "account", "id": user, "name": "Lin@example.com"});
    let api_key = json!({"type": "api_key", "id": key_id, "name": "推送"});
    for (token, actor) in [(&token, account), (&key, api_key)] {
        let request = app.with(token, Method::POST, ARTICLES).json(&body);
        let (answer, told) = traced(&app, request).await;
        answer.ok(201);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["actor"], actor);
        // Another name later changes nothing of it, nor does the end of the account or key.
        let before = told[0].clone();
        let id = before["request_id"].as_str().expect("an id").to_owned();
        if actor["type"] == "account" {
            let path = format!("{USERS}/{user}");
            app.admin()
                .patch(&path, json!({"email": "new@example.com"}))
                .await
                .ok(200);
            app.admin().delete(&path).await.ok(204);
        } else {
            let path = format!("/v1/admin/api-keys/{key_id}");
            app.admin()
                .patch(&path, json!({"name": "内网"}))
                .await
                .ok(200);
            app.admin().delete(&path).await.ok(204);
        }
        assert_eq!(app.told(&id).await, [before]);
    }
}

async fn the_command_line_is_the_system(stage: Stage) {
    let app = stage.app().await;
    let told = app.entries(&format!("{AUDIT}?actor=system")).await;
    assert_eq!(events(&told), ["user.created user 1"]);
    let nobody = json!({"type": "system", "id": null, "name": null});
    assert_eq!(told[0]["actor"], nobody);
    assert_eq!(told[0]["address"], Value::Null);
    assert_eq!(told[0]["request_id"], Value::Null);
    let told = changes(&told[0]);
    assert_eq!(told["email"], json!([null, ADMIN]));
    assert_eq!(told["role"], json!([null, "admin"]));
    assert_eq!(told["has_password"], json!([null, true]));
}

async fn a_failed_sign_in_names_no_address_that_was_typed(stage: Stage) {
    let app = stage.app().await;
    let id = app
        .account("gone@example.com", "viewer", json!({"disabled": true}))
        .await;
    let nobody = json!({"type": "anonymous", "id": null, "name": null});
    for (email, resource) in [
        ("typed-by-mistake", Value::Null),
        ("Nobody@example.com", Value::Null),
        ("' OR 1=1 --", Value::Null),
        ("Admin@Example.Com", json!({"type": "user", "id": 1})),
        ("gone@example.com", json!({"type": "user", "id": id})),
    ] {
        let body = json!({"email": email, "password": "typed-secret"});
        let request = app.request(Method::POST, "/v1/auth/login").json(&body);
        let (answer, told) = traced(&app, request).await;
        answer.problem(401, "invalid_credentials");
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["event"], "auth.sign_in_failed");
        assert_eq!(told[0]["actor"], nobody);
        assert_eq!(told[0]["resource"], resource, "{email}");
        assert_eq!(told[0]["changes"], json!([]));
        assert_eq!(told[0]["address"], "127.0.0.1");
        let text = told[0].to_string().to_lowercase();
        for typed in [email.to_lowercase().as_str(), "typed-secret"] {
            assert!(!text.contains(typed), "{text}");
        }
    }
}

async fn a_reused_refresh_token_is_told(stage: Stage) {
    let app = stage.app().await;
    let tokens = app.sign_in(ADMIN, PASSWORD).await;
    let session = app.get_with(&tokens.access, "/v1/auth/sessions").await;
    let session = session.ok(200).ids()[0];
    app.refresh(&tokens.refresh).await.ok(200);
    let again = || {
        let body = json!({"refresh_token": tokens.refresh});
        app.request(Method::POST, "/v1/auth/refresh").json(&body)
    };
    let (answer, told) = traced(&app, again()).await;
    answer.problem(409, "refresh_token_used");
    assert!(told.is_empty(), "{told:?}");
    app.advance(11);
    let (answer, told) = traced(&app, again()).await;
    answer.problem(401, "invalid_refresh_token");
    let event = format!("auth.refresh_token_reused session {session}");
    assert_eq!(events(&told), [event]);
    assert_eq!(told[0]["actor"]["type"], "anonymous");
    // The session is over: there is nothing more to tell.
    let (answer, told) = traced(&app, again()).await;
    answer.problem(401, "invalid_refresh_token");
    assert!(told.is_empty(), "{told:?}");
}

async fn an_address_is_believed_from_trusted_proxies_only(stage: Stage) {
    let plain = stage.app().await;
    let behind = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")])
        .await;
    for (app, forwarded, address) in [
        (&plain, "203.0.113.9", "127.0.0.1"),
        (&behind, "203.0.113.9", "203.0.113.9"),
        (
            &behind,
            "198.51.100.1, 203.0.113.9, 10.0.0.7",
            "203.0.113.9",
        ),
        (&behind, "2001:DB8:0::7", "2001:db8::7"),
        (&behind, "::ffff:203.0.113.9", "203.0.113.9"),
        (&behind, "nonsense", "127.0.0.1"),
    ] {
        let body = json!({"email": ADMIN, "password": "wrong horse"});
        let request = app
            .request(Method::POST, "/v1/auth/login")
            .header("x-forwarded-for", forwarded);
        let (_, told) = traced(app, request.json(&body)).await;
        assert_eq!(told[0]["address"], address, "{forwarded}");
    }
    let count = async |address: &str| {
        let path = format!("{AUDIT}?event=auth.sign_in_failed&address={address}");
        plain.entries(&path).await.len()
    };
    for (address, expected) in [
        ("203.0.113.9", 3),
        ("::ffff:203.0.113.9", 3),
        ("2001:db8::7", 1),
        ("2001:0DB8:0:0::7", 1),
        ("127.0.0.1", 2),
        ("203.0.113.8", 0),
    ] {
        assert_eq!(count(address).await, expected, "{address}");
    }
}

async fn an_account_is_told_as_admins_see_it(stage: Stage) {
    let app = stage.app().await;
    let body = json!({"email": "a@example.com", "role": "editor", "password": SECRET});
    let told = act(&app, Method::POST, USERS, body, 201).await;
    let id = &told[0]["resource"]["id"];
    let expected = json!({
        "email": [null, "a@example.com"], "role": [null, "editor"], "sections": [null, []],
        "disabled": [null, false], "has_password": [null, true],
    });
    assert_eq!(changes(&told[0]), expected);
    let path = format!("{USERS}/{id}");
    let body = json!({"role": "viewer", "name": "林舟"});
    let told = act(&app, Method::PATCH, &path, body, 200).await;
    let expected = json!({"role": ["editor", "viewer"], "name": [null, "林舟"]});
    assert_eq!(changes(&told[0]), expected);
    let told = act(&app, Method::PATCH, &path, json!({"disabled": true}), 200).await;
    assert_eq!(changes(&told[0]), json!({"disabled": [false, true]}));
    let told = act(&app, Method::DELETE, &path, Value::Null, 204).await;
    assert_eq!(changes(&told[0])["email"], json!(["a@example.com", null]));
}

crate::facts![
    an_account_and_a_key_are_told_by_name,
    the_command_line_is_the_system,
    a_failed_sign_in_names_no_address_that_was_typed,
    a_reused_refresh_token_is_told,
    an_address_is_believed_from_trusted_proxies_only,
    an_account_is_told_as_admins_see_it,
];
