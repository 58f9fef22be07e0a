//! Changing accounts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::databases;
use crate::support::people::{SECRET, USERS};
use crate::support::stage::Stage;

use super::{expected, faults, patch, path, read};

async fn a_change_needs_the_version_that_was_seen(stage: Stage) {
    let app = stage.app().await;
    let id = app.account("a@example.com", "viewer", json!({})).await;
    let before = databases::rows(&mut app.connect());
    let body = || json!({"name": "林舟"});
    let bare = app.admin().request(Method::PATCH, &path(id)).await;
    bare.json(&body())
        .send()
        .await
        .problem(428, "precondition_required");
    let write = |if_match: &'static str| {
        let path = path(id);
        let app = &app;
        async move {
            let admin = app.admin();
            admin.write_if(if_match, Method::PATCH, &path, body()).await
        }
    };
    for wrong in ["\"2\"", "\"0\"", "\"x\"", "W/\"2\""] {
        write(wrong).await.problem(412, "version_mismatch");
    }
    write("1").await.problem(400, "invalid_request");
    assert_eq!(databases::rows(&mut app.connect()), before);
    app.advance(60);
    let changed = write("\"1\"").await.ok(200);
    assert_eq!(changed["version"], 2);
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed["updated_at"], "2026-01-31T04:01:00Z");
    assert_eq!(changed["created_at"], "2026-01-31T04:00:00Z");
    assert_eq!(read(&app, id).await.json, changed.json);
    write("\"1\"").await.problem(412, "version_mismatch");
    for (good, version) in [("W/\"2\"", 3), ("\"7\", \"3\"", 4), ("*", 5)] {
        assert_eq!(write(good).await.ok(200)["version"], version);
    }
}

async fn only_what_is_given_changes(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app
        .account(
            "a@example.com",
            "editor",
            json!({"name": "林舟", "sections": [section]}),
        )
        .await;
    let mut account = read(&app, id).await.json;
    for (body, member, value) in [
        (
            json!({"email": "Lin@Example.com"}),
            "email",
            json!("Lin@Example.com"),
        ),
        (
            json!({"email": " lin@example.com "}),
            "email",
            json!("lin@example.com"),
        ),
        (json!({"name": "周林"}), "name", json!("周林")),
        (json!({"name": null}), "name", Value::Null),
        (json!({"name": " "}), "name", Value::Null),
        (json!({"role": "author"}), "role", json!("author")),
        (json!({"sections": []}), "sections", json!([])),
        (
            json!({"sections": [section, section]}),
            "sections",
            json!([section]),
        ),
        (json!({"disabled": true}), "disabled", json!(true)),
        (json!({}), "disabled", json!(true)),
    ] {
        account[member] = value;
        account["version"] = json!(account["version"].as_i64().expect("a number") + 1);
        assert_eq!(
            patch(&app, id, body.clone()).await.ok(200).json,
            account,
            "{body}"
        );
    }
    patch(&app, id, json!({"disabled": false})).await.ok(200);
    app.login("LIN@example.com", SECRET).await.ok(200);
    app.login("a@example.com", SECRET)
        .await
        .problem(401, "invalid_credentials");
}

async fn all_faults_of_a_change_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.account("a@example.com", "editor", json!({})).await;
    let before = databases::rows(&mut app.connect());
    for (body, told) in [
        (
            json!({"email": null, "role": null, "disabled": null}),
            &[
                ("/disabled", "required"),
                ("/email", "required"),
                ("/role", "required"),
            ][..],
        ),
        (
            json!({"email": "x", "name": "x\u{1}", "role": "", "sections": [section, 987]}),
            &[
                ("/email", "invalid"),
                ("/name", "invalid_characters"),
                ("/role", "not_allowed"),
                ("/sections/1", "does_not_exist"),
            ],
        ),
        (
            json!({"role": "admin", "sections": [section]}),
            &[("/sections", "conflicting")],
        ),
    ] {
        let answer = patch(&app, id, body.clone()).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(faults(&answer), expected(told), "{body}");
    }
    for body in [
        json!({"password": SECRET}),
        json!({"password_hash": "x"}),
        json!({"id": 7}),
        json!({"version": 7}),
        json!({"disabled": 1}),
    ] {
        patch(&app, id, body).await.problem(400, "invalid_body");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn an_email_address_in_use_is_not_taken_over(stage: Stage) {
    let app = stage.app().await;
    let first = app.account("Lin@example.com", "viewer", json!({})).await;
    let second = app.account("zhou@example.com", "viewer", json!({})).await;
    let before = databases::rows(&mut app.connect());
    for email in ["lin@example.com", "LIN@EXAMPLE.COM", "Admin@example.com"] {
        patch(&app, second, json!({"email": email}))
            .await
            .problem(409, "email_taken");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    patch(&app, first, json!({"email": "LIN@example.com"}))
        .await
        .ok(200);
    patch(&app, first, json!({"email": "other@example.com"}))
        .await
        .ok(200);
    patch(&app, second, json!({"email": "lin@example.com"}))
        .await
        .ok(200);
}

async fn a_new_role_keeps_the_sections_that_it_can(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let given = json!([section]);
    let id = app
        .account("a@example.com", "editor", json!({"sections": [section]}))
        .await;
    for (body, sections) in [
        (json!({"role": "author"}), given.clone()),
        (json!({"role": "viewer"}), given.clone()),
        (json!({"sections": null}), Value::Null),
        (json!({"role": "editor"}), json!([])),
        (json!({"sections": [section]}), given.clone()),
        (json!({"sections": null}), json!([])),
        (json!({"role": "viewer"}), json!([])),
        (json!({"role": "editor", "sections": [section]}), given),
        (json!({"role": "admin"}), Value::Null),
        (json!({"role": "author", "sections": []}), json!([])),
        (json!({"role": "admin", "sections": []}), Value::Null),
        (json!({"role": "viewer", "sections": null}), Value::Null),
    ] {
        let changed = patch(&app, id, body.clone()).await.ok(200);
        assert_eq!(changed["sections"], sections, "{body}");
        assert_eq!(read(&app, id).await["sections"], sections, "{body}");
    }
}

async fn a_demoted_admin_is_told_its_sections(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app
        .account("a@example.com", "editor", json!({"sections": [section]}))
        .await;
    let admin = json!({"role": "admin"});
    patch(&app, id, admin.clone()).await.ok(200);
    let before = databases::rows(&mut app.connect());
    for body in [
        json!({"role": "viewer"}),
        json!({"role": "editor"}),
        json!({"role": "author", "name": "林舟"}),
        json!({"role": "editor", "sections": null}),
        json!({"role": "author", "sections": null}),
    ] {
        let answer = patch(&app, id, body.clone()).await;
        let answer = answer.problem(422, "validation_failed");
        let told = expected(&[("/sections", "required")]);
        assert_eq!(faults(&answer), told, "{body}");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    for role in ["viewer", "editor", "author"] {
        for sections in [json!([]), json!([section])] {
            let body = json!({"role": role, "sections": sections});
            let changed = patch(&app, id, body).await.ok(200);
            assert_eq!(changed["sections"], sections, "{role}");
            patch(&app, id, admin.clone()).await.ok(200);
        }
    }
    let everywhere = json!({"role": "viewer", "sections": null});
    let changed = patch(&app, id, everywhere).await.ok(200);
    assert_eq!(changed["sections"], Value::Null);
}

async fn a_section_that_is_gone_hinders_no_other_change(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app
        .account("a@example.com", "editor", json!({"sections": [section]}))
        .await;
    app.admin()
        .delete(&format!("/v1/admin/sections/{section}"))
        .await
        .ok(204);
    patch(&app, id, json!({"name": "林舟"})).await.ok(200);
    let again = patch(&app, id, json!({"sections": [section]})).await;
    again.problem(422, "validation_failed");
}

async fn a_new_role_counts_at_once(stage: Stage) {
    let app = stage.app().await;
    let other = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app
        .account("a@example.com", "editor", json!({"sections": [section]}))
        .await;
    let token = app.sign_in("a@example.com", SECRET).await.access;
    let write = || {
        let body = json!({"title": "晨渡", "section_id": section});
        let request = other.with(&token, Method::POST, "/v1/admin/articles");
        async move { request.json(&body).send().await }
    };
    write().await.ok(201);
    patch(&app, id, json!({"sections": []})).await.ok(200);
    write().await.problem(403, "forbidden");
    patch(&app, id, json!({"sections": [section]}))
        .await
        .ok(200);
    write().await.ok(201);
    patch(&app, id, json!({"role": "viewer"})).await.ok(200);
    write().await.problem(403, "forbidden");
    other
        .get_with(&token, USERS)
        .await
        .problem(403, "forbidden");
    patch(&app, id, json!({"role": "admin"})).await.ok(200);
    other.get_with(&token, USERS).await.ok(200);
}

async fn disabling_ends_every_session_for_good(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let app = &nodes[0];
    let id = app.account("a@example.com", "editor", json!({})).await;
    let sessions = [
        app.sign_in("a@example.com", SECRET).await,
        nodes[1].sign_in("a@example.com", SECRET).await,
    ];
    patch(app, id, json!({"disabled": true})).await.ok(200);
    for node in &nodes {
        for tokens in &sessions {
            node.assert_dead(tokens).await;
        }
        node.login("a@example.com", SECRET)
            .await
            .problem(401, "invalid_credentials");
    }
    patch(app, id, json!({"disabled": false})).await.ok(200);
    for tokens in &sessions {
        nodes[1].assert_dead(tokens).await;
    }
    nodes[1].sign_in("a@example.com", SECRET).await;
}

async fn disabling_ends_a_one_time_token_for_good(stage: Stage) {
    let app = stage.app().await;
    let id = app.account("a@example.com", "editor", json!({})).await;
    let made = app
        .admin()
        .act(&format!("{}/password-reset", path(id)))
        .await;
    let made = made.ok(201);
    let token = made["token"].as_str().expect("a token");
    patch(&app, id, json!({"disabled": true})).await.ok(200);
    patch(&app, id, json!({"disabled": false})).await.ok(200);
    app.reset(token, "yet another horse")
        .await
        .problem(422, "validation_failed");
    app.login("a@example.com", SECRET).await.ok(200);
}

async fn what_names_no_account_is_not_found(stage: Stage) {
    let app = stage.app().await;
    for id in ["987", "0", "-1", "x", "1.0", "9223372036854775808"] {
        let path = format!("{USERS}/{id}");
        app.admin().get(&path).await.problem(404, "not_found");
        app.admin()
            .patch(&path, json!({"name": "x"}))
            .await
            .problem(404, "not_found");
        app.admin().delete(&path).await.problem(404, "not_found");
        app.admin()
            .act(&format!("{path}/password-reset"))
            .await
            .problem(404, "not_found");
    }
}

crate::facts![
    a_change_needs_the_version_that_was_seen,
    only_what_is_given_changes,
    all_faults_of_a_change_are_told_at_once,
    an_email_address_in_use_is_not_taken_over,
    a_new_role_keeps_the_sections_that_it_can,
    a_demoted_admin_is_told_its_sections,
    a_section_that_is_gone_hinders_no_other_change,
    a_new_role_counts_at_once,
    disabling_ends_every_session_for_good,
    disabling_ends_a_one_time_token_for_good,
    what_names_no_account_is_not_found,
];
