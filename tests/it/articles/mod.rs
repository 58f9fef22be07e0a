//! Articles: written in management, read in delivery.

mod addresses;
mod bodies;
mod bulk;
mod changing;
mod deleting;
mod external_ids;
mod includes;
mod making;
mod order;
mod places;
mod slugs;
mod trash;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Fact;

const ARTICLES: &str = "/v1/admin/articles";
/// Requests that come all at once on a busy machine wait for their turn, not for a 503.
const PATIENT: (&str, &str) = ("LANMU_DB_WAIT_MS", "60000");

fn path(id: i64) -> String {
    format!("{ARTICLES}/{id}")
}

/// The article as its editors see it.
async fn managed(app: &TestApp, id: i64) -> Answer {
    app.admin().get(&path(id)).await.ok(200)
}

/// The article as readers see it.
async fn read(app: &TestApp, id: i64) -> Answer {
    app.get(&format!("/v1/articles/{id}")).await.ok(200)
}

async fn create(app: &TestApp, body: Value) -> Answer {
    app.admin().post(ARTICLES, body).await
}

async fn patch(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin().patch(&path(id), body).await
}

async fn put(app: &TestApp, external_id: &str, body: Value) -> Answer {
    let path = format!("/v1/admin/external-articles/{external_id}");
    app.admin().put(&path, body).await
}

async fn section(app: &TestApp) -> i64 {
    app.admin()
        .section("港口", json!({"slug": "harbour"}))
        .await
}

fn id(answer: &Answer) -> i64 {
    answer["id"].as_i64().expect("an id")
}

/// An article whose members are all given, but for `section_id` and `also_in`.
fn everything() -> Value {
    json!({
        "title": "清晨的渡口", "slug": "dawn-ferry", "subtitle": "头班船开了", "short_title": "晨渡",
        "summary": "天还没亮，船工已经上船。\n第二行",
        "source": {"name": "青屿日报", "url": "https://daily.example.com/"},
        "author": "林舟", "editor": "何岸", "keywords": ["渡口", "船工"], "tags": ["潮汐", "清晨"],
        "cover": {"url": "https://img.example.com/dawn.jpg", "alt": "薄雾里的渡船", "width": 1200, "height": 675},
        "lang": "zh-CN", "external_url": "https://other.example.com/dawn",
        "canonical_url": "https://www.example.com/dawn",
        "attachments": [
            {"name": "班次表.pdf", "url": "https://files.example.com/t.pdf", "media_type": "application/pdf", "bytes": 48213},
            {"name": "地图", "url": "/files/map.png", "media_type": null, "bytes": null}
        ],
        "seo": {"title": "渡口的清晨", "description": "头班船的故事"},
        "legacy_urls": ["/news/show.asp?id=12", "https://old.example.com/12.html"],
        "external_id": "cms:2026.0131~a_b-1", "featured": true,
        "pinned_until": "2026-02-28T00:00:00Z", "published_at": "2026-01-30T16:05:06.789Z",
        "expires_at": "2026-12-31T16:00:00Z",
        "body": {"format": "html", "content": "<p>船离岸了。</p>"}
    })
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        making::facts(),
        bodies::facts(),
        slugs::facts(),
        changing::facts(),
        external_ids::facts(),
        places::facts(),
        addresses::facts(),
        deleting::facts(),
        includes::facts(),
        bulk::facts(),
        order::facts(),
        trash::facts(),
    ]
    .concat()
}
