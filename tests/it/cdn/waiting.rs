//! How purges reach caches: at once, in order, at least once, and late rather than never.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use lanmu::db::schema::purges;
use serde_json::json;

use super::listener::{Listener, nothing_waits, waiting};
use super::{Keys, keys};
use crate::facts;
use crate::support::app::TestApp;
use crate::support::stage::Stage;
use crate::support::statements::Watch;

const SENT: &str = "lanmu_purges_total{result=\"sent\"}";
const KEYS: (&str, &str) = ("LANMU_CDN_KEYS", "surrogate-key");

/// Renames article 1, and tells what caches are to be told of that.
async fn rename(app: &TestApp, title: &str) -> Keys {
    let path = "/v1/admin/articles/1";
    app.admin()
        .patch(path, json!({"title": title}))
        .await
        .ok(200);
    keys("article-1 list list-1")
}

async fn article(app: &TestApp) {
    let port = app.admin().section("港口", json!({})).await;
    app.admin().article("晨渡", port, json!({})).await;
}

/// A number of `/metrics`; 0 where there is none yet.
async fn metric(app: &TestApp, name: &str) -> i64 {
    let metrics = app.get("/metrics").await.ok(200).text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |number| number.trim().parse().expect("a number"))
}

async fn a_cache_is_told_at_once(stage: Stage) {
    let cache = Listener::start().await;
    let app = stage.with(&[KEYS, ("LANMU_PURGE_URLS", &cache.url)]).await;
    article(&app).await;
    cache.settle(&app).await;
    let before = metric(&app, SENT).await;
    let mut times = Vec::new();
    for n in 0..15 {
        let told = rename(&app, &format!("晨渡{n}")).await;
        let answered = Instant::now();
        cache.wait(|came| !came.is_empty()).await;
        let came = cache.take().remove(0);
        assert_eq!(came.keys, told);
        assert_eq!(
            (came.line.as_str(), came.header.as_str()),
            ("PURGE /", "surrogate-key")
        );
        times.push(came.at.saturating_duration_since(answered));
        nothing_waits(&app).await;
    }
    times.sort();
    // The machine may be busy with other facts; what only looks from time to time is never so quick.
    assert!(times[2] < Duration::from_millis(100), "{times:?}");
    assert_eq!(metric(&app, SENT).await, before + 15);
    // It is set when the sender looks again.
    while metric(&app, "lanmu_purges_waiting").await != 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn purges_wait_for_a_cache_that_is_away(stage: Stage) {
    let (cache, other) = (Listener::start().await, Listener::start().await);
    let urls = format!("{}, {}", cache.url, other.url);
    let app = stage.with(&[KEYS, ("LANMU_PURGE_URLS", &urls)]).await;
    article(&app).await;
    cache.settle(&app).await;
    other.settle(&app).await;
    cache.stop().await;
    let mut told = Vec::new();
    for n in 0..3 {
        // Nobody who writes waits for it, nor does the other cache.
        told.push(rename(&app, &format!("晨渡{n}")).await);
        other.wait(|came| came.len() == n + 1).await;
    }
    let came: Vec<Keys> = other.take().into_iter().map(|purge| purge.keys).collect();
    assert_eq!(came, told);
    let rows: Vec<Keys> = waiting(&app).into_iter().map(|(_, keys)| keys).collect();
    assert_eq!(rows, told);
    let address = cache
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let back = Listener::start_at(address).await;
    // It refuses first.
    back.answer(405);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(waiting(&app).len(), 3);
    back.answer(200);
    nothing_waits(&app).await;
    let came = back.take();
    assert_eq!(came.len(), 1, "{came:?}");
    assert_eq!(came[0].keys, told[0]);
    assert!(other.take().is_empty());
    assert!(metric(&app, "lanmu_purges_total{result=\"failed\"}").await > 1);
    // In order, each by itself, when it is there again.
    let hidden = json!({"visible": false});
    app.admin()
        .patch("/v1/admin/sections/1", hidden)
        .await
        .ok(200);
    assert_eq!(
        back.named(&app).await,
        keys("section-1 article-1 list list-1")
    );
}

async fn what_waits_outlives_its_node(stage: Stage) {
    let cache = Listener::start().await;
    let settings = [KEYS, ("LANMU_PURGE_URLS", &*cache.url)];
    let app = stage.with(&settings).await;
    article(&app).await;
    cache.settle(&app).await;
    cache.answer(503);
    let told = rename(&app, "晨渡一").await;
    app.stop().await;
    assert_eq!(waiting(&app).len(), 1);
    cache.answer(200);
    let again = stage.with(&settings).await;
    // No more than that: what the cache has else is right.
    assert_eq!(cache.named(&again).await, told);
}

async fn several_nodes_lose_nothing(stage: Stage) {
    let cache = Listener::start().await;
    let settings = [KEYS, ("LANMU_PURGE_URLS", &*cache.url)];
    let nodes = [
        stage.with(&settings).await,
        stage.with(&settings).await,
        stage.with(&settings).await,
    ];
    let port = nodes[0].admin().section("港口", json!({})).await;
    cache.settle(&nodes[0]).await;
    let mut told = Keys::new();
    for n in 0..30 {
        let node = &nodes[n % 3];
        let id = node
            .admin()
            .article(&format!("晨渡{n}"), port, json!({}))
            .await;
        told.insert(format!("article-{id}"));
    }
    nothing_waits(&nodes[0]).await;
    let came = cache.take();
    let named: Vec<&String> = came.iter().flat_map(|purge| &purge.keys).collect();
    for key in &told {
        // One of them is at it at a time.
        let times = named.iter().filter(|named| **named == key).count();
        assert_eq!(times, 1, "{key}");
    }
    // In order.
    let firsts = came.iter().filter_map(|purge| {
        let ids = purge
            .keys
            .iter()
            .filter_map(|key| key.strip_prefix("article-"));
        ids.map(|id| id.parse::<i64>().expect("a number")).min()
    });
    assert!(firsts.is_sorted());
}

async fn much_that_waits_goes_together(stage: Stage) {
    let cache = Listener::start().await;
    let app = stage.with(&[KEYS, ("LANMU_PURGE_URLS", &cache.url)]).await;
    article(&app).await;
    cache.settle(&app).await;
    cache.answer(503);
    rename(&app, "晨渡一").await;
    let rows: Vec<_> = (0..1000)
        .map(|n| purges::keys.eq(format!("list article-{}", 1000 + n)))
        .collect();
    let mut conn = app.connect();
    for row in rows {
        diesel::insert_into(purges::table)
            .values(row)
            .execute(&mut conn)
            .expect("a purge");
    }
    cache.answer(200);
    nothing_waits(&app).await;
    let came = cache.take();
    // What came after the sender had looked goes with the next.
    assert!(came.len() <= 7, "{} requests", came.len());
    assert!(came.iter().all(|purge| purge.keys.len() <= 250));
    let all: Keys = came.into_iter().flat_map(|purge| purge.keys).collect();
    assert_eq!(all.len(), 1003);
}

async fn a_cache_that_was_away_too_long_drops_everything(stage: Stage) {
    let cache = Listener::start().await;
    let app = stage.with(&[KEYS, ("LANMU_PURGE_URLS", &cache.url)]).await;
    article(&app).await;
    cache.settle(&app).await;
    cache.answer(503);
    rename(&app, "晨渡一").await;
    let mut conn = app.connect();
    let many = lanmu::purges::MAX_WAITING;
    let insert = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) \
         INSERT INTO purges (keys) SELECT 'list' FROM n"
    );
    diesel::sql_query(insert)
        .execute(&mut conn)
        .expect("purges");
    for _ in 0..1000 {
        if waiting(&app).len() <= 10_000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(waiting(&app).len(), 10_000);
    cache.answer(200);
    nothing_waits(&app).await;
    let came = cache.take();
    assert_eq!(came[0].keys, keys("all"));
    // What came after the sender had looked goes with the next ones.
    let rest: Vec<&Keys> = came[1..].iter().map(|purge| &purge.keys).collect();
    assert!(rest.iter().all(|named| **named == keys("list")), "{rest:?}");
    let told = rename(&app, "晨渡二").await;
    assert_eq!(cache.named(&app).await, told);
}

async fn a_cache_that_is_none_any_more_keeps_nothing(stage: Stage) {
    let (cache, gone) = (Listener::start().await, Listener::start().await);
    let urls = format!("{},{}", cache.url, gone.url);
    let app = stage.with(&[KEYS, ("LANMU_PURGE_URLS", &urls)]).await;
    article(&app).await;
    cache.settle(&app).await;
    gone.settle(&app).await;
    gone.answer(503);
    rename(&app, "晨渡一").await;
    app.stop().await;
    assert_eq!(waiting(&app).len(), 1);
    let again = stage.with(&[KEYS, ("LANMU_PURGE_URLS", &cache.url)]).await;
    cache.take();
    let told = rename(&again, "晨渡二").await;
    assert_eq!(cache.named(&again).await, told);
}

async fn without_caches_a_write_has_no_statement_more(stage: Stage) {
    let watch = Watch::begin(&stage.url());
    let app = stage.with(&[KEYS]).await;
    article(&app).await;
    rename(&app, "晨渡一").await;
    let sent = watch.take_whole();
    assert!(sent.iter().any(|sql| sql.contains("changes")), "{sent:?}");
    let about: Vec<_> = sent.iter().filter(|sql| sql.contains("purge")).collect();
    assert!(about.is_empty(), "{about:?}");
}

facts![
    a_cache_is_told_at_once,
    purges_wait_for_a_cache_that_is_away,
    what_waits_outlives_its_node,
    several_nodes_lose_nothing,
    much_that_waits_goes_together,
    a_cache_that_was_away_too_long_drops_everything,
    a_cache_that_is_none_any_more_keeps_nothing,
    without_caches_a_write_has_no_statement_more,
];
