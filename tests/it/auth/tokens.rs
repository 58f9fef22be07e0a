//! Access tokens: good ones, and every kind of bad one.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use diesel::prelude::*;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use lanmu::db::schema::signing_keys;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, PASSWORD, TestApp};
use crate::support::databases::ParseInstant;
use crate::support::stage::Stage;

use super::{LIST, bearing, refused, session, with};

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
pub struct Forge {
    kid: String,
    pkcs8: Vec<u8>,
    token: String,
}

impl Forge {
    /// With the key that the node signs with, and a token of the admin's.
    pub async fn new(app: &TestApp) -> Self {
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
    pub fn with_claim(&self, name: &str, value: Value) -> String {
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

crate::facts![
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
];
