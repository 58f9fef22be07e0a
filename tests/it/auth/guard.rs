//! Who is let in where, and what answers give away.

use std::io::{Read, Write};
use std::net::TcpStream;

use diesel::prelude::*;
use lanmu::db::schema::users;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, PASSWORD, TestApp};
use crate::support::client::Request;
use crate::support::contract::document;
use crate::support::databases;
use crate::support::stage::Stage;

use super::{LIST, bearing, login, refresh, refused, session};

/// What needs no caller below `/v1/auth`.
const OPEN: &[&str] = &["login", "refresh", "reset"];

/// Method and path of every managed operation, with the path's parameters filled in.
fn managed_operations() -> Vec<(Method, String)> {
    let mut found = Vec::new();
    for (path, item) in document()["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let is_secured = operation["security"] != json!([]);
            assert_eq!(
                is_secured,
                path.starts_with("/v1/admin")
                    || (path.starts_with("/v1/auth")
                        && !OPEN.contains(&path.trim_start_matches("/v1/auth/"))),
                "{method} {path}"
            );
            if is_secured {
                let method = method.to_uppercase().parse().expect("a method");
                let filled = path.replace("{id}", "1").replace("{external_id}", "x-1");
                let filled = filled.replace("{version}", "1");
                assert!(!filled.contains('{'), "{path}");
                found.push((method, filled));
            }
        }
    }
    found
}

async fn no_managed_operation_serves_an_anonymous_caller(stage: Stage) {
    let app = stage.app().await;
    app.admin().section("港口", json!({})).await;
    app.admin().article("晨渡", 1, json!({})).await;
    let before = databases::rows(&mut app.connect());
    let operations = managed_operations();
    assert!(operations.len() > 15, "{operations:?}");
    for (method, path) in operations {
        let ask = || app.request(method.clone(), &path);
        let requests: [Request; 5] = [
            ask(),
            ask().json(&json!({})),
            ask().header("authorization", "Bearer x"),
            ask()
                .header("if-match", "*")
                .json(&json!({"title": "x", "name": "x"})),
            app.request(method.clone(), &format!("{path}?wat=1")),
        ];
        for request in requests {
            refused(request.send().await);
        }
        if method == Method::GET {
            let head = app.request(Method::HEAD, &path).send().await.ok(401);
            assert_eq!(head.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn who_is_calling_comes_before_all_else(stage: Stage) {
    let app = stage.with(&[("LANMU_MAX_BODY_BYTES", "2000")]).await;
    let ask = |method: Method, path: &str| app.request(method, path);
    for request in [
        ask(Method::GET, "/v1/admin"),
        ask(Method::GET, "/v1/admin/"),
        ask(Method::GET, "/v1/admin/nothing"),
        ask(Method::GET, "/v1/admin/articles/987654321"),
        ask(Method::GET, "/v1/admin/articles/abc"),
        ask(Method::GET, "/v1/admin/articles/%00"),
        ask(Method::PUT, "/v1/admin/articles"),
        ask(Method::DELETE, "/v1/admin/hits"),
        ask(Method::OPTIONS, "/v1/admin/articles"),
        ask(Method::TRACE, "/v1/admin/articles"),
        ask(Method::GET, "/v1/admin/articles?limit=0&wat=1"),
        ask(Method::GET, "/v1/admin/articles?%ff=%ff"),
        ask(Method::POST, "/v1/admin/articles").body("application/json", "{"),
        ask(Method::POST, "/v1/admin/articles").body("application/json", "{}"),
        ask(Method::POST, "/v1/admin/articles").body("text/csv", "a,b"),
        ask(Method::POST, "/v1/admin/articles").bare_body("{}"),
        ask(Method::POST, "/v1/admin/articles").body("application/json", "x".repeat(3000)),
        ask(Method::PATCH, "/v1/admin/articles/1").json(&json!({})),
        ask(Method::PATCH, "/v1/admin/articles/1").header("if-match", "7"),
        ask(Method::GET, "/v1/auth/nothing"),
        ask(Method::GET, "/v1/auth/logout"),
        ask(Method::POST, "/v1/auth/me"),
    ] {
        refused(request.send().await);
    }
}

async fn a_known_caller_is_told_what_is_wrong(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    admin
        .get("/v1/admin/nothing")
        .await
        .problem(404, "not_found");
    let wrong = admin.request(Method::PUT, "/v1/admin/articles").await;
    let wrong = wrong.send().await.problem(405, "method_not_allowed");
    assert!(wrong.header("allow").is_some_and(|a| a.contains("POST")));
    admin
        .get("/v1/admin/articles?wat=1")
        .await
        .problem(400, "invalid_request");
}

/// Spellings of a managed path that something on the way may take for it.
const SPELLINGS: &[&str] = &[
    "/v1/%61dmin/articles",
    "/v1/admi%6e/articles",
    "/%76%31/admin/articles",
    "/v1/%2561dmin/articles",
    "/v1/admin%2Farticles",
    "/v1%2Fadmin%2Farticles",
    "/v1/admin%2farticles",
    "/v1/%61dmin%2Farticles",
    "/v1/admin/%61rticles",
    "/v1/admin/articles/",
    "/v1/admin//articles",
    "/v1//admin/articles",
    "//v1/admin/articles",
    "///v1/admin/articles",
    "/v1/ADMIN/articles",
    "/V1/admin/articles",
    "/v1/Admin/articles",
    "/v1/admin;x=1/articles",
    "/v1/admin/articles;x=1",
    "/v1/admin/articles%00",
    "/v1/admin%00/articles",
    "/v1/admin%20/articles",
    "/v1/%EF%BD%81dmin/articles",
    "/v1/%c1%a1dmin/articles",
    "/v1/%u0061dmin/articles",
    "/v1/x/../admin/articles",
    "/v1/./admin/articles",
    "/v1/%2e/admin/articles",
    "/v1/articles/../admin/articles",
    "/v1/articles/%2e%2e/admin/articles",
    "/v1/articles/..%2Fadmin%2Farticles",
    "/v1/articles/..%5cadmin/articles",
    "\\v1\\admin\\articles",
];

/// Status of a request sent byte by byte as written: a client would clean the path up.
fn raw(app: &TestApp, method: &str, path: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(app.address()).expect("the node listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it is answered");
    let line = String::from_utf8_lossy(&answer);
    let status = line.split(' ').nth(1).expect("a status line");
    status.parse().expect("a status")
}

async fn no_spelling_of_a_path_lets_anybody_in(stage: Stage) {
    let app = stage.app().await;
    app.admin().section("港口", json!({})).await;
    let before = databases::rows(&mut app.connect());
    let body = json!({"title": "闯入", "section_id": 1}).to_string();
    for path in SPELLINGS {
        for method in ["GET", "HEAD", "POST"] {
            let status = raw(&app, method, path, &body);
            assert!(
                matches!(status, 400 | 401 | 404 | 405),
                "{method} {path}: {status}"
            );
        }
    }
    for path in [
        "http://x/v1/admin/articles",
        "http://evil.example/v1/%61dmin/articles",
    ] {
        assert!(matches!(raw(&app, "POST", path, &body), 400 | 401 | 404));
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn no_header_changes_the_path_or_the_method(stage: Stage) {
    let app = stage.app().await;
    for (name, value) in [
        ("x-original-url", "/v1/admin/articles"),
        ("x-rewrite-url", "/v1/admin/articles"),
        ("x-forwarded-prefix", "/v1/admin"),
    ] {
        let request = app.request(Method::GET, "/v1/articles").header(name, value);
        request.send().await.ok(200);
    }
    let request = app
        .request(Method::POST, "/v1/articles")
        .header("x-http-method-override", "GET");
    request.send().await.problem(405, "method_not_allowed");
}

async fn no_cache_keeps_what_is_managed(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let article = admin.article("晨渡", section, json!({})).await;
    let (_, token) = session(&app).await;
    let answers = [
        login(&app, ADMIN, PASSWORD).await.ok(200),
        login(&app, ADMIN, "wrong horse battery").await.ok(401),
        refresh(&app, &token).await.ok(200),
        refresh(&app, &token).await.ok(409),
        refresh(&app, "x").await.ok(401),
        app.post("/v1/auth/login", json!({})).await.ok(422),
        app.get("/v1/auth/login").await,
        admin.get("/v1/auth/me").await.ok(200),
        admin.get(LIST).await.ok(200),
        admin.get(&format!("{LIST}/{article}")).await.ok(200),
        admin.get(&format!("{LIST}/987654321")).await.ok(404),
        admin.get(&format!("{LIST}?wat=1")).await.ok(400),
        admin.get(&format!("{LIST}/{article}/hits")).await.ok(200),
        admin.get("/v1/admin/sections").await.ok(200),
        admin.get("/v1/admin/hits").await.ok(200),
        admin.get("/v1/admin/nothing").await.ok(404),
        admin
            .patch(&format!("{LIST}/{article}"), json!({"title": "夜渡"}))
            .await
            .ok(200),
        admin.delete(&format!("{LIST}/{article}")).await.ok(204),
        admin.act("/v1/auth/logout").await.ok(204),
    ];
    for answer in answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

async fn no_spelling_of_sign_in_is_cached_or_shared(stage: Stage) {
    let app = stage.app().await;
    let (_, token) = session(&app).await;
    let login = json!({"email": ADMIN, "password": PASSWORD});
    let refresh = json!({"refresh_token": token});
    for (path, body) in [
        ("/v1/%61uth/login", &login),
        ("/%76%31/auth/login", &login),
        ("/v1/auth/%6cogin", &login),
        ("/v1/%61uth/refresh", &refresh),
    ] {
        let answer = app.post(path, body.clone()).await;
        if answer.status == 200 {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

async fn no_answer_tells_a_secret(stage: Stage) {
    let app = stage.app().await;
    let (access, token) = session(&app).await;
    let hash: String = users::table
        .select(users::password_hash)
        .first(&mut app.connect())
        .expect("the account");
    let secret = "hunter2-hunter2";
    let wrong = |email: Value, password: Value| {
        app.post(
            "/v1/auth/login",
            json!({"email": email, "password": password}),
        )
    };
    let answers = [
        login(&app, ADMIN, PASSWORD).await,
        login(&app, ADMIN, secret).await,
        wrong(json!(7), json!(secret)).await,
        wrong(json!(ADMIN), json!([secret])).await,
        wrong(json!(ADMIN), json!({"is": secret})).await,
        wrong(json!(ADMIN), json!(7_131_719_232_931_i64)).await,
        wrong(json!(ADMIN), json!(7_131_719.25)).await,
        app.post("/v1/auth/login", json!(secret)).await,
        app.post("/v1/auth/refresh", json!(token)).await,
        app.post("/v1/auth/refresh", json!({"token": token})).await,
        refresh(&app, secret).await,
        app.get(&format!("{LIST}?access_token={access}")).await,
        bearing(&app, &format!("{secret}.{secret}.{secret}")).await,
        app.admin().get("/v1/auth/me").await,
        app.admin().get("/v1/admin/hits").await,
        app.admin()
            .get(&format!("{LIST}?access_token={access}"))
            .await,
        app.get("/.well-known/jwks.json").await,
        app.get("/openapi.json").await,
    ];
    for answer in answers {
        let text = format!("{answer} {:?}", answer.headers);
        for told in [
            PASSWORD, secret, &token, &access, &hash, "argon2", "7131719",
        ] {
            assert!(!text.contains(told), "{told} is told: {answer}");
        }
    }
}

crate::facts![
    no_managed_operation_serves_an_anonymous_caller,
    who_is_calling_comes_before_all_else,
    a_known_caller_is_told_what_is_wrong,
    no_spelling_of_a_path_lets_anybody_in,
    no_header_changes_the_path_or_the_method,
    no_cache_keeps_what_is_managed,
    no_spelling_of_sign_in_is_cached_or_shared,
    no_answer_tells_a_secret,
];
