//! Rotation of the signing key, as running nodes and their callers see it.

use std::rc::Rc;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use diesel::prelude::*;
use lanmu::auth::{self, Begin, Rotated};
use lanmu::db::schema::signing_keys;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::databases;
use crate::support::stage::Stage;
use crate::support::statements::{Watch, looks_keys_up};

use super::forge::{Forge, part};
use super::{bearing, refresh, refused, session, tokens};

const OVERLAP: i64 = 600;

/// What `lanmu key rotate` does, at the node's instant.
async fn rotate(app: &TestApp, begin: Begin) -> Rotated {
    let now = app.now();
    app.app
        .db
        .write(move |conn| auth::rotate_keys(conn, now, begin))
        .await
        .expect("the keys are rotated")
}

/// The ids of the keys that a node publishes.
async fn published(app: &TestApp) -> Vec<String> {
    let jwks = app.get("/.well-known/jwks.json").await.ok(200);
    assert_eq!(jwks.header("cache-control"), Some("public, max-age=300"));
    let keys = jwks["keys"].as_array().expect("keys");
    let kid = |key: &serde_json::Value| key["kid"].as_str().expect("an id").to_owned();
    keys.iter().map(kid).collect()
}

/// The id of the key that signed a token.
fn signer(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("an id").to_owned()
}

fn advance(nodes: &[Rc<TestApp>], seconds: i64) {
    for node in nodes {
        node.advance(seconds);
    }
}

async fn reload(nodes: &[Rc<TestApp>]) {
    for node in nodes {
        auth::reload_keys(&node.app).await.expect("they are read");
    }
}

async fn a_new_key_is_known_before_it_signs_and_the_old_one_fades(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let (first, _) = session(&nodes[0]).await;
    let old = signer(&first);
    let new = rotate(&nodes[0], Begin::After(OVERLAP)).await;
    assert_eq!(new.signs_from, nodes[0].now().plus_seconds(OVERLAP));
    assert!(new.deleted.is_empty());
    reload(&nodes).await;
    advance(&nodes, OVERLAP - 1);
    let (last, token) = session(&nodes[1]).await;
    assert_eq!(signer(&last), old);
    for node in &nodes {
        assert_eq!(published(node).await, [old.clone(), new.kid.clone()]);
    }
    advance(&nodes, 1);
    let (newer, _) = tokens(&refresh(&nodes[0], &token).await.ok(200));
    assert_eq!(signer(&newer), new.kid);
    for node in &nodes {
        bearing(node, &newer).await.ok(200);
        bearing(node, &first).await.ok(200);
        bearing(node, &last).await.ok(200);
        assert_eq!(published(node).await, [old.clone(), new.kid.clone()]);
    }
    // The last token of the old key is good to its end, with the leeway, and not longer.
    advance(&nodes, 900 - 1 + 4);
    for node in &nodes {
        bearing(node, &last).await.ok(200);
        assert_eq!(published(node).await.len(), 2);
    }
    advance(&nodes, 2);
    for node in &nodes {
        refused(bearing(node, &last).await);
        assert_eq!(published(node).await, [new.kid.as_str()]);
    }
    let (access, _) = session(&nodes[1]).await;
    assert_eq!(signer(&access), new.kid);
}

async fn a_key_that_signs_no_more_is_good_for_no_new_token_later(stage: Stage) {
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    rotate(&app, Begin::After(OVERLAP)).await;
    app.advance(OVERLAP + 905);
    let now = app.now().millis() / 1000;
    let mut claims = forge.claims();
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + 900);
    let token = forge.sign(&forge.header(), &claims);
    // Until it has heard of the new key, a node trusts the old one.
    bearing(&app, &token).await.ok(200);
    auth::reload_keys(&app.app).await.expect("they are read");
    refused(bearing(&app, &token).await);
}

async fn a_clock_that_is_ahead_signs_first_and_is_understood(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let new = rotate(&nodes[0], Begin::After(OVERLAP)).await;
    reload(&nodes).await;
    advance(&nodes, OVERLAP - 4);
    nodes[1].advance(4);
    let (access, _) = session(&nodes[1]).await;
    assert_eq!(signer(&access), new.kid);
    bearing(&nodes[0], &access).await.ok(200);
}

async fn a_leaked_key_ends_at_once_on_every_node(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let (access, token) = session(&nodes[0]).await;
    let forge = Forge::new(&nodes[0]).await;
    rotate(&nodes[0], Begin::After(OVERLAP)).await;
    let (coming, old) = (rotate(&nodes[0], Begin::Now).await, signer(&access));
    assert_eq!(coming.deleted.len(), 2);
    assert!(coming.deleted.contains(&old));
    // No node has read the keys anew, and yet each refuses what the old one signed.
    for node in &nodes {
        refused(bearing(node, &access).await);
        let forged = forge.sign(&forge.header(), &forge.claims());
        refused(bearing(node, &forged).await);
    }
    // A second later no node signs with it any more.
    advance(&nodes, 1);
    let (newer, _) = tokens(&refresh(&nodes[1], &token).await.ok(200));
    assert_eq!(signer(&newer), coming.kid);
    for node in &nodes {
        bearing(node, &newer).await.ok(200);
        assert_eq!(published(node).await, [coming.kid.as_str()]);
    }
}

async fn the_ring_survives_a_restart(stage: Stage) {
    let app = stage.app().await;
    let (access, _) = session(&app).await;
    let new = rotate(&app, Begin::After(OVERLAP)).await;
    app.stop().await;
    let app = stage.app().await;
    assert_eq!(published(&app).await, [signer(&access), new.kid.clone()]);
    bearing(&app, &access).await.ok(200);
    app.advance(OVERLAP);
    assert_eq!(signer(&session(&app).await.0), new.kid);
    bearing(&app, &access).await.ok(200);
}

async fn one_new_key_comes_at_a_time(stage: Stage) {
    let app = stage.app().await;
    let new = rotate(&app, Begin::After(OVERLAP)).await;
    let now = app.now();
    let second = app
        .app
        .db
        .write(move |conn| auth::rotate_keys(conn, now, Begin::After(OVERLAP)));
    let error = second.await.expect_err("one is coming");
    assert!(error.to_string().contains(&new.kid), "{error}");
    app.advance(OVERLAP);
    rotate(&app, Begin::After(OVERLAP)).await;
}

async fn keys_that_are_long_past_are_deleted(stage: Stage) {
    let app = stage.app().await;
    let new = rotate(&app, Begin::After(OVERLAP)).await;
    let kept = || -> Vec<String> {
        let kids = signing_keys::table.select(signing_keys::kid);
        kids.load(&mut app.connect()).expect("the keys")
    };
    app.advance(OVERLAP + 905 + 3599);
    auth::tidy(&app.app).await.expect("it is tidied");
    assert_eq!(kept().len(), 2);
    app.advance(1);
    auth::tidy(&app.app).await.expect("it is tidied");
    assert_eq!(kept(), [new.kid.as_str()]);
    // The last one stays, however old.
    app.advance(400 * 86_400);
    auth::tidy(&app.app).await.expect("it is tidied");
    assert_eq!(kept(), [new.kid]);
}

async fn an_unknown_key_is_looked_for_once_a_second(stage: Stage) {
    let watch = Watch::begin(&stage.url());
    let app = stage.app().await;
    let forge = Forge::new(&app).await;
    app.advance(1);
    watch.take_all();
    for second in 0..3 {
        for n in 0..10 {
            let kid = URL_SAFE_NO_PAD.encode([second * 10 + n; 32]);
            let header = forge.header_with("kid", json!(kid)).to_string();
            let token = forge.sign_texts(&header, &forge.claims().to_string());
            refused(bearing(&app, &token).await);
        }
        // The node may have looked by itself, too.
        let sent = watch.take_all();
        assert!((1..=2).contains(&sent.len()), "{sent:?}");
        assert!(sent.iter().all(|sql| looks_keys_up(sql)), "{sent:?}");
        app.advance(1);
    }
    // What is no token of ours costs nothing at all.
    let no_type = forge.header_with("typ", json!("JWT")).to_string();
    for token in ["x", "a.b.c", &forge.sign_texts(&no_type, "{}")] {
        refused(bearing(&app, token).await);
    }
    assert!(watch.take_all().len() <= 1);
    // A good one costs one query, the state of its key included.
    let (access, _) = session(&app).await;
    watch.take();
    let me = app
        .request(reqwest::Method::GET, "/v1/auth/nothing")
        .header("authorization", &format!("Bearer {access}"));
    me.send().await.ok(404);
    assert_eq!(watch.take().len(), 1);
}

async fn a_key_that_another_node_made_is_found_by_its_first_token(stage: Stage) {
    let nodes = [stage.app().await, stage.app().await];
    let new = rotate(&nodes[0], Begin::Now).await;
    advance(&nodes, 1);
    let (access, _) = session(&nodes[0]).await;
    assert_eq!(signer(&access), new.kid);
    // Many at once: the first reads the keys, the others wait for it.
    let asked = (0..8).map(|_| bearing(&nodes[1], &access));
    for answer in futures_util::future::join_all(asked).await {
        answer.ok(200);
    }
}

async fn keys_that_are_gone_are_made_anew(stage: Stage) {
    let app = stage.app().await;
    let (access, _) = session(&app).await;
    diesel::delete(signing_keys::table)
        .execute(&mut app.connect())
        .expect("the keys go");
    refused(bearing(&app, &access).await);
    app.advance(1);
    let (newer, _) = session(&app).await;
    assert_ne!(signer(&newer), signer(&access));
    bearing(&app, &newer).await.ok(200);
}

/// A private key in PEM.
fn pem() -> String {
    let pair = Ed25519KeyPair::generate().expect("a key");
    let text = STANDARD.encode(pair.to_pkcs8v1().expect("its text").as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

async fn a_file_may_hold_several_keys_and_the_first_signs(stage: Stage) {
    let folder = databases::scratch();
    let path = folder.path().join("keys.pem");
    let file = path.display().to_string();
    let settings = [("LANMU_SIGNING_KEY_FILE", file.as_str())];
    let (old, new) = (pem(), pem());
    let mut seen = Vec::new();
    let mut signed = Vec::new();
    let steps = [
        old.clone(),
        format!("{old}# the next one\n{new}"),
        format!("{new}{old}"),
        new.clone(),
    ];
    for text in steps {
        std::fs::write(&path, text).expect("the file is written");
        let node = stage.with(&settings).await;
        seen.push(published(&node).await);
        signed.push(session(&node).await.0);
        if signed.len() < 4 {
            for token in &signed {
                bearing(&node, token).await.ok(200);
            }
        } else {
            refused(bearing(&node, &signed[0]).await);
            bearing(&node, &signed[2]).await.ok(200);
        }
    }
    let (first, second) = (signer(&signed[0]), signer(&signed[3]));
    assert_eq!(
        signed.iter().map(|token| signer(token)).collect::<Vec<_>>(),
        [first.clone(), first.clone(), second.clone(), second.clone()]
    );
    let both = [first.clone(), second.clone()];
    let turned = [second.clone(), first.clone()];
    assert_eq!(seen[0], both[..1]);
    assert_eq!(seen[1], both);
    assert_eq!(seen[2], turned);
    assert_eq!(seen[3], turned[..1]);
}

crate::facts![
    a_new_key_is_known_before_it_signs_and_the_old_one_fades,
    a_key_that_signs_no_more_is_good_for_no_new_token_later,
    a_clock_that_is_ahead_signs_first_and_is_understood,
    a_leaked_key_ends_at_once_on_every_node,
    the_ring_survives_a_restart,
    one_new_key_comes_at_a_time,
    keys_that_are_long_past_are_deleted,
    an_unknown_key_is_looked_for_once_a_second,
    a_key_that_another_node_made_is_found_by_its_first_token,
    keys_that_are_gone_are_made_anew,
    a_file_may_hold_several_keys_and_the_first_signs,
];
