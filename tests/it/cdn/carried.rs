//! Which keys each delivery read carries.

use reqwest::Method;
use serde_json::json;

use super::{carried, keys};
use crate::facts;
use crate::support::app::TestApp;
use crate::support::stage::Stage;

const SURROGATE_KEY: (&str, &str) = ("LANMU_CDN_KEYS", "surrogate-key");
const CACHE_TAG: (&str, &str) = ("LANMU_CDN_KEYS", "cache-tag");

/// A small site: 新闻 (1) with 社区 (2) below it, 文化 (3), and the hidden 旧栏 (4). Article 1 stands in 社区,
/// article 2 there and in 文化, article 3 in 文化 and in 旧栏; article 4 is a draft. Article 1 was `yi` once.
async fn site(app: &TestApp) {
    let admin = app.admin();
    let news = admin.section("新闻", json!({})).await;
    let local = admin.section("社区", json!({"parent_id": news})).await;
    let culture = admin.section("文化", json!({})).await;
    let old = admin.section("旧栏", json!({"visible": false})).await;
    assert_eq!((news, local, culture, old), (1, 2, 3, 4));
    for (place, title, more) in [
        (local, "晨渡", json!({"slug": "yi", "tags": ["海"]})),
        (local, "书屋", json!({"also_in": [culture], "tags": ["海"]})),
        (culture, "影展", json!({"also_in": [old]})),
    ] {
        admin.article(title, place, more).await;
    }
    admin.draft("草稿", local, json!({})).await;
    let path = "/v1/admin/articles/1";
    admin.patch(path, json!({"slug": "er"})).await.ok(200);
}

/// Each read, its status and what it carries.
const READS: &[(&str, u16, &str)] = &[
    ("/v1/articles/1", 200, "article-1 section-1 section-2"),
    (
        "/v1/articles/2",
        200,
        "article-2 section-1 section-2 section-3",
    ),
    // A hidden section is not shown, nor is its key.
    ("/v1/articles/3", 200, "article-3 section-3"),
    ("/v1/articles/er", 200, "article-1 section-1 section-2"),
    ("/v1/articles/1/qr.svg", 200, "article-1"),
    (
        "/v1/articles/1/neighbors",
        200,
        "article-1 article-2 section-2 list-2",
    ),
    (
        "/v1/articles/1/related",
        200,
        "article-1 article-2 section-2 list",
    ),
    (
        "/v1/articles",
        200,
        "article-1 article-2 article-3 section-2 section-3 list",
    ),
    (
        "/v1/articles?tag=海&include=body",
        200,
        "article-1 article-2 section-2 list",
    ),
    ("/v1/articles?ids=3", 200, "article-3 section-3 list"),
    ("/v1/articles?tag=none", 200, "list"),
    (
        "/v1/articles?section=1",
        200,
        "article-1 article-2 section-1 section-2 list-1",
    ),
    (
        "/v1/articles?section=3&sort=title",
        200,
        "article-2 article-3 section-2 section-3 list-3",
    ),
    (
        "/v1/articles?section=1&subsections=false",
        200,
        "section-1 list-1",
    ),
    (
        "/v1/articles?limit=1&count=none",
        200,
        "article-3 section-3 list",
    ),
    ("/v1/archive", 200, "list"),
    ("/v1/archive?section=2", 200, "list-2 section-2"),
    ("/v1/tags", 200, "list"),
    ("/v1/tags?section=1", 200, "list-1 section-1"),
    ("/v1/sections/2", 200, "section-1 section-2 list-2"),
    (
        "/v1/sections",
        200,
        "section-1 section-2 section-3 list list-1 list-2 list-3",
    ),
    (
        "/v1/sections?parent=1",
        200,
        "section-1 section-2 list-1 list-2",
    ),
    (
        "/v1/sections?depth=0&include=articles&articles_limit=1",
        200,
        "section-1 section-3 list list-1 list-3 article-2 section-2 article-3",
    ),
    (
        "/v1/sections/tree",
        200,
        "section-1 section-2 section-3 list list-1 list-2 list-3",
    ),
    // What makes something appear, or lead elsewhere, names the site's list.
    ("/v1/articles/yi", 308, "list"),
    ("/v1/articles/4", 404, "list"),
    ("/v1/articles/99", 404, "list"),
    ("/v1/articles/99/related", 404, "list"),
    ("/v1/articles/cao-gao", 404, "list"),
    ("/v1/articles?section=4", 404, "list"),
    ("/v1/sections/4", 404, "list"),
    // Though it is not kept, this 404 is.
    ("/v1/articles/4?include=hits", 404, "list"),
];

/// What caches ask about each time, or never keep, or what no write changes.
const WITHOUT: &[&str] = &[
    "/v1/articles?include=hits",
    "/v1/articles?sort=-hits",
    "/v1/articles/1?include=hits",
    "/v1/articles/1/hits",
    "/v1/articles/99/hits",
    "/v1/sections/1/hits",
    "/v1/hits/top",
    "/v1/hits/daily",
    "/v1/hits?article_ids=1",
    "/v1/site",
    "/v1/changes",
    "/openapi.json",
    "/healthz",
    "/v1/admin/articles",
    "/v1/none",
    "/v1/articles?limit=0",
];

async fn each_read_carries_the_keys_of_what_it_shows(stage: Stage) {
    let app = stage.with(&[SURROGATE_KEY]).await;
    site(&app).await;
    for (path, status, expected) in READS {
        // The second answer is the one that is kept.
        for _ in 0..2 {
            let answer = app.get(path).await.ok(*status);
            let expected = keys(&format!("all {expected}"));
            assert_eq!(carried(&answer), expected, "{path}");
            assert_eq!(answer.header("cache-tag"), None, "{path}");
            let seconds = answer.freshness();
            assert!(seconds > 0, "{path}: a cache may not keep it");
        }
    }
    for path in WITHOUT {
        let answer = app.get(path).await;
        assert_eq!(answer.header("surrogate-key"), None, "{path}");
    }
}

async fn keys_are_spelled_as_tags_where_that_is_asked(stage: Stage) {
    let app = stage.with(&[CACHE_TAG]).await;
    site(&app).await;
    for (path, status, expected) in READS {
        let answer = app.get(path).await.ok(*status);
        let tags = answer.header("cache-tag").expect("tags");
        assert!(!tags.contains(' '), "{path}: {tags}");
        assert_eq!(carried(&answer), keys(&format!("all {expected}")), "{path}");
        assert_eq!(answer.header("surrogate-key"), None, "{path}");
    }
    let listed = app.get("/v1/articles?section=3").await.ok(200);
    let tags = "all,list-3,section-2,section-3,article-2,article-3";
    assert_eq!(listed.header("cache-tag"), Some(tags));
}

async fn a_304_a_head_and_every_coding_carry_them_too(stage: Stage) {
    let app = stage.with(&[SURROGATE_KEY]).await;
    site(&app).await;
    for path in ["/v1/articles/1", "/v1/articles?section=1", "/v1/sections"] {
        let plain = app.get(path).await.ok(200);
        for coding in ["identity", "gzip", "br"] {
            let get = |method| app.request(method, path).header("accept-encoding", coding);
            let whole = get(Method::GET).send().await.ok(200);
            let tag = whole.header("etag").expect("a tag").to_owned();
            let known = get(Method::GET).header("if-none-match", &tag);
            let known = known.send().await.ok(304);
            let head = get(Method::HEAD).send().await.ok(200);
            for answer in [whole, known, head] {
                assert_eq!(carried(&answer), carried(&plain), "{path} {coding}");
                assert!(!carried(&answer).is_empty());
            }
        }
    }
    let head = app.request(Method::HEAD, "/v1/articles/99").send().await;
    assert_eq!(carried(&head.ok(404)), keys("all list"));
}

async fn there_are_none_by_default(stage: Stage) {
    let app = stage.app().await;
    site(&app).await;
    for (path, status, _) in READS {
        let answer = app.get(path).await.ok(*status);
        let headers = ["surrogate-key", "cache-tag"].map(|name| answer.header(name));
        assert_eq!(headers, [None, None], "{path}");
    }
}

async fn too_many_keys_become_coarser_ones(stage: Stage) {
    let app = stage
        .with(&[SURROGATE_KEY, ("LANMU_RATE_LIMIT", "off")])
        .await;
    let admin = app.admin();
    let top = admin.section("区域", json!({})).await;
    for n in 0..70 {
        let below = json!({"parent_id": top});
        let id = admin.section(&format!("街道{n}"), below).await;
        admin.article(&format!("要闻{n}"), id, json!({})).await;
    }
    // Those of articles go first: the lists that they are in stand for them.
    let path = "/v1/sections?parent=1&limit=100&include=articles";
    let fine = carried(&app.get("/v1/sections?parent=1&limit=100").await.ok(200));
    assert_eq!(fine.len(), 1 + 2 + 2 * 70);
    assert_eq!(carried(&app.get(path).await.ok(200)), fine);
    let newest = carried(&app.get("/v1/articles?section=1").await.ok(200));
    assert_eq!(newest.len(), 1 + 2 + 2 * 20);
    for n in 70..110 {
        admin
            .section(&format!("街道{n}"), json!({"parent_id": top}))
            .await;
    }
    let answer = app.get("/v1/sections/tree").await.ok(200);
    assert_eq!(answer.header("surrogate-key"), Some("all list"));
}

facts![
    each_read_carries_the_keys_of_what_it_shows,
    keys_are_spelled_as_tags_where_that_is_asked,
    a_304_a_head_and_every_coding_carry_them_too,
    there_are_none_by_default,
    too_many_keys_become_coarser_ones,
];
