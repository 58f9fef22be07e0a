//! Sign-in, tokens, and who is let in.

use std::io::{Read, Write};
use std::net::TcpStream;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use diesel::prelude::*;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lanmu::db::schema::{signing_keys, users};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, PASSWORD, TestApp};
use crate::support::client::{Answer, Request};
use crate::support::databases::{self, ParseInstant};
use crate::support::stage::Stage;

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

// Signing in.

async fn a_good_sign_in_opens_management(stage: Stage) {
    let app = stage.app().await;
    let answer = login(&app, ADMIN, PASSWORD).await.ok(200);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 900);
    bearing(&app, &tokens(&answer).0).await.ok(200);
}

async fn the_account_is_told_who_it_is(stage: Stage) {
    let app = stage.app().await;
    let me = app.admin().get("/v1/auth/me").await.ok(200);
    assert_eq!(
        me.json,
        json!({"id": 1, "email": ADMIN, "role": "admin", "created_at": NOON})
    );
}

async fn an_email_address_is_compared_without_case(stage: Stage) {
    let app = stage.app().await;
    for email in [
        "ADMIN@example.com",
        "Admin@Example.Com",
        " admin@example.com ",
    ] {
        login(&app, email, PASSWORD).await.ok(200);
    }
}

async fn a_wrong_password_and_an_unknown_account_look_the_same(stage: Stage) {
    let app = stage.app().await;
    diesel::insert_into(users::table)
        .values((
            users::email.eq("gone@example.com"),
            users::email_key.eq("gone@example.com"),
            users::password_hash.eq("no hash at all"),
            users::role.eq("admin"),
            users::disabled.eq(true),
            users::created_at.eq(NOON.parse_instant()),
            users::updated_at.eq(NOON.parse_instant()),
            users::version.eq(1_i64),
        ))
        .execute(&mut app.connect())
        .expect("the account is added");
    let mut bodies = Vec::new();
    for (email, password) in [
        (ADMIN, "wrong horse battery"),
        (ADMIN, "correct horse batter"),
        (ADMIN, "CORRECT HORSE BATTERY"),
        (ADMIN, "correct horse battery "),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("not an address", "x"),
        ("admin@example.com\u{0}", PASSWORD),
        ("' OR 1=1 --", "' OR 1=1 --"),
    ] {
        let answer = login(&app, email, password)
            .await
            .problem(401, "invalid_credentials");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        let mut body = answer.json.clone();
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

async fn a_failed_sign_in_writes_nothing(stage: Stage) {
    let app = stage.app().await;
    let before = databases::rows(&mut app.connect());
    login(&app, ADMIN, "wrong horse battery")
        .await
        .problem(401, "invalid_credentials");
    refresh(&app, "never given out")
        .await
        .problem(401, "invalid_refresh_token");
    assert_eq!(databases::rows(&mut app.connect()), before);
}

// Access tokens.

async fn nobody_without_a_good_token_is_let_in(stage: Stage) {
    let app = stage.app().await;
    let token = app.token().await;
    refused(app.get(LIST).await);
    let basic = STANDARD.encode(format!("{ADMIN}:{PASSWORD}"));
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer null",
        &token,
        &format!("Token {token}"),
        &format!("Basic {basic}"),
        &format!("Basic {token}"),
        &format!("Bearer {token}x"),
        &format!("Bearer x{token}"),
        &format!("Bearer {token} {token}"),
        &format!("Bearer {token}, Bearer {token}"),
        &format!("Bearer \"{token}\""),
        &format!("Bearer {}", "a".repeat(5000)),
    ] {
        refused(with(&app, authorization).await);
    }
    let raw = app
        .request(Method::GET, LIST)
        .raw_header("authorization", b"Bearer \xff\xfe");
    refused(raw.send().await);
    with(&app, &format!("bearer {token}")).await.ok(200);
}

async fn a_token_anywhere_else_is_none(stage: Stage) {
    let app = stage.app().await;
    let token = app.token().await;
    for query in ["access_token", "token", "authorization"] {
        refused(app.get(&format!("{LIST}?{query}={token}")).await);
    }
    for (name, value) in [
        ("cookie", format!("access_token={token}")),
        ("x-authorization", format!("Bearer {token}")),
        ("proxy-authorization", format!("Bearer {token}")),
    ] {
        let request = app.request(Method::GET, LIST).header(name, &value);
        refused(request.send().await);
    }
}

async fn two_authorizations_are_none(stage: Stage) {
    let app = stage.app().await;
    let good = format!("Bearer {}", app.token().await);
    for (first, second) in [
        (&good, &good),
        (&good, &"Bearer x".into()),
        (&"Bearer x".into(), &good),
    ] {
        let request = app
            .request(Method::GET, LIST)
            .header("authorization", first)
            .header("authorization", second);
        refused(request.send().await);
    }
}

async fn a_token_is_good_for_15_minutes(stage: Stage) {
    let app = stage.app().await;
    let (access, _) = session(&app).await;
    app.advance(15 * 60 - 1);
    bearing(&app, &access).await.ok(200);
    app.advance(1 + 5);
    refused(bearing(&app, &access).await);
}

async fn a_token_from_the_future_is_none(stage: Stage) {
    let app = stage.app().await;
    let (access, _) = session(&app).await;
    app.advance(-3600);
    refused(bearing(&app, &access).await);
}

/// What the service signs tokens with, to forge others.
struct Forge {
    kid: String,
    pkcs8: Vec<u8>,
    token: String,
}

impl Forge {
    async fn new(app: &TestApp) -> Self {
        let (kid, pkcs8) = signing_keys::table
            .select((signing_keys::kid, signing_keys::pkcs8))
            .first(&mut app.connect())
            .expect("the key");
        let token = app.token().await;
        Self { kid, pkcs8, token }
    }

    fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.clone());
        header
    }

    fn claims(&self) -> Value {
        part(&self.token, 1)
    }

    fn sign(&self, header: &Header, claims: &Value) -> String {
        let key = EncodingKey::from_ed_der(&self.pkcs8);
        jsonwebtoken::encode(header, claims, &key).expect("a token")
    }

    /// A token with one claim changed; null takes it out.
    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        let object = claims.as_object_mut().expect("claims");
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.to_owned(), value);
        }
        self.sign(&self.header(), &claims)
    }
}

/// A decoded part of a token.
fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", encode(header), encode(claims))
}

async fn a_forged_claim_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let good = forge.sign(&forge.header(), &forge.claims());
    bearing(&app, &good).await.ok(200);
    let now = NOON.parse_instant().millis() / 1000;
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!("another")),
        ("aud", Value::Null),
        ("sub", json!("2")),
        ("sub", json!("admin@example.com")),
        ("sub", json!(1)),
        ("sub", Value::Null),
        ("sid", json!(987_654_321)),
        ("sid", json!("1")),
        ("sid", Value::Null),
        ("exp", json!(now - 5)),
        ("exp", json!("9999999999")),
        ("exp", Value::Null),
        ("iat", json!(now + 3600)),
        ("iat", Value::Null),
        ("nbf", json!(now + 3600)),
    ] {
        let token = forge.with_claim(claim, value.clone());
        let answer = bearing(&app, &token).await;
        assert_eq!(answer.status, 401, "{claim}: {value}: {answer}");
        refused(answer);
    }
}

async fn a_forged_header_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims();
    for (typ, kid) in [
        (Some("JWT"), Some(forge.kid.as_str())),
        (Some("rt+jwt"), Some(&forge.kid)),
        (None, Some(&forge.kid)),
        (Some("at+jwt"), Some("another")),
        (Some("at+jwt"), Some("")),
        (Some("at+jwt"), Some("../../dev/null")),
        (Some("at+jwt"), None),
    ] {
        let mut header = forge.header();
        header.typ = typ.map(ToOwned::to_owned);
        header.kid = kid.map(ToOwned::to_owned);
        refused(bearing(&app, &forge.sign(&header, &claims)).await);
    }
}

async fn a_token_without_our_signature_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims();
    let [head, body, signature] = forge.token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts");
    };
    let pair = Ed25519KeyPair::generate().expect("a key");
    let stranger = EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("its text").as_ref());
    let by_stranger = jsonwebtoken::encode(&forge.header(), &claims, &stranger).expect("a token");
    let mut altered = claims.clone();
    altered["sub"] = json!("1 ");
    let other_body = URL_SAFE_NO_PAD.encode(altered.to_string());
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    flipped[0] ^= 1;
    let flipped = URL_SAFE_NO_PAD.encode(flipped);
    let stranger_signature = by_stranger.rsplit('.').next().expect("a signature");
    for token in [
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{head}.{other_body}.{signature}"),
        format!("{head}.{body}.{flipped}"),
        format!("{head}.{body}.{stranger_signature}"),
        format!("{head}.{body}.{}", "A".repeat(86)),
        by_stranger.clone(),
    ] {
        refused(bearing(&app, &token).await);
    }
}

async fn another_algorithm_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims();
    for alg in ["none", "None", "NONE", "nOnE", "", "EdDSA"] {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": forge.kid});
        refused(bearing(&app, &unsigned(&header, &claims)).await);
    }
    let jwks = app.get("/.well-known/jwks.json").await.ok(200);
    let text = jwks["keys"][0]["x"].as_str().expect("a key").to_owned();
    let public = URL_SAFE_NO_PAD.decode(&text).expect("base64url");
    let spki = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&forge.pkcs8)
        .expect("the key")
        .public_key()
        .as_der()
        .expect("its DER")
        .as_ref()
        .to_vec();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&spki)
    );
    for secret in [
        public.as_slice(),
        text.as_bytes(),
        &spki,
        pem.as_bytes(),
        b"",
    ] {
        for algorithm in [Algorithm::HS256, Algorithm::HS512] {
            let mut header = forge.header();
            header.alg = algorithm;
            let key = EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&header, &claims, &key).expect("a token");
            refused(bearing(&app, &token).await);
        }
    }
}

async fn the_published_key_checks_the_token(stage: Stage) {
    let app = stage.app().await;
    let token = app.token().await;
    let jwks = app.get("/.well-known/jwks.json").await.ok(200);
    let key = &jwks["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
        (
            &json!("OKP"),
            &json!("Ed25519"),
            &json!("EdDSA"),
            &json!("sig")
        )
    );
    let members = key.as_object().expect("a key");
    assert!(!members.contains_key("d"), "the private key is private");
    let header = jsonwebtoken::decode_header(&token).expect("a header");
    assert_eq!(header.kid.as_deref(), key["kid"].as_str());
    assert_eq!(
        (header.typ.as_deref(), header.alg),
        (Some("at+jwt"), Algorithm::EdDSA)
    );
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_audience(&["lanmu"]);
    validation.set_issuer(&["https://www.example.com"]);
    let x = key["x"].as_str().expect("a key");
    let decoding = DecodingKey::from_ed_components(x).expect("a key");
    let claims = jsonwebtoken::decode::<Value>(&token, &decoding, &validation)
        .expect("our signature")
        .claims;
    for claim in ["iss", "aud", "sub", "sid", "iat", "exp"] {
        assert!(!claims[claim].is_null(), "{claim}");
    }
    let number = |claim: &str| claims[claim].as_i64().expect("a number");
    assert_eq!(number("exp") - number("iat"), 900);
    let personal = claims.to_string();
    assert!(!personal.contains(ADMIN), "{personal}");
}

// Sessions.

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
    let answers = join_all((0..8).map(|n| refresh(&nodes[n % 2], &first))).await;
    let good: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
    assert_eq!(good.len(), 1);
    assert!(answers.iter().all(|a| matches!(a.status, 200 | 409)));
    let (access, second) = tokens(good[0]);
    bearing(&nodes[1], &access).await.ok(200);
    refresh(&nodes[1], &second).await.ok(200);
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

// Keys.

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

// Every operation.

/// Method and path of every managed operation, with the path's parameters filled in.
fn managed_operations() -> Vec<(Method, String)> {
    let document: Value = serde_json::from_str(&lanmu::openapi::pretty()).expect("JSON");
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let is_secured = operation["security"] != json!([]);
            assert_eq!(
                is_secured,
                path.starts_with("/v1/admin")
                    || matches!(path.as_str(), "/v1/auth/me" | "/v1/auth/logout"),
                "{method} {path}"
            );
            if is_secured {
                let method = method.to_uppercase().parse().expect("a method");
                let filled = path.replace("{id}", "1").replace("{external_id}", "x-1");
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

// What answers tell.

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
    a_good_sign_in_opens_management,
    the_account_is_told_who_it_is,
    an_email_address_is_compared_without_case,
    a_wrong_password_and_an_unknown_account_look_the_same,
    a_failed_sign_in_writes_nothing,
    nobody_without_a_good_token_is_let_in,
    a_token_anywhere_else_is_none,
    two_authorizations_are_none,
    a_token_is_good_for_15_minutes,
    a_token_from_the_future_is_none,
    a_forged_claim_is_refused,
    a_forged_header_is_refused,
    a_token_without_our_signature_is_refused,
    another_algorithm_is_refused,
    the_published_key_checks_the_token,
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
    no_managed_operation_serves_an_anonymous_caller,
    who_is_calling_comes_before_all_else,
    a_known_caller_is_told_what_is_wrong,
    no_spelling_of_a_path_lets_anybody_in,
    no_header_changes_the_path_or_the_method,
    no_cache_keeps_what_is_managed,
    no_spelling_of_sign_in_is_cached_or_shared,
    no_answer_tells_a_secret,
];
