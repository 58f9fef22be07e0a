//! No cache outlives what it keeps.

use reqwest::Method;
use serde_json::json;

use crate::support::app::{NOON, TestApp};
use crate::support::stage::Stage;

use super::{pair, patch};

const DEFAULT: &str = "public, max-age=30, s-maxage=60, stale-while-revalidate=30";

/// What readers ask for where an article stands in `harbour`, beside another one.
fn reads(id: i64, other: i64) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/v1/articles",
        "/v1/articles?section=harbour",
        "/v1/articles?tag=渡船&sort=title",
        "/v1/articles?include=body",
        "/v1/sections",
        "/v1/sections?include=articles",
        "/v1/sections/tree",
        "/v1/sections/harbour",
        "/v1/site",
        "/v1/archive",
        "/v1/tags",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    for id in [id, other] {
        for rest in ["/neighbors", "/related", "/qr.svg"] {
            paths.push(format!("/v1/articles/{id}{rest}"));
        }
    }
    // What the other one shows of itself does not change with this one's time.
    paths.push(format!("/v1/articles/{id}"));
    paths
}

/// No read may be kept longer than this many seconds.
async fn all_end_within(app: &TestApp, paths: &[String], seconds: i64) {
    for path in paths {
        for method in [Method::GET, Method::HEAD] {
            let answer = app.request(method, path).send().await;
            assert!(matches!(answer.status, 200 | 404), "{path}: {answer}");
            assert!(
                answer.freshness() <= seconds,
                "{path} {}: {:?}, but {seconds} s are left",
                answer.status,
                answer.header("cache-control")
            );
        }
    }
}

async fn far_from_any_edge_caches_keep_the_default(stage: Stage) {
    let app = stage.app().await;
    let dates =
        json!({"published_at": "2026-01-31T05:00:00Z", "expires_at": "2026-01-31T06:00:00Z"});
    let (id, other) = pair(&app, dates).await;
    let missing = [
        "/v1/articles/987654",
        "/v1/articles/no-such",
        "/v1/sections/no-such",
    ];
    let missing = missing.map(ToOwned::to_owned);
    for path in reads(id, other).into_iter().chain(missing) {
        if path == "/v1/site" {
            // It tells how many views there are, and views are never kept.
            continue;
        }
        let answer = app.get(&path).await;
        assert_eq!(answer.header("cache-control"), Some(DEFAULT), "{path}");
    }
}

async fn no_cache_keeps_an_answer_past_a_publication(stage: Stage) {
    let app = stage.app().await;
    let (id, other) = pair(&app, json!({"published_at": "2026-01-31T04:02:00.900Z"})).await;
    let paths = reads(id, other);
    for passed in [60, 90, 110, 119, 120] {
        app.set_clock(NOON);
        app.advance(passed);
        all_end_within(&app, &paths, 120 - passed).await;
    }
    app.set_clock("2026-01-31T04:02:00.900Z");
    for path in paths.iter().filter(|path| *path != "/v1/site") {
        let answer = app.get(path).await.ok(200);
        assert_eq!(answer.header("cache-control"), Some(DEFAULT), "{path}");
    }
}

async fn no_cache_keeps_an_answer_past_an_end(stage: Stage) {
    let app = stage.app().await;
    let (id, other) = pair(&app, json!({"expires_at": "2026-01-31T04:02:00Z"})).await;
    let paths = reads(id, other);
    for passed in [31, 75, 119] {
        app.set_clock(NOON);
        app.advance(passed);
        all_end_within(&app, &paths, 120 - passed).await;
    }
}

async fn that_nothing_changed_is_not_kept_past_an_edge_either(stage: Stage) {
    let app = stage.app().await;
    let (id, other) = pair(&app, json!({"expires_at": "2026-01-31T04:02:00Z"})).await;
    app.advance(100);
    for path in reads(id, other) {
        let answer = app.get(&path).await.ok(200);
        let tag = answer.header("etag").expect("a tag");
        let request = app.request(Method::GET, &path).header("if-none-match", tag);
        assert!(request.send().await.ok(304).freshness() <= 20, "{path}");
    }
}

async fn no_cache_keeps_an_answer_past_a_pin(stage: Stage) {
    let app = stage.app().await;
    let (id, other) = pair(&app, json!({})).await;
    patch(&app, id, json!({"pinned_until": "2026-01-31T04:00:45Z"}))
        .await
        .ok(200);
    let paths = [
        "/v1/articles?section=harbour",
        "/v1/articles?pinned=true",
        "/v1/articles?pinned=false",
    ];
    let paths = paths.map(ToOwned::to_owned);
    all_end_within(&app, &paths, 45).await;
    app.advance(45);
    let list = app.get(&paths[0]).await.ok(200);
    assert_eq!(list.header("cache-control"), Some(DEFAULT));
    assert_eq!(list.ids(), [id, other]);
}

async fn a_cache_setting_is_cut_at_the_edge_too(stage: Stage) {
    let app = stage
        .with(&[
            ("LANMU_CACHE_ARTICLE", "86400,3600,600"),
            ("LANMU_CACHE_LIST", "0,0,86400"),
            ("LANMU_CACHE_SECTION", "10,86400,0"),
        ])
        .await;
    let (id, other) = pair(&app, json!({"expires_at": "2026-01-31T05:00:00Z"})).await;
    all_end_within(&app, &reads(id, other), 3600).await;
    for (path, kept) in [
        (format!("/v1/articles/{id}"), 3600),
        ("/v1/articles".to_owned(), 3600),
        ("/v1/sections/harbour".to_owned(), 3600),
    ] {
        assert_eq!(app.get(&path).await.freshness(), kept, "{path}");
    }
    app.set_clock("2026-01-31T05:00:00Z");
    for (path, kept) in [
        (format!("/v1/articles/{other}"), 87_000),
        ("/v1/articles".to_owned(), 86_400),
        ("/v1/sections/harbour".to_owned(), 86_400),
    ] {
        assert_eq!(app.get(&path).await.freshness(), kept, "{path}");
    }
}

crate::facts![
    far_from_any_edge_caches_keep_the_default,
    no_cache_keeps_an_answer_past_a_publication,
    no_cache_keeps_an_answer_past_an_end,
    that_nothing_changed_is_not_kept_past_an_edge_either,
    no_cache_keeps_an_answer_past_a_pin,
    a_cache_setting_is_cut_at_the_edge_too,
];
