//! Making accounts.

use diesel::prelude::*;
use lanmu::db::schema::users;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, PASSWORD};
use crate::support::databases;
use crate::support::people::{SECRET, USERS};
use crate::support::stage::Stage;

use super::{create, expected, faults, patch, path, read};

const ROLES: [&str; 4] = ["admin", "editor", "author", "viewer"];

async fn an_account_is_made_with_what_is_given(stage: Stage) {
    let app = stage.app().await;
    for role in ROLES {
        let email = format!("{role}.Lin@example.com");
        let body = json!({
            "email": email, "name": " 林舟 ", "role": role, "password": SECRET, "disabled": false,
        });
        let made = create(&app, body).await.ok(201);
        let id = made["id"].as_i64().expect("an id");
        assert_eq!(made.header("location"), Some(path(id).as_str()));
        assert_eq!(made.header("etag"), Some("\"1\""));
        let sections = match role {
            "editor" | "author" => json!([]),
            _ => Value::Null,
        };
        let mut account = json!({
            "id": id, "email": email, "name": "林舟", "role": role, "sections": sections,
            "disabled": false, "has_password": true, "last_login_at": null,
            "created_at": NOON, "updated_at": NOON, "version": 1,
        });
        assert_eq!(made.json, account);
        let found = read(&app, id).await;
        assert_eq!(found.json, account);
        assert_eq!(found.header("etag"), Some("\"1\""));
        let tokens = app.sign_in(&email, SECRET).await;
        let me = app.get_with(&tokens.access, "/v1/auth/me").await.ok(200);
        assert_eq!((&me["id"], &me["role"]), (&json!(id), &json!(role)), "{me}");
        account["last_login_at"] = json!(NOON);
        assert_eq!(read(&app, id).await.json, account);
    }
}

async fn an_account_needs_an_email_address_and_a_role(stage: Stage) {
    let app = stage.app().await;
    for role in ROLES {
        let email = format!("new.{role}@example.com");
        let made = create(&app, json!({"email": email, "role": role}))
            .await
            .ok(201);
        assert_eq!(made["name"], Value::Null);
        assert_eq!(made["has_password"], false);
        assert_eq!(made["disabled"], false);
        let nulls = json!({
            "email": format!("null.{role}@example.com"), "role": role, "name": null,
            "password": null, "sections": null, "disabled": null,
        });
        let same = create(&app, nulls).await.ok(201);
        for member in ["name", "has_password", "disabled", "sections"] {
            assert_eq!(made[member], same[member], "{role} {member}");
        }
    }
}

async fn an_account_keeps_its_sections(stage: Stage) {
    let app = stage.app().await;
    let harbour = app.admin().section("港口", json!({})).await;
    let hills = app.admin().section("山野", json!({})).await;
    for role in ["editor", "author", "viewer"] {
        for sections in [json!([]), json!([hills]), json!([hills, harbour])] {
            let email = format!("{role}.{}@example.com", sections.to_string().len());
            let body = json!({"email": email, "role": role, "sections": sections});
            let made = create(&app, body).await.ok(201);
            assert_eq!(made["sections"], sections);
            let id = made["id"].as_i64().expect("an id");
            assert_eq!(read(&app, id).await["sections"], sections);
        }
    }
    let body = json!({
        "email": "twice@example.com", "role": "editor", "sections": [hills, harbour, hills],
    });
    let made = create(&app, body).await.ok(201);
    assert_eq!(made["sections"], json!([hills, harbour]));
    for sections in [json!([]), Value::Null] {
        let email = format!("boss.{}@example.com", sections.to_string().len());
        let body = json!({"email": email, "role": "admin", "sections": sections});
        assert_eq!(create(&app, body).await.ok(201)["sections"], Value::Null);
    }
}

async fn an_email_address_is_one_account_in_any_case(stage: Stage) {
    let app = stage.app().await;
    for (first, again) in [
        ("Lin.Zhou@Example.com", "LIN.ZHOU@EXAMPLE.COM"),
        ("élodie@exämple.de", "ÉLODIE@EXÄMPLE.DE"),
        ("ЖУРАВЛЬ@пример.рф", "журавль@ПРИМЕР.рф"),
        ("Ǆ@example.com", "ǆ@example.com"),
    ] {
        let id = app.account(first, "viewer", json!({})).await;
        for email in [first, again, &format!(" {again}\u{3000}")] {
            create(&app, json!({"email": email, "role": "viewer"}))
                .await
                .problem(409, "email_taken");
        }
        app.login(again, SECRET).await.ok(200);
        assert_eq!(read(&app, id).await["email"], first);
        let query = format!("{USERS}?email={again}");
        assert_eq!(app.admin().get(&query).await.ok(200).ids(), [id]);
    }
    create(&app, json!({"email": ADMIN, "role": "viewer"}))
        .await
        .problem(409, "email_taken");
}

async fn all_faults_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let before = databases::rows(&mut app.connect());
    let long = "林".repeat(201);
    let far = json!({
        "email": "no.address", "name": long, "role": "boss", "password": "short",
        "sections": [section, 987, 988],
    });
    for (body, told) in [
        (
            json!({}),
            &[("/email", "required"), ("/role", "required")][..],
        ),
        (
            json!({"email": " ", "role": null}),
            &[("/email", "required"), ("/role", "required")],
        ),
        (
            far,
            &[
                ("/email", "invalid"),
                ("/name", "too_long"),
                ("/password", "too_short"),
                ("/role", "not_allowed"),
                ("/sections/1", "does_not_exist"),
                ("/sections/2", "does_not_exist"),
            ],
        ),
        (
            json!({"email": "a@b\u{7}c", "name": "林\n舟", "role": "Admin"}),
            &[
                ("/email", "invalid_characters"),
                ("/name", "invalid_characters"),
                ("/role", "not_allowed"),
            ],
        ),
        (
            json!({"email": "a@example.com", "role": "admin", "sections": [section]}),
            &[("/sections", "conflicting")],
        ),
        (
            json!({"email": "a@example.com", "role": "admin", "sections": [987]}),
            &[
                ("/sections", "conflicting"),
                ("/sections/0", "does_not_exist"),
            ],
        ),
        (
            json!({"email": "a@example.com", "role": "editor", "sections": [0]}),
            &[("/sections/0", "does_not_exist")],
        ),
    ] {
        let answer = create(&app, body.clone()).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(faults(&answer), expected(told), "{body}");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn only_email_addresses_are_taken(stage: Stage) {
    let app = stage.app().await;
    let long = format!("{}@example.com", "a".repeat(243));
    for (email, code) in [
        ("@example.com", "invalid"),
        ("lin@", "invalid"),
        ("@", "invalid"),
        ("lin", "invalid"),
        ("lin@a@b", "invalid"),
        ("lin zhou@example.com", "invalid_characters"),
        ("lin\u{3000}zhou@example.com", "invalid_characters"),
        ("lin\u{7}@example.com", "invalid_characters"),
        ("lin\u{200B}@example.com", "invalid_characters"),
        ("lin@\u{200F}example.com", "invalid_characters"),
        ("lin\u{2028}@example.com", "invalid_characters"),
        ("lin@example\u{202E}.com", "invalid_characters"),
        ("lin@exam\u{2060}ple.com", "invalid_characters"),
        ("lin@example.com\u{2064}", "invalid_characters"),
        ("l\u{FEFF}in@example.com", "invalid_characters"),
        (&long, "too_long"),
    ] {
        let answer = create(&app, json!({"email": email, "role": "viewer"})).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(faults(&answer), expected(&[("/email", code)]), "{email}");
    }
    let longest = &long[1..];
    assert_eq!(longest.len(), 254);
    for email in [longest, "林舟@例子.中国", "a@b"] {
        let made = create(&app, json!({"email": email, "role": "viewer"}));
        assert_eq!(made.await.ok(201)["email"], email);
    }
}

async fn a_first_password_must_be_good_enough(stage: Stage) {
    let app = stage.app().await;
    let longest = "长短".repeat(128);
    for (password, code) in [
        ("", "too_short"),
        ("seven77", "too_short"),
        ("密码太短了", "too_short"),
        (&format!("{longest}长"), "too_long"),
        ("PassWord123", "too_common"),
        ("aaaaaaaaaaaa", "too_common"),
        ("Lin.Zhou@Example.com", "too_common"),
        ("LIN.ZHOU", "too_common"),
    ] {
        let body = json!({"email": "lin.zhou@example.com", "role": "viewer", "password": password});
        let answer = create(&app, body).await.problem(422, "validation_failed");
        assert_eq!(
            faults(&answer),
            expected(&[("/password", code)]),
            "{password}"
        );
    }
    let body = json!({"email": "lin.zhou@example.com", "role": "viewer", "password": longest});
    create(&app, body).await.ok(201);
    app.login("lin.zhou@example.com", &longest).await.ok(200);
}

async fn what_is_no_account_is_not_taken(stage: Stage) {
    let app = stage.app().await;
    let good = json!({"email": "a@example.com", "role": "viewer"});
    for (member, value) in [
        ("email", json!(7)),
        ("role", json!(["admin"])),
        ("sections", json!("1")),
        ("sections", json!([1.5])),
        ("disabled", json!("no")),
        ("password", json!({})),
        ("id", json!(7)),
        ("version", json!(7)),
        ("password_hash", json!("x")),
        ("has_password", json!(true)),
    ] {
        let mut body = good.clone();
        body[member] = value;
        create(&app, body).await.problem(400, "invalid_body");
    }
    create(&app, json!([])).await.problem(400, "invalid_body");
    let query = app.admin().post(&format!("{USERS}?x=1"), good).await;
    query.problem(400, "invalid_request");
    assert_eq!(app.admin().get(USERS).await.ok(200).ids(), [1]);
}

async fn a_disabled_account_can_be_made(stage: Stage) {
    let app = stage.app().await;
    let id = app
        .account("a@example.com", "viewer", json!({"disabled": true}))
        .await;
    app.login("a@example.com", SECRET)
        .await
        .problem(401, "invalid_credentials");
    patch(&app, id, json!({"disabled": false})).await.ok(200);
    app.login("a@example.com", SECRET).await.ok(200);
}

async fn nobody_signs_in_without_a_password(stage: Stage) {
    let app = stage.app().await;
    let body = json!({"email": "a@example.com", "role": "editor"});
    create(&app, body).await.ok(201);
    for password in ["", " ", "null", "\u{0}", SECRET] {
        let answer = app.login("a@example.com", password).await;
        assert!(matches!(answer.status, 401 | 422), "{answer}");
    }
}

async fn no_answer_tells_a_password(stage: Stage) {
    let app = stage.app().await;
    let hash: String = users::table
        .select(users::password_hash)
        .first(&mut app.connect())
        .expect("the account");
    let weak = json!({"email": "b@example.com", "role": "viewer", "password": "hunter2"});
    let body = json!({"email": "a@example.com", "role": "viewer", "password": SECRET});
    let made = create(&app, body.clone()).await.ok(201);
    let id = made["id"].as_i64().expect("an id");
    let answers = [
        made,
        create(&app, body).await.ok(409),
        create(&app, weak).await.ok(422),
        read(&app, id).await,
        read(&app, 1).await,
        app.admin().get(USERS).await.ok(200),
        patch(&app, id, json!({"name": "林舟"})).await.ok(200),
        patch(&app, id, json!({"password": SECRET})).await.ok(400),
        app.admin()
            .act(&format!("{}/password-reset", path(id)))
            .await
            .ok(201),
        app.admin().get("/v1/admin/audit?limit=100").await.ok(200),
        app.admin().delete(&path(id)).await.ok(204),
    ];
    for answer in answers {
        let text = format!("{answer} {:?}", answer.headers);
        for secret in [
            SECRET,
            PASSWORD,
            &hash,
            "argon2",
            "hunter2",
            "password_hash",
        ] {
            assert!(!text.contains(secret), "{secret} is told: {text}");
        }
    }
}

crate::facts![
    an_account_is_made_with_what_is_given,
    an_account_needs_an_email_address_and_a_role,
    an_account_keeps_its_sections,
    an_email_address_is_one_account_in_any_case,
    all_faults_are_told_at_once,
    only_email_addresses_are_taken,
    a_first_password_must_be_good_enough,
    what_is_no_account_is_not_taken,
    a_disabled_account_can_be_made,
    nobody_signs_in_without_a_password,
    no_answer_tells_a_password,
];
