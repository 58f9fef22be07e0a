//! Nothing that is not public gets out: every text of every article is a canary, and everything that
//! can be read without a caller is searched for those that must not sing.

mod crawl;
mod model;

use serde_json::{Value, json};

use self::crawl::crawl;
use self::model::Model;
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::stage::Stage;

/// A text that stands nowhere else.
fn canary(number: usize) -> String {
    format!("zq{number}xj")
}

/// An article all of whose texts are its canary.
fn singing(number: usize, section: i64, also_in: &[i64]) -> Value {
    let word = canary(number);
    let text = |what: &str| format!("{what} {word}");
    json!({
        "title": text("晨渡"), "slug": format!("slug-{word}"), "section_id": section,
        "also_in": also_in, "subtitle": text("副题"), "short_title": text("短题"),
        "summary": text("摘要"), "source": {"name": text("来源"), "url": null},
        "author": text("作者"), "editor": text("编辑"), "keywords": [word], "tags": [word],
        "cover": {"url": format!("/img/{word}.png"), "alt": text("图")},
        "external_url": format!("https://a.example/{word}"),
        "canonical_url": format!("https://b.example/{word}"),
        "attachments": [{"name": text("附件"), "url": format!("/files/{word}.pdf")}],
        "seo": {"title": text("题"), "description": text("述")},
        "legacy_urls": [format!("/old/{word}.html")], "external_id": format!("ext-{word}"),
        "body": {"format": "html", "content": format!("<p>正文 {word}</p>")},
    })
}

async fn no_reader_hears_of_what_is_not_public(stage: Stage) {
    let app = stage.app().await;
    let model = Model::open(app.clone()).await;
    model.every_state().await;
    let heard = model.check(&crawl(&app, &model.references()).await).await;
    assert!(heard >= 2, "{heard} public articles are too few");
    app.set_clock("2026-01-31T05:30:00Z");
    model.check(&crawl(&app, &model.references()).await).await;
    app.tick().await;
    model.check(&crawl(&app, &model.references()).await).await;
}

/// `LANMU_TEST_SEQUENCES` says how many sequences are played (2 by default).
async fn nor_after_any_sequence_of_transitions(stage: Stage) {
    let app = stage.with(&[("LANMU_RATE_LIMIT", "off")]).await;
    for sequence in 0..setting("LANMU_TEST_SEQUENCES", 2) {
        let numbers = Numbers::new(seed() ^ (sequence << 17));
        let model = Model::open(app.clone()).await;
        for _ in 0..4 {
            for _ in 0..12 {
                model.step(&numbers).await;
            }
            let crawled = crawl(&app, &model.references()).await;
            model.check(&crawled).await;
        }
        model.close().await;
    }
}

crate::facts![
    no_reader_hears_of_what_is_not_public,
    nor_after_any_sequence_of_transitions,
];
