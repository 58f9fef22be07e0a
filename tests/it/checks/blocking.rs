//! What the settings name keeps articles from being published, whichever way that is asked for.

use reqwest::Method;
use serde_json::{Value, json};

use super::draft;
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::stage::Stage;

const ARTICLES: &str = "/v1/admin/articles";

/// Settings under which 暗礁 and scripts in links keep an article from being published.
fn strict(folder: &std::path::Path) -> Vec<(&'static str, String)> {
    let file = folder.join("words.txt");
    std::fs::write(&file, "暗礁\n").expect("it is written");
    vec![
        ("LANMU_CHECK_WORDS_FILE", file.display().to_string()),
        (
            "LANMU_CHECK_BLOCKS",
            "listed_word,javascript_link".to_owned(),
        ),
    ]
}

fn as_settings<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect()
}

#[track_caller]
fn is_blocked(answer: Answer, pointer: &str) {
    let answer = answer.problem(422, "validation_failed");
    let faults = answer.faults();
    assert_eq!(
        faults,
        [(pointer.to_owned(), "check_failed".to_owned())],
        "{answer}"
    );
}

async fn no_way_to_publish_leads_around_it(stage: Stage) {
    let folder = databases::scratch();
    let settings = strict(folder.path());
    let app = stage.with(&as_settings(&settings)).await;
    let admin = app.admin();
    let id = draft(&app, "text", "船过暗礁。").await;
    let one = format!("{ARTICLES}/{id}");
    let content = "/body/content";
    is_blocked(admin.act(&format!("{one}/publish")).await, content);
    let later = json!({"published_at": "2026-06-01T00:00:00Z"});
    is_blocked(admin.post(&format!("{one}/publish"), later).await, content);
    let body = json!({
        "title": "暗礁", "section_id": 1, "publish": {},
        "body": {"format": "html", "content": "<p>船</p>"},
    });
    is_blocked(admin.post(ARTICLES, body.clone()).await, "/title");
    is_blocked(
        admin
            .post(&format!("{ARTICLES}?dry_run=true"), body.clone())
            .await,
        "/title",
    );
    is_blocked(
        admin.put("/v1/admin/external-articles/x", body).await,
        "/title",
    );
    let bulk = json!({"action": "publish", "ids": [id]});
    let done = admin.post(&format!("{ARTICLES}/bulk"), bulk).await.ok(200);
    assert_eq!(
        done["data"][0]["error"]["errors"][0]["code"],
        "check_failed"
    );
    // Written it may be, and published once it is mended.
    admin
        .patch(&one, json!({"title": "暗礁之外"}))
        .await
        .ok(200);
    let mended = json!({"title": "船", "body": {"content": "船过。"}});
    admin.patch(&one, mended).await.ok(200);
    admin.act(&format!("{one}/publish")).await.ok(200);
    // What is public is kept from it, too.
    let link = json!({"body": {"format": "html", "content": "<a href=\"javascript:x()\">船</a>"}});
    is_blocked(admin.patch(&one, link).await, content);
    let restored = admin.act(&format!("{one}/revisions/2/restore")).await;
    let restored = restored.problem(422, "validation_failed");
    assert!(
        restored
            .faults()
            .iter()
            .all(|fault| fault.1 == "check_failed")
    );
}

async fn what_is_public_already_can_be_mended_bit_by_bit(stage: Stage) {
    let lax = stage.app().await;
    let id = draft(&lax, "text", "暗礁，暗礁。").await;
    let one = format!("{ARTICLES}/{id}");
    lax.admin().act(&format!("{one}/publish")).await.ok(200);
    let folder = databases::scratch();
    let settings = strict(folder.path());
    let app = stage.with(&as_settings(&settings)).await;
    let admin = app.admin();
    admin.patch(&one, json!({"tags": ["海"]})).await.ok(200);
    let half = json!({"body": {"content": "暗礁。"}});
    admin.patch(&one, half).await.ok(200);
    let worse = json!({"body": {"content": "暗礁，暗礁。"}});
    let answer = admin
        .patch(&one, worse)
        .await
        .problem(422, "validation_failed");
    assert!(
        answer
            .faults()
            .iter()
            .all(|fault| fault.1 == "check_failed")
    );
}

async fn publishing_tells_what_a_check_finds(stage: Stage) {
    let app = stage.app().await;
    let id = draft(
        &app,
        "html",
        "<p>船<img src=\"https://a.example/1.png\"></p>",
    )
    .await;
    let path = format!("{ARTICLES}/{id}");
    let found = app.admin().act(&format!("{path}/check")).await.ok(200);
    let published = app.admin().act(&format!("{path}/publish")).await.ok(200);
    assert_eq!(published["warnings"], found["data"]);
    assert_eq!(published["warnings"][0]["code"], "image_without_alt");
    let again = app
        .admin()
        .request(Method::GET, &path)
        .await
        .send()
        .await
        .ok(200);
    assert_eq!(again["warnings"], Value::Null);
    assert_eq!(again["version"], published["version"]);
}

crate::facts![
    no_way_to_publish_leads_around_it,
    what_is_public_already_can_be_mended_bit_by_bit,
    publishing_tells_what_a_check_finds,
];
