//! Tokens that nobody was given.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use diesel::prelude::*;
use lanmu::db::schema::secrets;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{a_draft, assert_gone, assert_unkept, link, place, shown};

/// What is signed of a token, in bytes: layout, article, end, serial.
const SIGNED: usize = 25;

fn bytes_of(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token).expect("base64url")
}

fn text_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// These bytes signed with the service's own key.
fn signed(app: &TestApp, bytes: &[u8]) -> String {
    let key: Vec<u8> = secrets::table
        .find("preview_links")
        .select(secrets::value)
        .first(&mut app.connect())
        .expect("the key");
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), bytes);
    text_of(&[bytes, mac.as_ref()].concat())
}

async fn no_byte_of_a_token_can_be_changed(stage: Stage) {
    let app = stage.with(&[("LANMU_RATE_LIMIT", "off")]).await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let bytes = bytes_of(&token);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert_gone(&app, &text_of(&changed)).await;
    }
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_gone(&app, &changed).await;
    }
    shown(&app, &token).await;
}

async fn a_link_of_one_article_never_shows_another(stage: Stage) {
    let app = stage.app().await;
    let first = a_draft(&app).await;
    let second = app.admin().draft("夜渡", 1, json!({})).await;
    let third = app.admin().draft("午渡", 1, json!({})).await;
    let links = [link(&app, first).await, link(&app, second).await];
    let [one, two] = [bytes_of(&links[0]), bytes_of(&links[1])];
    let id = |bytes: &[u8]| bytes[1..9].to_vec();
    // The other one's id, alone or with its serial, under the one's signature.
    let swapped = [&one[..1], &id(&two), &one[9..]].concat();
    let mixed = [&two[..SIGNED], &one[SIGNED..]].concat();
    for forged in [&swapped, &mixed] {
        assert_gone(&app, &text_of(forged)).await;
    }
    // Not even well signed: the serial is that of another article's link, or of none.
    for other in [second, third, 987_654_321, 0, -1, i64::MAX, i64::MIN] {
        let bytes = [&one[..1], &other.to_be_bytes(), &one[9..SIGNED]].concat();
        assert_gone(&app, &signed(&app, &bytes)).await;
    }
    assert_eq!(signed(&app, &one[..SIGNED]), links[0]);
    assert_eq!(shown(&app, &links[0]).await["id"], first);
}

async fn an_end_that_was_not_given_is_not_believed(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let bytes = bytes_of(&token);
    let end = i64::from_be_bytes(bytes[9..17].try_into().expect("eight bytes"));
    for other in [
        end - 1,
        end + 1,
        end + 86_400,
        0,
        -1,
        253_402_214_399,
        i64::MAX,
        i64::MIN,
    ] {
        let bytes = [&bytes[..9], &other.to_be_bytes(), &bytes[17..SIGNED]].concat();
        assert_gone(&app, &signed(&app, &bytes)).await;
    }
    let mut layout = bytes[..SIGNED].to_vec();
    layout[0] = 2;
    assert_gone(&app, &signed(&app, &layout)).await;
    shown(&app, &token).await;
}

async fn a_hostile_text_is_no_token(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    // Before there is a key, and after.
    for has_key in [false, true] {
        for text in [
            "x",
            "-",
            "null",
            "..%2F..",
            "%00",
            "%ff",
            "%c0%af",
            "%ed%a0%80",
            "%zz",
            "%25",
            "%20",
            "港",
            "%E6%B8%AF",
            "a%2Fb",
            "a+b",
            "====",
            "'%20OR%201=1",
            "<script>",
            "{token}",
            "lanmu_x",
            "eyJhbGciOiJub25lIn0.e30.",
            &"A".repeat(76),
            &"_".repeat(76),
            &"%E6%B8%AF".repeat(25),
            &"A".repeat(8000),
            &"%41".repeat(76),
        ] {
            let answer = app.get(&place(text)).await;
            assert_eq!(answer["detail"], "there is no such preview", "{text:.40}");
            super::assert_none(answer);
        }
        for path in ["/v1/preview/", "/v1/preview//", "/v1/preview/a/b"] {
            let answer = app.get(path).await.problem(404, "not_found");
            assert_unkept(&answer);
        }
        if !has_key {
            link(&app, id).await;
        }
    }
}

async fn a_token_in_another_form_is_none(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let token = link(&app, id).await;
    let bytes = bytes_of(&token);
    // 57 bytes need no padding; whoever pads them all the same has another text.
    for text in [
        format!("{token}="),
        format!("{token}%3D%3D"),
        format!("{token}%20"),
        format!("%20{token}"),
        format!("{token}%0A"),
        format!("{token}A"),
        format!("{token}AAAA"),
        format!("{token}.."),
        token[1..].to_owned(),
        token[..token.len() - 1].to_owned(),
        token[..token.len() - 4].to_owned(),
        text_of(&bytes[..SIGNED]),
        text_of(&[&bytes[..], &[0]].concat()),
        bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        assert_gone(&app, &text).await;
    }
    // The other alphabet differs only where the token has its letters.
    assert_eq!(URL_SAFE.encode(&bytes), token);
    let standard = STANDARD.encode(&bytes);
    if standard != token {
        let text = standard.replace('+', "%2B").replace('/', "%2F");
        assert_gone(&app, &text).await;
    }
    shown(&app, &token).await;
}

crate::facts![
    no_byte_of_a_token_can_be_changed,
    a_link_of_one_article_never_shows_another,
    an_end_that_was_not_given_is_not_believed,
    a_hostile_text_is_no_token,
    a_token_in_another_form_is_none,
];
