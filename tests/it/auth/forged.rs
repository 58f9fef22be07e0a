//! Tokens that tell about their own key, have claims of the wrong kind, or have too many parts.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use jsonwebtoken::EncodingKey;
use lanmu::auth::Role;
use lanmu::db::schema::users;
use lanmu::users::add_user;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, PASSWORD};
use crate::support::databases::ParseInstant;
use crate::support::stage::Stage;

use super::forge::{Forge, part};
use super::{bearing, refresh, refused, session};

async fn a_header_that_tells_of_a_key_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims().to_string();
    let ours = app.get("/.well-known/jwks.json").await.ok(200)["keys"][0].clone();
    bearing(&app, &forge.sign_claims(&claims)).await.ok(200);
    for (member, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        (
            "jku",
            json!("https://www.example.com/.well-known/jwks.json"),
        ),
        ("jwk", ours),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5c", json!([])),
        ("x5t", json!("dGh1bWI")),
        ("x5t#S256", json!("dGh1bWI")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("kid", json!([forge.kid])),
        ("kid", json!(7)),
        ("typ", json!("application/at+jwt")),
        ("typ", json!("AT+JWT")),
        ("typ", json!(["at+jwt"])),
        ("alg", json!("eddsa")),
        ("alg", json!("Ed25519")),
        ("alg", json!("ES256")),
    ] {
        let header = forge.header_with(member, value.clone()).to_string();
        let answer = bearing(&app, &forge.sign_texts(&header, &claims)).await;
        assert_eq!(answer.status, 401, "{member}: {value}: {answer}");
        refused(answer);
    }
    let null = forge.header_with("jku", json!("")).to_string();
    let null = null.replace("\"jku\":\"\"", "\"jku\":null");
    assert!(null.contains("null"), "{null}");
    refused(bearing(&app, &forge.sign_texts(&null, &claims)).await);
}

async fn a_strangers_key_in_the_token_is_not_taken(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims();
    let pair = Ed25519KeyPair::generate().expect("a key");
    let stranger = EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("its text").as_ref());
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    for kid in [forge.kid.as_str(), "stranger"] {
        let mut header = forge.header();
        header.kid = Some(kid.to_owned());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x, "kid": kid});
        let plain = jsonwebtoken::encode(&header, &claims, &stranger).expect("a token");
        header.jwk = Some(serde_json::from_value(jwk).expect("a JWK"));
        let carried = jsonwebtoken::encode(&header, &claims, &stranger).expect("a token");
        header.jwk = None;
        header.jku = Some("https://evil.example/jwks.json".to_owned());
        let told = jsonwebtoken::encode(&header, &claims, &stranger).expect("a token");
        for token in [plain, carried, told] {
            refused(bearing(&app, &token).await);
        }
    }
}

async fn a_key_id_is_only_compared(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims().to_string();
    for kid in [
        "../../../../etc/passwd",
        "/dev/null",
        "file:///dev/null",
        "' OR '1'='1",
        "x' UNION SELECT 'secret' --",
        "'; DROP TABLE signing_keys; --",
        "| cat /etc/passwd",
        "\u{0}",
        "钥匙",
        &format!("{} ", forge.kid),
        &forge.kid[1..],
        &"k".repeat(20_000),
    ] {
        // Each time the keys may be looked up again.
        app.advance(1);
        let header = forge.header_with("kid", json!(kid)).to_string();
        refused(bearing(&app, &forge.sign_texts(&header, &claims)).await);
    }
    bearing(&app, &forge.token).await.ok(200);
}

async fn a_claim_of_the_wrong_kind_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let now = NOON.parse_instant().millis() / 1000;
    for (claim, value) in [
        ("exp", json!((now + 60).to_string())),
        ("exp", json!(now as f64 + 60.5)),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(i64::MIN)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(1e300)),
        ("exp", json!(true)),
        ("exp", json!([now + 60])),
        ("exp", json!(now + 3600)),
        ("iat", json!(i64::MIN)),
        ("iat", json!(i64::MAX)),
        ("iat", json!(now as f64 + 0.5)),
        ("nbf", json!("soon")),
        ("nbf", json!(i64::MAX)),
        ("sub", json!("+1")),
        ("sub", json!("01")),
        ("sub", json!("1 ")),
        ("sub", json!(["1"])),
        ("sid", json!(1.5)),
        ("iss", json!(["https://www.example.com"])),
        ("iss", json!("https://www.example.com/")),
        ("iss", json!("lanmu")),
        ("aud", json!(["lanmu"])),
        ("aud", json!(["lanmu", "another"])),
        ("aud", json!("Lanmu")),
        ("aud", json!("")),
    ] {
        let token = forge.with_claim(claim, value.clone());
        let answer = bearing(&app, &token).await;
        assert_eq!(answer.status, 401, "{claim}: {value}: {answer}");
        refused(answer);
    }
}

async fn a_member_that_comes_twice_is_refused(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let claims = forge.claims().to_string();
    let header = forge.header_with("", Value::Null).to_string();
    let twice = |text: &str, member: &str, value: &Value| {
        let rest = text.strip_prefix('{').expect("an object");
        format!("{{\"{member}\":{value},{rest}")
    };
    let ours = forge.claims();
    for claim in ["iss", "aud", "sub", "sid", "iat", "exp"] {
        for value in [&ours[claim], &json!(2), &json!("2")] {
            let token = forge.sign_claims(&twice(&claims, claim, value));
            refused(bearing(&app, &token).await);
        }
    }
    for (member, value) in [
        ("kid", json!(forge.kid)),
        ("kid", json!("another")),
        ("alg", json!("EdDSA")),
        ("alg", json!("none")),
        ("typ", json!("at+jwt")),
    ] {
        let token = forge.sign_texts(&twice(&header, member, &value), &claims);
        refused(bearing(&app, &token).await);
    }
}

async fn a_token_has_three_parts_of_json(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    let good = &forge.token;
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts");
    };
    let header = forge.header_with("", Value::Null).to_string();
    for token in [
        format!("{head}.{body}.{signature}.{signature}"),
        format!("{head}.{body}.{signature}.{body}.{signature}"),
        format!("{head}..{body}.{signature}"),
        format!("{head}.{head}.{body}.{signature}.x"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}="),
        forge.sign_claims(good),
        forge.sign_claims(&json!(good).to_string()),
        forge.sign_claims("null"),
        forge.sign_claims("[]"),
        forge.sign_claims("{}"),
        forge.sign_claims(""),
        forge.sign_texts("null", &forge.claims().to_string()),
        forge.sign_texts(&format!("[{header}]"), &forge.claims().to_string()),
        forge.sign_texts(&format!("{header}{header}"), &forge.claims().to_string()),
    ] {
        refused(bearing(&app, &token).await);
    }
    bearing(&app, good).await.ok(200);
}

async fn the_issuer_is_a_setting(stage: Stage) {
    let site = stage.app().await;
    let named = stage
        .with(&[("LANMU_TOKEN_ISSUER", "https://api.example.com")])
        .await;
    let plain = stage.with(&[("LANMU_SITE_URL", "")]).await;
    for (index, node) in [&site, &named, &plain].into_iter().enumerate() {
        let (access, _) = session(node).await;
        let issuer = part(&access, 1)["iss"].clone();
        let expected = [
            "https://www.example.com",
            "https://api.example.com",
            "lanmu",
        ];
        assert_eq!(issuer, expected[index]);
        for (other, node) in [&site, &named, &plain].into_iter().enumerate() {
            let answer = bearing(node, &access).await;
            assert_eq!(answer.status == 200, index == other, "{answer}");
        }
    }
}

async fn an_account_that_came_back_is_another_one(stage: Stage) {
    let app = stage.app().await;
    let (access, old) = session(&app).await;
    let first = part(&access, 1)["sub"].clone();
    let conn = &mut app.connect();
    diesel::delete(users::table.filter(users::email.eq(ADMIN)))
        .execute(conn)
        .expect("the account goes");
    let added = add_user(conn, ADMIN, Role::Admin, PASSWORD, app.now()).expect("it comes back");
    assert_ne!(first, added.to_string());
    refused(bearing(&app, &access).await);
    refresh(&app, &old)
        .await
        .problem(401, "invalid_refresh_token");
    let (newer, _) = session(&app).await;
    let me = app
        .request(Method::GET, "/v1/auth/me")
        .header("authorization", &format!("Bearer {newer}"));
    assert_eq!(me.send().await.ok(200)["id"], added);
}

crate::facts![
    a_header_that_tells_of_a_key_is_refused,
    a_strangers_key_in_the_token_is_not_taken,
    a_key_id_is_only_compared,
    a_claim_of_the_wrong_kind_is_refused,
    a_member_that_comes_twice_is_refused,
    a_token_has_three_parts_of_json,
    the_issuer_is_a_setting,
    an_account_that_came_back_is_another_one,
];
