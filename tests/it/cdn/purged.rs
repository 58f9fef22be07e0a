//! What each kind of write tells caches: the keys of what it changes, before and after.

use std::rc::Rc;

use reqwest::Method;
use serde_json::{Value, json};

use super::Keys;
use super::keys;
use super::listener::Listener;
use crate::facts;
use crate::support::app::TestApp;
use crate::support::stage::Stage;

/// A node, and a cache that it tells.
struct Office {
    app: Rc<TestApp>,
    cache: Listener,
}

impl Office {
    /// A small site: 新闻 (1) with 社区 (2) below it, 文化 (3), and 旧栏 (4), which is hidden. Article 1 stands
    /// in 社区, article 2 there and in 文化, article 3 in 文化; article 4 is a draft in 社区.
    async fn open(stage: &Stage) -> Self {
        let cache = Listener::start().await;
        let settings = [
            ("LANMU_CDN_KEYS", "surrogate-key"),
            ("LANMU_PURGE_URLS", &cache.url),
        ];
        let app = stage.with(&settings).await;
        let admin = app.admin();
        admin.section("新闻", json!({})).await;
        admin.section("社区", json!({"parent_id": 1})).await;
        admin.section("文化", json!({})).await;
        admin.section("旧栏", json!({"visible": false})).await;
        admin.article("晨渡", 2, json!({"slug": "yi"})).await;
        admin.article("书屋", 2, json!({"also_in": [3]})).await;
        admin.article("影展", 3, json!({})).await;
        admin.draft("草稿", 2, json!({})).await;
        cache.settle(&app).await;
        Self { app, cache }
    }

    /// What a write tells caches.
    async fn tells(&self, method: Method, path: &str, body: Value) -> Keys {
        let path = format!("/v1/admin/{path}");
        let written = self.app.admin().write_if("*", method, &path, body).await;
        assert!((200..300).contains(&written.status), "{path}: {written}");
        self.cache.named(&self.app).await
    }

    async fn post(&self, path: &str, body: Value) -> Keys {
        self.tells(Method::POST, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> Keys {
        self.tells(Method::PATCH, path, body).await
    }

    async fn delete(&self, path: &str) -> Keys {
        self.tells(Method::DELETE, path, Value::Null).await
    }

    /// What is told of what time has made.
    async fn tick(&self, to: &str) -> Keys {
        self.app.set_clock(to);
        self.app.tick().await;
        self.cache.named(&self.app).await
    }
}

fn nothing() -> Keys {
    Keys::new()
}

const LOCAL: &str = "list list-1 list-2";

fn of_local(more: &str) -> Keys {
    keys(&format!("{LOCAL} {more}"))
}

fn new(title: &str, more: Value) -> Value {
    let body = json!({
        "title": title, "section_id": 2, "body": {"format": "text", "content": "码头的灯亮了。"},
    });
    crate::support::app::merged(body, more)
}

async fn what_is_written_in_an_article(stage: Stage) {
    let office = Office::open(&stage).await;
    let made = office
        .post("articles", new("早市", json!({"publish": {}})))
        .await;
    assert_eq!(made, of_local("article-5"));
    let title = json!({"title": "夜市"});
    let path = "articles/5";
    assert_eq!(
        office.patch(path, title.clone()).await,
        of_local("article-5")
    );
    assert_eq!(
        office.patch("articles/2", title).await,
        of_local("article-2 list-3")
    );
    let moved = office.patch(path, json!({"section_id": 3})).await;
    assert_eq!(moved, of_local("article-5 list-3"));
    let back = office.patch(path, json!({"section_id": 2})).await;
    assert_eq!(back, of_local("article-5 list-3"));
    let path = "articles/5/revisions/1/restore";
    assert_eq!(office.post(path, Value::Null).await, of_local("article-5"));
    let external = new("外稿", json!({"publish": {}}));
    let path = "external-articles/x-1";
    let whole = format!("/v1/admin/{path}");
    let admin = office.app.admin();
    admin.put(&whole, external.clone()).await.ok(201);
    assert_eq!(office.cache.named(&office.app).await, of_local("article-6"));
    let put = office.tells(Method::PUT, path, external).await;
    assert_eq!(put, of_local("article-6"));
    let bulk = json!({"action": "unpublish", "ids": [5, 6]});
    let done = office.post("articles/bulk", bulk).await;
    assert_eq!(done, of_local("article-5 article-6"));
}

async fn what_becomes_of_an_article(stage: Stage) {
    let office = Office::open(&stage).await;
    let seen = of_local("article-1");
    for action in ["unpublish", "publish"] {
        let path = format!("articles/1/{action}");
        assert_eq!(office.post(&path, Value::Null).await, seen, "{action}");
    }
    assert_eq!(office.delete("articles/1").await, seen);
    // From here on nobody sees it.
    assert_eq!(
        office.post("articles/1/restore", Value::Null).await,
        nothing()
    );
    assert_eq!(office.delete("articles/1").await, nothing());
    assert_eq!(office.delete("articles/1?permanent=true").await, nothing());
}

async fn a_draft_is_nothing_to_caches(stage: Stage) {
    let office = Office::open(&stage).await;
    assert_eq!(
        office.post("articles", new("又一稿", json!({}))).await,
        nothing()
    );
    for change in [
        json!({"title": "改稿"}),
        json!({"section_id": 3, "also_in": [1]}),
        json!({"slug": "gao"}),
    ] {
        assert_eq!(office.patch("articles/4", change).await, nothing());
    }
    for (action, body) in [
        ("submit", Value::Null),
        ("reject", json!({"note": "写明日期"})),
    ] {
        let path = format!("articles/4/{action}");
        assert_eq!(office.post(&path, body).await, nothing(), "{action}");
    }
    let hidden = json!({"name": "内部", "visible": false});
    assert_eq!(office.post("sections", hidden).await, nothing());
    let inside = new("内稿", json!({"section_id": 5, "publish": {}}));
    assert_eq!(office.post("articles", inside).await, nothing());
    assert_eq!(
        office.patch("sections/4", json!({"name": "旧"})).await,
        nothing()
    );
    // Unless it takes the address that another one had.
    office.patch("articles/1", json!({"slug": "er"})).await;
    let taken = office.patch("articles/4", json!({"slug": "yi"})).await;
    assert_eq!(taken, keys("article-1 list"));
}

async fn what_is_not_written_is_not_told(stage: Stage) {
    let office = Office::open(&stage).await;
    let dry = office
        .patch("articles/1?dry_run=true", json!({"title": "夜"}))
        .await;
    assert_eq!(dry, nothing());
    let admin = office.app.admin();
    let refused = json!({"title": ""});
    let path = "/v1/admin/articles/1";
    admin
        .patch(path, refused)
        .await
        .problem(422, "validation_failed");
    let bulk = json!({"action": "unpublish", "ids": [1, 4], "atomic": true});
    let path = "/v1/admin/articles/bulk";
    admin.post(path, bulk).await.problem(409, "bulk_failed");
    assert_eq!(office.cache.named(&office.app).await, nothing());
    office
        .app
        .post("/v1/articles/1/hits", json!({}))
        .await
        .ok(200);
    office.app.fold().await;
    assert_eq!(office.cache.named(&office.app).await, nothing());
}

async fn what_becomes_of_a_section(stage: Stage) {
    let office = Office::open(&stage).await;
    let renamed = office.patch("sections/2", json!({"name": "街坊"})).await;
    assert_eq!(renamed, keys("section-2 list"));
    // The paths of those below begin with it.
    let renamed = office.patch("sections/1", json!({"slug": "news"})).await;
    assert_eq!(renamed, keys("section-1 section-2 list"));
    let seen = of_local("section-3 list-3 article-2 article-3");
    for visible in [false, true] {
        let turned = office
            .patch("sections/3", json!({"visible": visible}))
            .await;
        assert_eq!(turned, seen, "visible: {visible}");
    }
    let moved = office
        .post("sections/2/move", json!({"parent_id": 3}))
        .await;
    assert_eq!(moved, of_local("section-2 list-3"));
    let moved = office
        .post("sections/2/move", json!({"parent_id": 1}))
        .await;
    assert_eq!(moved, of_local("section-2 list-3"));
    let made = office
        .post("sections", json!({"name": "港口", "parent_id": 1}))
        .await;
    assert_eq!(made, keys("section-5 list-5 list-1 list"));
    let moved = json!({"parent_id": 1, "before": 2});
    let moved = office.post("sections/5/move", moved).await;
    assert_eq!(moved, of_local("section-5 section-2 list-5"));
    let gone = office.delete("sections/5").await;
    assert_eq!(gone, of_local("section-5 section-2 list-5"));
    let gone = office.delete("sections/2?move_to=3").await;
    assert_eq!(gone, of_local("section-2 article-1 article-2 list-3"));
}

async fn the_order_of_a_section(stage: Stage) {
    let office = Office::open(&stage).await;
    let first = json!({"position": 0});
    let placed = office.post("articles/1/reorder", first.clone()).await;
    assert_eq!(placed, of_local("article-1"));
    // The other one goes back by a place.
    let placed = office.post("articles/2/reorder", first).await;
    assert_eq!(placed, of_local("article-1 article-2 list-3"));
    let pinned = json!({"pinned_until": "2026-02-01T00:00:00Z"});
    assert_eq!(
        office.patch("articles/1", pinned).await,
        of_local("article-1")
    );
}

async fn what_time_makes_of_articles(stage: Stage) {
    let office = Office::open(&stage).await;
    // Caches are to ask for lists again before its time comes, not for what nobody sees yet.
    let later = json!({
        "published_at": "2026-01-31T05:00:00Z", "expires_at": "2026-01-31T06:00:00Z",
    });
    assert_eq!(office.post("articles/4/publish", later).await, keys(LOCAL));
    assert_eq!(office.tick("2026-01-31T04:59:59Z").await, nothing());
    let seen = of_local("article-4");
    assert_eq!(office.tick("2026-01-31T05:00:00Z").await, seen);
    assert_eq!(office.tick("2026-01-31T06:00:00Z").await, seen);
    assert_eq!(office.tick("2026-01-31T07:00:00Z").await, nothing());
}

async fn a_write_that_changes_very_much_names_everything(stage: Stage) {
    use diesel::prelude::*;
    let office = Office::open(&stage).await;
    // More articles than one write names.
    let mut conn = office.app.connect();
    for n in 0..lanmu::db::purges::MAX_NAMED {
        let sql = format!(
            "INSERT INTO articles (section_id, slug, title, title_key, keywords, tags, lang, featured, \
             status, published_at, dated_at, live, word_count, created_at, updated_at, version) \
             SELECT 3, 'copy-{n}', title, title_key, keywords, tags, lang, featured, status, \
             published_at, dated_at, live, word_count, created_at, updated_at, version \
             FROM articles WHERE id = 3"
        );
        diesel::sql_query(sql).execute(&mut conn).expect("a copy");
    }
    let turned = office.patch("sections/3", json!({"visible": false})).await;
    assert_eq!(turned, keys("all"));
}

async fn tags_are_sent_to_caches_that_have_tags(stage: Stage) {
    let cache = Listener::start().await;
    let url = format!("{}drop/these", cache.url);
    let settings = [
        ("LANMU_CDN_KEYS", "cache-tag"),
        ("LANMU_PURGE_URLS", url.as_str()),
    ];
    let app = stage.with(&settings).await;
    cache.settle(&app).await;
    app.admin().section("新闻", json!({})).await;
    super::listener::nothing_waits(&app).await;
    let came = cache.take();
    assert_eq!(came[0].line, "PURGE /drop/these");
    assert_eq!(came[0].header, "cache-tag");
    assert_eq!(came[0].keys, keys("list list-1 section-1"));
}

facts![
    what_is_written_in_an_article,
    what_becomes_of_an_article,
    a_draft_is_nothing_to_caches,
    what_is_not_written_is_not_told,
    what_becomes_of_a_section,
    the_order_of_a_section,
    what_time_makes_of_articles,
    a_write_that_changes_very_much_names_everything,
    tags_are_sent_to_caches_that_have_tags,
];
