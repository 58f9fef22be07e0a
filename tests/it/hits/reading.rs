//! Counts read: of an article, of many, of a section, of the site.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::stage::Stage;

use super::{
    EVERY_VIEW, GOOGLEBOT, article, batch, count, number, published, view, views, windows,
};

async fn days_turn_at_the_sites_midnight(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    app.set_clock("2026-01-31T15:59:59Z");
    views(&app, id, 1).await;
    for (clock, expected) in [
        ("2026-01-31T15:59:59.999Z", [1, 1, 1]),
        ("2026-01-31T16:00:00Z", [0, 1, 1]),
        ("2026-02-06T15:59:59Z", [0, 1, 1]),
        ("2026-02-06T16:00:00Z", [0, 0, 1]),
        ("2026-03-01T15:59:59Z", [0, 0, 1]),
        ("2026-03-01T16:00:00Z", [0, 0, 0]),
    ] {
        app.set_clock(clock);
        assert_eq!(windows(&app, id).await, expected, "{clock}");
        assert_eq!(number(&count(&app, id).await, "total"), 1);
    }
}

async fn days_are_those_of_the_sites_zone(stage: Stage) {
    let app = stage
        .with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", "America/New_York")])
        .await;
    let id = article(&app).await;
    // On 2026-03-08 the clocks go forward: that day has 23 hours, from 05:00Z to 04:00Z.
    for at in [
        "2026-03-08T04:59:59Z",
        "2026-03-08T05:00:00Z",
        "2026-03-09T03:59:59Z",
        "2026-03-09T04:00:00Z",
    ] {
        app.set_clock(at);
        views(&app, id, 1).await;
    }
    let daily = app
        .get(&format!(
            "/v1/hits/daily?article={id}&from=2026-03-07&to=2026-03-09"
        ))
        .await
        .ok(200);
    assert_eq!(
        daily["data"],
        json!([
            {"day": "2026-03-07", "hits": 1, "visitors": 1},
            {"day": "2026-03-08", "hits": 2, "visitors": 1},
            {"day": "2026-03-09", "hits": 1, "visitors": 1},
        ])
    );
    assert_eq!(windows(&app, id).await, [1, 4, 4]);
}

async fn as_of_is_the_last_hit_that_counts(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(count(&app, id).await["as_of"], Value::Null);
    let past = json!([{"article_id": id, "hit_id": "a", "at": "2026-01-30T01:02:03.456Z"}]);
    batch(&app, past).await;
    assert_eq!(count(&app, id).await["as_of"], "2026-01-30T01:02:03.456Z");
    view(&app, id).send().await.ok(200);
    assert_eq!(count(&app, id).await["as_of"], NOON);
    app.advance(60);
    view(&app, id).send().await.ok(200);
    view(&app, id)
        .header("user-agent", GOOGLEBOT)
        .send()
        .await
        .ok(200);
    let older = json!([{"article_id": id, "hit_id": "b", "at": "2026-01-29T00:00:00Z"}]);
    batch(&app, older).await;
    assert_eq!(count(&app, id).await["as_of"], NOON);
    for path in ["/v1/hits/top?window=all", "/v1/hits/daily"] {
        assert_eq!(app.get(path).await.ok(200)["as_of"], NOON, "{path}");
    }
}

async fn counts_of_many_come_in_the_order_asked(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let a = article(&app).await;
    let b = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let draft = app.admin().draft("草稿", 1, json!({})).await;
    views(&app, b, 2).await;
    let answer = app
        .get(&format!(
            "/v1/hits?article_ids={b},987654321,{draft},{a},{b}"
        ))
        .await
        .ok(200);
    assert_eq!(answer.each("article_id"), [b, a]);
    assert_eq!(answer.each("total"), [2, 0]);
    assert_eq!(answer["data"][0], count(&app, b).await.json);
    let none = app.get("/v1/hits?article_ids=987654321").await.ok(200);
    assert_eq!(none["data"], json!([]));
}

async fn counts_of_many_need_up_to_100_ids(stage: Stage) {
    let app = stage.app().await;
    let ids = |first: i64, number: i64| {
        let ids: Vec<String> = (first..first + number).map(|id| id.to_string()).collect();
        format!("/v1/hits?article_ids={}", ids.join(","))
    };
    app.get(&ids(1, 100)).await.ok(200);
    for path in [
        "/v1/hits",
        &ids(1, 101),
        "/v1/hits?article_ids=",
        "/v1/hits?article_ids=a",
        "/v1/hits?article_ids=1,,2",
        "/v1/hits?article_ids=0",
        "/v1/hits?article_ids=-3",
        "/v1/hits?article_ids=1.0",
        "/v1/hits?article_ids=1&article_ids=2",
        "/v1/hits?article_ids=99999999999999999999",
    ] {
        let refused = app.get(path).await.problem(400, "invalid_request");
        assert_eq!(refused.faults()[0].0, "article_ids", "{path}");
    }
}

async fn the_100_ids_may_be_long(stage: Stage) {
    let app = stage.app().await;
    let ids: Vec<String> = (0..100)
        .map(|n| (9_007_199_254_740_000_i64 + n).to_string())
        .collect();
    let ids = ids.join(",");
    app.get(&format!("/v1/hits?article_ids={ids}"))
        .await
        .ok(200);
    app.get(&format!("/v1/articles?ids={ids}")).await.ok(200);
}

async fn a_section_has_the_hits_of_its_subtree(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let admin = app.admin();
    let sea = admin.section("海", json!({"slug": "sea"})).await;
    let bay = admin.section("湾", json!({"parent_id": sea})).await;
    let land = admin.section("陆", json!({})).await;
    let in_sea = published(&app, "海况", sea, "2020-01-01T00:00:00Z").await;
    let in_bay = published(&app, "湾区", bay, "2020-01-01T00:00:00Z").await;
    let on_land = published(&app, "陆路", land, "2020-01-01T00:00:00Z").await;
    views(&app, in_sea, 1).await;
    views(&app, in_bay, 2).await;
    views(&app, on_land, 4).await;
    let hits = |section: i64| {
        let (path, app) = (format!("/v1/sections/{section}/hits"), &app);
        async move {
            let answer = app.get(&path).await.ok(200);
            assert_eq!(answer["section_id"], section);
            ["total", "today", "last_7_days", "last_30_days"].map(|name| number(&answer, name))
        }
    };
    assert_eq!(hits(sea).await, [3; 4]);
    assert_eq!(hits(bay).await, [2; 4]);
    assert_eq!(hits(land).await, [4; 4]);
    admin
        .patch(
            &format!("/v1/admin/articles/{in_bay}"),
            json!({"section_id": land}),
        )
        .await
        .ok(200);
    assert_eq!(hits(sea).await, [1; 4]);
    assert_eq!(hits(bay).await, [0; 4]);
    assert_eq!(hits(land).await, [6; 4]);
    admin
        .post(
            &format!("/v1/admin/sections/{land}/move"),
            json!({"parent_id": bay}),
        )
        .await
        .ok(200);
    assert_eq!(hits(sea).await, [7; 4]);
    let by_slug = app.get("/v1/sections/sea/hits").await.ok(200);
    assert_eq!(number(&by_slug, "total"), 7);
    admin
        .patch(
            &format!("/v1/admin/sections/{bay}"),
            json!({"visible": false}),
        )
        .await
        .ok(200);
    assert_eq!(hits(sea).await, [1; 4]);
    app.get(&format!("/v1/sections/{bay}/hits"))
        .await
        .problem(404, "not_found");
}

async fn the_site_has_the_hits_of_all_that_is_public(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let a = article(&app).await;
    let b = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    views(&app, a, 2).await;
    views(&app, b, 3).await;
    app.admin()
        .put(
            &format!("/v1/admin/articles/{a}/hits"),
            json!({"baseline": 100, "reason": "旧站"}),
        )
        .await
        .ok(200);
    assert_eq!(number(&app.get("/v1/site").await, "hit_count"), 105);
    app.admin()
        .delete(&format!("/v1/admin/articles/{b}"))
        .await
        .ok(204);
    assert_eq!(number(&app.get("/v1/site").await, "hit_count"), 102);
}

async fn counts_are_asked_about_each_time(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for path in [
        format!("/v1/articles/{id}/hits"),
        format!("/v1/hits?article_ids={id}"),
        "/v1/hits/top?window=all".to_owned(),
        format!("/v1/hits/daily?article={id}"),
        "/v1/hits/daily".to_owned(),
        "/v1/sections/1/hits".to_owned(),
    ] {
        let read = app.get(&path).await.ok(200);
        assert_eq!(
            read.header("cache-control"),
            Some("max-age=0, must-revalidate"),
            "{path}"
        );
        let tag = read.header("etag").expect("a tag").to_owned();
        let ask = || {
            app.request(Method::GET, &path)
                .header("if-none-match", &tag)
        };
        ask().send().await.ok(304);
        views(&app, id, 1).await;
        ask().send().await.ok(200);
    }
    let missing = app.get("/v1/articles/987654321/hits").await.ok(404);
    assert_eq!(
        missing.header("cache-control"),
        Some("max-age=0, must-revalidate")
    );
}

async fn an_article_listed_twice_counts_once(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let sea = app.admin().section("海", json!({})).await;
    let bay = app.admin().section("湾", json!({"parent_id": sea})).await;
    let twice = json!({"also_in": [bay], "publish": {}});
    let id = app.admin().article("海湾", sea, twice).await;
    views(&app, id, 3).await;
    let of_section = app.get(&format!("/v1/sections/{sea}/hits")).await.ok(200);
    assert_eq!(number(&of_section, "total"), 3);
    let daily = format!("/v1/hits/daily?section={sea}&from=2026-01-31&to=2026-01-31");
    assert_eq!(app.get(&daily).await.ok(200).each("hits"), [3]);
    let top = app
        .get(&format!("/v1/hits/top?section={sea}"))
        .await
        .ok(200);
    assert_eq!(top.each("hits"), [3]);
    assert_eq!(number(&app.get("/v1/site").await, "hit_count"), 3);
}

crate::facts![
    days_turn_at_the_sites_midnight,
    days_are_those_of_the_sites_zone,
    as_of_is_the_last_hit_that_counts,
    counts_of_many_come_in_the_order_asked,
    counts_of_many_need_up_to_100_ids,
    the_100_ids_may_be_long,
    a_section_has_the_hits_of_its_subtree,
    the_site_has_the_hits_of_all_that_is_public,
    counts_are_asked_about_each_time,
    an_article_listed_twice_counts_once,
];
