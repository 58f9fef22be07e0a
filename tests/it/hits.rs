//! Hit counts: recorded, read, ranked, corrected.

use std::rc::Rc;

use diesel::prelude::*;
use futures_util::future::join_all;
use lanmu::db::schema::hit_entries;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{NOON, TestApp};
use crate::support::client::{Answer, Request};
use crate::support::databases;
use crate::support::stage::Stage;

const EVERY_VIEW: (&str, &str) = ("LANMU_HIT_WINDOW", "0");
/// Requests that come all at once on a busy machine wait for their turn, not for a 503.
const PATIENT: (&str, &str) = ("LANMU_DB_WAIT_MS", "60000");
const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// A public article in a section of its own, published long ago.
async fn article(app: &TestApp) -> i64 {
    let section = app.admin().section("港口", json!({})).await;
    published(app, "晨渡", section, "2020-01-01T00:00:00Z").await
}

async fn published(app: &TestApp, title: &str, section: i64, at: &str) -> i64 {
    let publish = json!({"publish": {"published_at": at}});
    app.admin().article(title, section, publish).await
}

fn view(app: &TestApp, article: i64) -> Request {
    app.request(Method::POST, &format!("/v1/articles/{article}/hits"))
}

async fn result(request: Request) -> String {
    let answer = request.send().await.ok(200);
    answer["result"].as_str().expect("a result").to_owned()
}

/// So many views, on a node that counts every view.
async fn views(app: &TestApp, article: i64, number: usize) {
    for _ in 0..number {
        assert_eq!(result(view(app, article)).await, "counted");
    }
}

async fn batch(app: &TestApp, hits: Value) -> Answer {
    app.post("/v1/hits", json!({"hits": hits})).await.ok(200)
}

fn results(answer: &Answer) -> Vec<&str> {
    let items = answer["data"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["result"].as_str().expect("a result"))
        .collect()
}

async fn count(app: &TestApp, article: i64) -> Answer {
    app.get(&format!("/v1/articles/{article}/hits"))
        .await
        .ok(200)
}

/// Today's views, those of 7 and those of 30 days.
async fn windows(app: &TestApp, article: i64) -> [i64; 3] {
    let count = count(app, article).await;
    ["today", "last_7_days", "last_30_days"].map(|name| number(&count, name))
}

fn number(answer: &Answer, member: &str) -> i64 {
    answer[member].as_i64().expect("a number")
}

/// The ledger of an article, which must balance.
async fn ledger(app: &TestApp, article: i64) -> Answer {
    let path = format!("/v1/admin/articles/{article}/hits");
    balanced(app.admin().get(&path).await.ok(200))
}

fn balanced(ledger: Answer) -> Answer {
    let sum = |names: &[&str]| names.iter().map(|name| number(&ledger, name)).sum::<i64>();
    let received = sum(&["counted", "duplicate", "bot", "rejected"]);
    assert_eq!(number(&ledger, "received"), received, "{ledger}");
    let total = sum(&["baseline", "counted", "adjusted"]);
    assert_eq!(number(&ledger, "total"), total, "{ledger}");
    ledger
}

/// `baseline`, `counted`, `adjusted`, `duplicate`, `bot`, `rejected` of an article.
async fn entries(app: &TestApp, article: i64) -> [i64; 6] {
    let ledger = ledger(app, article).await;
    [
        "baseline",
        "counted",
        "adjusted",
        "duplicate",
        "bot",
        "rejected",
    ]
    .map(|name| number(&ledger, name))
}

/// All that hits leave in the database.
fn hit_rows(app: &TestApp) -> Vec<(&'static str, Vec<String>)> {
    let mut rows = databases::rows(&mut app.connect());
    rows.retain(|(table, _)| table.starts_with("hit_"));
    rows
}

// Recording.

async fn a_counted_hit_is_in_the_next_read(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for expected in 1..=3 {
        let hit = view(&app, id).send().await.ok(200);
        assert_eq!(
            hit.json,
            json!({"article_id": id, "result": "counted", "total": expected, "today": expected})
        );
        assert_eq!(number(&count(&app, id).await, "total"), expected);
    }
    let read = count(&app, id).await;
    assert_eq!(
        read.json,
        json!({"article_id": id, "total": 3, "today": 3, "last_7_days": 3, "last_30_days": 3, "as_of": NOON})
    );
    let with_hits = app.get(&format!("/v1/articles/{id}?include=hits")).await;
    assert_eq!(with_hits["hits"], read.json);
}

async fn an_article_that_nobody_viewed_has_zeros(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(
        count(&app, id).await.json,
        json!({"article_id": id, "total": 0, "today": 0, "last_7_days": 0, "last_30_days": 0, "as_of": null})
    );
}

async fn a_hit_is_sent_with_or_without_a_body(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let body = r#"{"client": "web", "hit_id": "HIT"}"#;
    for request in [
        view(&app, id),
        view(&app, id).header("content-type", "application/json"),
        view(&app, id).header("content-type", "application/octet-stream"),
        view(&app, id).body("application/json", "{}"),
        view(&app, id).body("application/json", body.replace("HIT", "j")),
        view(&app, id).body("text/plain", body.replace("HIT", "t")),
        view(&app, id).body("text/plain;charset=UTF-8", body.replace("HIT", "u")),
        view(&app, id).json(&json!({"client": null, "hit_id": null})),
    ] {
        assert_eq!(result(request).await, "counted");
    }
    for client in ["web", "h5", "app", "mini", "other"] {
        let request = view(&app, id).json(&json!({"client": client}));
        assert_eq!(result(request).await, "counted");
    }
    assert_eq!(number(&count(&app, id).await, "total"), 13);
}

async fn an_answered_hit_outlives_the_node(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    views(&app, id, 4).await;
    app.stop().await;
    let later = stage.app().await;
    assert_eq!(windows(&later, id).await, [4, 4, 4]);
}

async fn reading_never_counts(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for path in [
        format!("/v1/articles/{id}"),
        format!("/v1/articles/{id}?include=hits"),
        format!("/v1/articles/{id}/hits"),
        format!("/v1/articles/{id}/neighbors"),
        "/v1/articles?include=body,hits".to_owned(),
        format!("/v1/hits?article_ids={id}"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            app.request(method, &path).send().await.ok(200);
        }
    }
    assert_eq!(number(&ledger(&app, id).await, "received"), 0);
}

async fn an_article_that_is_not_public_takes_no_hits(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let shown = admin.section("码头", json!({})).await;
    let hidden = admin.section("内部", json!({"visible": false})).await;
    let below = admin
        .section("内部航线", json!({"parent_id": hidden}))
        .await;
    let ahead = json!({"publish": {"published_at": "2026-02-01T00:00:00Z"}});
    let brief = json!({"publish": {"expires_at": "2026-01-31T04:01:00Z"}});
    let scheduled = admin.article("明日起航", shown, ahead).await;
    let expired = admin.article("限时渡轮", shown, brief).await;
    let archived = admin.article("旧航班", shown, json!({})).await;
    let trashed = admin.article("误发", shown, json!({})).await;
    admin
        .act(&format!("/v1/admin/articles/{archived}/unpublish"))
        .await
        .ok(200);
    admin
        .delete(&format!("/v1/admin/articles/{trashed}"))
        .await
        .ok(204);
    let ids = [
        admin.draft("草稿", shown, json!({})).await,
        scheduled,
        expired,
        archived,
        trashed,
        admin.article("暗港", hidden, json!({})).await,
        admin.article("更深的暗港", below, json!({})).await,
        987_654_321,
    ];
    app.advance(60);
    let before = hit_rows(&app);
    for id in ids {
        view(&app, id).send().await.problem(404, "not_found");
        app.get(&format!("/v1/articles/{id}/hits"))
            .await
            .problem(404, "not_found");
    }
    app.post("/v1/articles/nowhere-to-be-found/hits", json!({}))
        .await
        .problem(404, "not_found");
    let items: Vec<Value> = ids
        .iter()
        .map(|id| json!({"article_id": id, "hit_id": "x", "at": "2020-01-01T00:00:00Z"}))
        .collect();
    assert_eq!(results(&batch(&app, json!(items)).await), ["not_found"; 8]);
    assert_eq!(hit_rows(&app), before);
}

async fn an_old_slug_takes_hits(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}");
    app.admin()
        .patch(&path, json!({"slug": "morning-ferry"}))
        .await
        .ok(200);
    app.admin()
        .patch(&path, json!({"slug": "dawn-ferry"}))
        .await
        .ok(200);
    for slug in ["morning-ferry", "dawn-ferry"] {
        let hit = app
            .post(&format!("/v1/articles/{slug}/hits"), json!({}))
            .await
            .ok(200);
        assert_eq!(hit["article_id"], id);
    }
    let moved = app.get("/v1/articles/morning-ferry/hits").await.ok(308);
    assert_eq!(
        moved.header("location"),
        Some("/v1/articles/dawn-ferry/hits")
    );
    assert_eq!(number(&count(&app, id).await, "total"), 2);
}

async fn a_hit_leaves_the_article_as_it_is(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let (managed, public) = (
        format!("/v1/admin/articles/{id}"),
        format!("/v1/articles/{id}"),
    );
    let before = (app.admin().get(&managed).await, app.get(&public).await);
    app.advance(90);
    views(&app, id, 2).await;
    let after = (app.admin().get(&managed).await, app.get(&public).await);
    for header in ["etag", "last-modified"] {
        assert_eq!(before.1.header(header), after.1.header(header));
        assert!(after.1.header(header).is_some());
    }
    assert_eq!(before.0.header("etag"), after.0.header("etag"));
    assert_eq!(before.0.json, after.0.json);
    assert_eq!(before.1.json, after.1.json);
}

// Visitors and windows.

async fn a_visitor_counts_once_in_the_window(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    assert_eq!(result(view(&app, id)).await, "counted");
    let again = view(&app, id).send().await.ok(200);
    assert_eq!(
        again.json,
        json!({"article_id": id, "result": "duplicate", "total": 1, "today": 1})
    );
    assert_eq!(result(view(&app, other)).await, "counted");
    app.advance(30 * 60 - 1);
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.advance(1);
    assert_eq!(result(view(&app, id)).await, "counted");
    assert_eq!(entries(&app, id).await, [0, 2, 0, 2, 0, 0]);
}

async fn the_window_is_a_setting(stage: Stage) {
    let app = stage.with(&[("LANMU_HIT_WINDOW", "5")]).await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    app.advance(299);
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.advance(1);
    assert_eq!(result(view(&app, id)).await, "counted");
}

async fn the_window_reaches_over_midnight(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    app.set_clock("2026-01-31T15:50:00Z");
    assert_eq!(result(view(&app, id)).await, "counted");
    app.set_clock("2026-01-31T16:10:00Z");
    assert_eq!(result(view(&app, id)).await, "duplicate");
    app.set_clock("2026-01-31T16:20:00Z");
    assert_eq!(result(view(&app, id)).await, "counted");
}

async fn without_a_window_every_view_counts(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    views(&app, id, 5).await;
    assert_eq!(entries(&app, id).await, [0, 5, 0, 0, 0, 0]);
}

async fn another_agent_is_another_visitor(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    for (agent, expected) in [
        (CHROME, "counted"),
        (FIREFOX, "counted"),
        (CHROME, "duplicate"),
        (FIREFOX, "duplicate"),
    ] {
        let request = view(&app, id).header("user-agent", agent);
        assert_eq!(result(request).await, expected, "{agent}");
    }
}

async fn an_address_behind_a_trusted_proxy_is_a_visitor(stage: Stage) {
    let app = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")])
        .await;
    let id = article(&app).await;
    for (forwarded, expected) in [
        ("203.0.113.7", "counted"),
        ("203.0.113.8", "counted"),
        ("203.0.113.7", "duplicate"),
        // What the client wrote itself, and a second proxy of ours.
        ("198.51.100.1, 203.0.113.8", "duplicate"),
        ("198.51.100.2, 203.0.113.9, 10.1.2.3", "counted"),
        ("203.0.113.9", "duplicate"),
        ("::ffff:203.0.113.9", "duplicate"),
    ] {
        let request = view(&app, id).header("x-forwarded-for", forwarded);
        assert_eq!(result(request).await, expected, "{forwarded}");
    }
}

async fn an_address_that_an_untrusted_peer_tells_is_not_believed(stage: Stage) {
    let app = stage
        .with(&[("LANMU_TRUSTED_PROXIES", "192.0.2.0/24")])
        .await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-real-ip", "203.0.113.8"),
        ("forwarded", "for=203.0.113.9"),
        ("client-ip", "203.0.113.10"),
    ] {
        let request = view(&app, id).header(name, value);
        assert_eq!(result(request).await, "duplicate", "{name}: {value}");
    }
}

async fn an_ipv6_household_is_one_visitor(stage: Stage) {
    let app = stage.with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let id = article(&app).await;
    for (forwarded, expected) in [
        ("2001:db8:1:2::a", "counted"),
        ("2001:db8:1:2:ffff:1:2:3", "duplicate"),
        ("2001:db8:1:3::a", "counted"),
    ] {
        let request = view(&app, id).header("x-forwarded-for", forwarded);
        assert_eq!(result(request).await, expected, "{forwarded}");
    }
}

async fn no_address_is_kept(stage: Stage) {
    let app = stage.with(&[("LANMU_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let id = article(&app).await;
    let request = view(&app, id)
        .header("x-forwarded-for", "203.0.113.77")
        .header("user-agent", "Reader/77.7");
    assert_eq!(result(request).await, "counted");
    let kept = format!("{:?}", databases::rows(&mut app.connect()));
    assert!(!kept.contains("203.0.113.77") && !kept.contains("Reader/77.7"));
}

// Hit ids.

async fn a_repeated_hit_id_is_a_duplicate_for_seven_days(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let hit = |article| view(&app, article).json(&json!({"hit_id": "甲-1"}));
    assert_eq!(result(hit(id)).await, "counted");
    assert_eq!(result(hit(id)).await, "duplicate");
    assert_eq!(result(hit(other)).await, "counted");
    app.advance(7 * 86_400 - 1);
    assert_eq!(result(hit(id)).await, "duplicate");
    app.advance(1);
    assert_eq!(result(hit(id)).await, "counted");
    assert_eq!(entries(&app, id).await, [0, 2, 0, 2, 0, 0]);
}

async fn a_hit_id_has_up_to_64_characters(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for hit_id in ["一", &"浪".repeat(64)] {
        let request = view(&app, id).json(&json!({"hit_id": hit_id}));
        assert_eq!(result(request).await, "counted");
    }
    for hit_id in ["", "  ", &"浪".repeat(65)] {
        let refused = app
            .post(
                &format!("/v1/articles/{id}/hits"),
                json!({"hit_id": hit_id}),
            )
            .await
            .problem(422, "validation_failed");
        assert_eq!(refused.faults()[0].0, "/hit_id");
    }
}

async fn hit_ids_differ_by_case(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for hit_id in ["abc", "ABC", "é", "e\u{301}"] {
        let request = view(&app, id).json(&json!({"hit_id": hit_id}));
        assert_eq!(result(request).await, "counted", "{hit_id}");
    }
}

// Bots.

async fn bots_and_prefetches_are_answered_and_not_counted(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    views(&app, id, 1).await;
    let agents = [
        GOOGLEBOT,
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Twitterbot/1.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    ];
    for agent in agents {
        let hit = view(&app, id)
            .header("user-agent", agent)
            .send()
            .await
            .ok(200);
        assert_eq!(
            hit.json,
            json!({"article_id": id, "result": "bot", "total": 1, "today": 1}),
            "{agent}"
        );
    }
    let prefetches = [
        ("purpose", "prefetch"),
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("x-moz", "prefetch"),
        ("x-purpose", "preview"),
    ];
    for (name, value) in prefetches {
        let request = view(&app, id)
            .header("user-agent", CHROME)
            .header(name, value);
        assert_eq!(result(request).await, "bot", "{name}: {value}");
    }
    let expected = i64::try_from(agents.len() + prefetches.len()).expect("few");
    assert_eq!(entries(&app, id).await, [0, 1, 0, 0, expected, 0]);
    assert_eq!(windows(&app, id).await, [1, 1, 1]);
}

async fn apps_and_libraries_count(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    for agent in [
        "curl/8.5.0",
        "Wget/1.21.4",
        "okhttp/4.12.0",
        "axios/1.7.2",
        "python-requests/2.31.0",
        "Go-http-client/1.1",
        "Java/17.0.2",
        "Dart/3.4 (dart:io)",
        "Apache-HttpClient/5.3 (Java/17)",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "GuzzleHttp/7",
        "PostmanRuntime/7.39.0",
        "Portal/3.1 CFNetwork/1494 Darwin/23.4.0",
        "MyPaper/2.0 (Android 14)",
        CHROME,
        FIREFOX,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49 NetType/WIFI Language/zh_CN",
    ] {
        let request = view(&app, id).header("user-agent", agent);
        assert_eq!(result(request).await, "counted", "{agent}");
    }
}

// Batches.

async fn a_batch_is_answered_item_by_item_in_order(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let answer = batch(
        &app,
        json!([
            {"article_id": other, "hit_id": "a", "at": "2026-01-31T03:00:00Z", "client": "app"},
            {"article_id": 987_654_321, "hit_id": "b"},
            {"article_id": id, "hit_id": "c", "at": "2026-01-31T01:00:00Z"},
            {"article_id": id, "hit_id": "c", "at": "2026-01-31T02:00:00Z"},
            {"article_id": id, "hit_id": "d", "at": "2026-01-31T01:10:00Z"},
            {"article_id": id, "hit_id": "e", "at": "2026-01-31T11:30:00+08:00"},
            {"article_id": id, "hit_id": "f", "at": "2026-01-01T00:00:00Z"},
            {"article_id": id, "hit_id": "g", "at": null, "client": null},
        ]),
    )
    .await;
    let expected: Vec<Value> = [
        (other, "counted"),
        (987_654_321, "not_found"),
        (id, "counted"),
        (id, "duplicate"),
        (id, "duplicate"),
        (id, "counted"),
        (id, "rejected"),
        (id, "counted"),
    ]
    .iter()
    .enumerate()
    .map(|(index, (id, result))| json!({"index": index, "article_id": id, "result": result}))
    .collect();
    assert_eq!(answer["data"], json!(expected));
    assert_eq!(entries(&app, id).await, [0, 3, 0, 2, 0, 1]);
    assert_eq!(entries(&app, other).await, [0, 1, 0, 0, 0, 0]);
}

async fn a_batch_sent_again_counts_nothing(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let items: Vec<Value> = (0..20)
        .map(|n| json!({"article_id": id, "hit_id": format!("n{n}")}))
        .collect();
    let first = batch(&app, json!(items)).await;
    assert_eq!(results(&first), ["counted"; 20]);
    app.advance(600);
    let again = batch(&app, json!(items)).await;
    assert_eq!(results(&again), ["duplicate"; 20]);
    assert_eq!(entries(&app, id).await, [0, 20, 0, 20, 0, 0]);
}

async fn a_batch_may_be_plain_text(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let body = json!({"hits": [{"article_id": id, "hit_id": "t"}]}).to_string();
    let answer = app
        .request(Method::POST, "/v1/hits")
        .body("text/plain;charset=UTF-8", body)
        .send()
        .await
        .ok(200);
    assert_eq!(results(&answer), ["counted"]);
}

async fn a_batch_has_at_most_500_hits(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let items = |number: usize| -> Vec<Value> {
        (0..number)
            .map(|n| json!({"article_id": id, "hit_id": n.to_string()}))
            .collect()
    };
    let before = hit_rows(&app);
    let refused = app
        .post("/v1/hits", json!({"hits": items(501)}))
        .await
        .problem(422, "validation_failed");
    assert_eq!(
        refused.faults(),
        [("/hits".to_owned(), "too_many".to_owned())]
    );
    assert_eq!(hit_rows(&app), before);
    let taken = batch(&app, json!(items(500))).await;
    assert_eq!(results(&taken), vec!["counted"; 500]);
    assert_eq!(number(&count(&app, id).await, "total"), 500);
}

async fn a_batch_of_a_bot_is_the_bots(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let body = json!({"hits": [
        {"article_id": id, "hit_id": "a"},
        {"article_id": id, "hit_id": "b", "at": "2026-01-31T03:00:00Z"},
    ]});
    let answer = app
        .request(Method::POST, "/v1/hits")
        .header("user-agent", GOOGLEBOT)
        .json(&body)
        .send()
        .await
        .ok(200);
    assert_eq!(results(&answer), ["bot", "bot"]);
    assert_eq!(entries(&app, id).await, [0, 0, 0, 0, 2, 0]);
}

async fn times_too_far_off_are_rejected(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for (index, (at, expected)) in [
        ("2026-01-24T03:59:59.999Z", "rejected"),
        ("2026-01-24T04:00:00Z", "counted"),
        ("2026-01-31T04:05:00Z", "counted"),
        ("2026-01-31T04:05:00.001Z", "rejected"),
        ("2026-01-31T12:05:00+08:00", "counted"),
        ("1970-01-01T00:00:00Z", "rejected"),
        ("0001-06-01T00:00:00Z", "rejected"),
        ("9999-06-01T00:00:00Z", "rejected"),
    ]
    .into_iter()
    .enumerate()
    {
        let hit = json!([{"article_id": id, "hit_id": index.to_string(), "at": at}]);
        assert_eq!(results(&batch(&app, hit).await), [expected], "{at}");
    }
    assert_eq!(entries(&app, id).await, [0, 3, 0, 0, 0, 5]);
}

async fn a_hit_counts_on_its_own_day(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let sent = batch(
        &app,
        json!([
            {"article_id": id, "hit_id": "a", "at": "2026-01-27T15:59:59Z"},
            {"article_id": id, "hit_id": "b", "at": "2026-01-27T16:00:00Z"},
            {"article_id": id, "hit_id": "c", "at": "2026-01-30T15:59:59Z"},
            {"article_id": id, "hit_id": "d"},
        ]),
    )
    .await;
    assert_eq!(results(&sent), ["counted"; 4]);
    let daily = app
        .get(&format!(
            "/v1/hits/daily?article={id}&from=2026-01-27&to=2026-01-31"
        ))
        .await
        .ok(200);
    assert_eq!(daily.each("hits"), [1, 1, 0, 1, 1]);
    assert_eq!(windows(&app, id).await, [1, 4, 4]);
}

async fn what_a_batch_tells_of_the_past_does_not_shut_out_the_present(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    let past = json!([
        {"article_id": id, "hit_id": "a", "at": "2026-01-31T03:59:00Z"},
        {"article_id": id, "hit_id": "b", "at": "2026-01-31T03:29:00Z"},
        {"article_id": id, "hit_id": "c", "at": "2026-01-31T03:29:01Z"},
    ]);
    assert_eq!(
        results(&batch(&app, past).await),
        ["counted", "counted", "duplicate"]
    );
    let mut later = view(&app, id);
    later = later.header("user-agent", CHROME);
    assert_eq!(result(later).await, "counted");
}

// Ledgers.

async fn the_ledger_balances_after_every_event(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let late = json!([{"article_id": id, "hit_id": "l", "at": "2025-01-01T00:00:00Z"}]);
    assert_eq!(entries(&app, id).await, [0; 6]);
    view(&app, id).send().await.ok(200);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 0, 0, 0]);
    view(&app, id).send().await.ok(200);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 1, 0, 0]);
    view(&app, id)
        .header("user-agent", GOOGLEBOT)
        .send()
        .await
        .ok(200);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 1, 1, 0]);
    batch(&app, late).await;
    assert_eq!(entries(&app, id).await, [0, 1, 0, 1, 1, 1]);
    let baseline = json!({"baseline": 700, "reason": "旧站累计"});
    balanced(app.admin().put(&path, baseline).await.ok(200));
    assert_eq!(entries(&app, id).await, [700, 1, 0, 1, 1, 1]);
    let reset = json!({"reason": "重新起算"});
    balanced(
        app.admin()
            .post(&format!("{path}/reset"), reset)
            .await
            .ok(200),
    );
    assert_eq!(number(&ledger(&app, id).await, "total"), 0);
    assert_eq!(number(&ledger(&app, id).await, "received"), 4);
    view(&app, id)
        .header("user-agent", CHROME)
        .send()
        .await
        .ok(200);
    assert_eq!(number(&ledger(&app, id).await, "total"), 1);
    app.admin().delete(&path).await.ok(204);
    let at_last = ledger(&app, id).await;
    assert_eq!(
        (number(&at_last, "total"), number(&at_last, "received")),
        (0, 5)
    );
}

async fn a_baseline_is_set_with_a_reason(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    views(&app, id, 2).await;
    for (baseline, reason) in [(1000, "旧站的计数"), (900, "更正")] {
        let body = json!({"baseline": baseline, "reason": reason});
        let set = balanced(app.admin().put(&path, body).await.ok(200));
        assert_eq!(number(&set, "total"), baseline + 2);
        assert_eq!(number(&count(&app, id).await, "total"), baseline + 2);
    }
    assert_eq!(windows(&app, id).await, [2, 2, 2]);
    type Entry = (String, i64, i64, Option<String>, Option<i64>);
    let noted: Vec<Entry> = hit_entries::table
        .filter(hit_entries::article_id.eq(id))
        .order(hit_entries::id)
        .select((
            hit_entries::kind,
            hit_entries::delta,
            hit_entries::total_after,
            hit_entries::reason,
            hit_entries::user_id,
        ))
        .load(&mut app.connect())
        .expect("the entries");
    let entry = |delta, total, reason: &str| {
        let kind = "baseline".to_owned();
        (kind, delta, total, Some(reason.to_owned()), Some(1))
    };
    assert_eq!(
        noted,
        [entry(1000, 1002, "旧站的计数"), entry(-100, 902, "更正")]
    );
}

async fn a_baseline_without_a_reason_is_refused(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let before = hit_rows(&app);
    for (body, faults) in [
        (json!({"baseline": 5}), vec!["/reason"]),
        (
            json!({"baseline": 5, "reason": " \u{3000}"}),
            vec!["/reason"],
        ),
        (json!({"baseline": 5, "reason": null}), vec!["/reason"]),
        (json!({"reason": "无"}), vec!["/baseline"]),
        (json!({"baseline": null, "reason": "无"}), vec!["/baseline"]),
        (json!({"baseline": -1, "reason": "无"}), vec!["/baseline"]),
        (json!({}), vec!["/baseline", "/reason"]),
        (json!({"baseline": -1}), vec!["/baseline", "/reason"]),
    ] {
        let refused = app.admin().put(&path, body.clone()).await;
        let refused = refused.problem(422, "validation_failed");
        let told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
        assert_eq!(told, faults, "{body}");
    }
    app.admin()
        .put(
            "/v1/admin/articles/987654321/hits",
            json!({"baseline": 1, "reason": "无"}),
        )
        .await
        .problem(404, "not_found");
    assert_eq!(hit_rows(&app), before);
}

async fn a_reset_goes_back_to_zero_and_keeps_what_was_received(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let reset = format!("{path}/reset");
    views(&app, id, 3).await;
    app.admin()
        .put(&path, json!({"baseline": 40, "reason": "旧站"}))
        .await
        .ok(200);
    for body in [json!({}), json!({"reason": ""}), json!({"reason": null})] {
        let refused = app.admin().post(&reset, body).await;
        refused.problem(422, "validation_failed");
    }
    app.admin().act(&reset).await.problem(400, "invalid_body");
    assert_eq!(number(&count(&app, id).await, "total"), 43);
    let done = app.admin().post(&reset, json!({"reason": "试点击"})).await;
    let done = balanced(done.ok(200));
    assert_eq!((number(&done, "total"), number(&done, "received")), (0, 3));
    assert_eq!(windows(&app, id).await, [0, 0, 0]);
    let daily = app
        .get("/v1/hits/daily?from=2026-01-31&to=2026-01-31")
        .await;
    assert_eq!(daily.ok(200).each("hits"), [0]);
    views(&app, id, 1).await;
    assert_eq!(number(&count(&app, id).await, "total"), 1);
    assert_eq!(windows(&app, id).await, [1, 1, 1]);
}

async fn deleting_a_count_resets_it(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    views(&app, id, 3).await;
    for _ in 0..2 {
        app.admin().delete(&path).await.ok(204);
        let zero = ledger(&app, id).await;
        assert_eq!((number(&zero, "total"), number(&zero, "received")), (0, 3));
    }
    app.admin()
        .delete("/v1/admin/articles/987654321/hits")
        .await
        .problem(404, "not_found");
}

async fn a_count_outlives_the_trash(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}");
    views(&app, id, 2).await;
    app.admin().delete(&path).await.ok(204);
    assert_eq!(number(&ledger(&app, id).await, "total"), 2);
    app.admin().act(&format!("{path}/restore")).await.ok(200);
    app.admin().act(&format!("{path}/publish")).await.ok(200);
    assert_eq!(number(&count(&app, id).await, "total"), 2);
}

async fn management_lists_every_count(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("港口", json!({})).await;
    let below = app
        .admin()
        .section("渡口", json!({"parent_id": section}))
        .await;
    let apart = app.admin().section("集市", json!({})).await;
    let most = published(&app, "一", section, "2020-01-01T00:00:00Z").await;
    let some = published(&app, "二", below, "2020-01-01T00:00:00Z").await;
    let draft = app.admin().draft("三", section, json!({})).await;
    let trashed = published(&app, "四", apart, "2020-01-01T00:00:00Z").await;
    views(&app, most, 3).await;
    views(&app, some, 1).await;
    views(&app, trashed, 2).await;
    app.admin()
        .delete(&format!("/v1/admin/articles/{trashed}"))
        .await
        .ok(204);
    let list = |query: &str| {
        let path = format!("/v1/admin/hits{query}");
        let app = &app;
        async move { app.admin().get(&path).await.ok(200).each("article_id") }
    };
    assert_eq!(list("").await, [most, trashed, some, draft]);
    assert_eq!(list("?sort=-hits").await, [most, trashed, some, draft]);
    assert_eq!(list("?sort=hits").await, [draft, some, trashed, most]);
    assert_eq!(list("?sort=id").await, [most, some, draft, trashed]);
    assert_eq!(
        list(&format!("?section={section}")).await,
        [most, some, draft]
    );
    assert_eq!(list("?limit=2&page=2").await, [some, draft]);
    let page = app.admin().get("/v1/admin/hits?limit=3").await.ok(200);
    assert_eq!(
        page["page"],
        json!({"limit": 3, "number": 1, "total": 4, "total_pages": 2, "next_cursor": null})
    );
    assert!(
        page.link("next")
            .is_some_and(|next| next.contains("page=2"))
    );
    let first = page["data"][0].clone();
    assert_eq!(first, ledger(&app, most).await.json);
    app.admin()
        .get("/v1/admin/hits?cursor=WyJoaXRzIiwiIiwxXQ")
        .await
        .problem(400, "invalid_request");
}

// Days.

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
            {"day": "2026-03-07", "hits": 1},
            {"day": "2026-03-08", "hits": 2},
            {"day": "2026-03-09", "hits": 1},
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

// Reading.

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

// The ranking.

/// Articles with views at different times; the last is in a section of its own.
async fn fleet(app: &TestApp) -> [i64; 5] {
    let admin = app.admin();
    let sea = admin.section("海", json!({"slug": "sea"})).await;
    let bay = admin
        .section("湾", json!({"slug": "bay", "parent_id": sea}))
        .await;
    let land = admin.section("陆", json!({"slug": "land"})).await;
    let long_ago = published(app, "甲", sea, "2020-01-01T00:00:00Z").await;
    let weeks_ago = published(app, "乙", bay, "2020-01-02T00:00:00Z").await;
    let days_ago = published(app, "丙", bay, "2020-01-03T00:00:00Z").await;
    let today = published(app, "丁", land, "2020-01-04T00:00:00Z").await;
    let never = published(app, "戊", land, "2020-01-05T00:00:00Z").await;
    for (clock, article, number) in [
        ("2025-12-22T04:00:00Z", long_ago, 3),
        ("2026-01-11T04:00:00Z", weeks_ago, 2),
        ("2026-01-26T04:00:00Z", days_ago, 2),
        (NOON, today, 1),
    ] {
        app.set_clock(clock);
        views(app, article, number).await;
    }
    [long_ago, weeks_ago, days_ago, today, never]
}

async fn top(app: &TestApp, query: &str) -> Vec<(i64, i64, i64)> {
    let answer = app.get(&format!("/v1/hits/top?{query}")).await.ok(200);
    let items = answer["data"].as_array().expect("a list").clone();
    let number = |value: &Value| value.as_i64().expect("a number");
    items
        .iter()
        .map(|item| {
            (
                number(&item["rank"]),
                number(&item["article"]["id"]),
                number(&item["hits"]),
            )
        })
        .collect()
}

async fn the_top_list_ranks_by_views_in_the_window(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, weeks_ago, days_ago, today, _] = fleet(&app).await;
    assert_eq!(top(&app, "window=today").await, [(1, today, 1)]);
    assert_eq!(
        top(&app, "window=last_7_days").await,
        [(1, days_ago, 2), (2, today, 1)]
    );
    // Among equals the newest is first.
    assert_eq!(
        top(&app, "window=last_30_days").await,
        [(1, days_ago, 2), (2, weeks_ago, 2), (3, today, 1)]
    );
    assert_eq!(
        top(&app, "window=all").await,
        [
            (1, long_ago, 3),
            (2, days_ago, 2),
            (3, weeks_ago, 2),
            (4, today, 1)
        ]
    );
    assert_eq!(
        top(&app, "window=all&limit=2").await,
        [(1, long_ago, 3), (2, days_ago, 2)]
    );
}

async fn the_top_list_may_be_a_sections(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, weeks_ago, days_ago, today, _] = fleet(&app).await;
    assert_eq!(
        top(&app, "window=all&section=sea").await,
        [(1, long_ago, 3), (2, days_ago, 2), (3, weeks_ago, 2)]
    );
    assert_eq!(
        top(&app, "window=last_30_days&section=bay").await,
        [(1, days_ago, 2), (2, weeks_ago, 2)]
    );
    assert_eq!(top(&app, "window=all&section=3").await, [(1, today, 1)]);
    app.get("/v1/hits/top?section=nowhere")
        .await
        .problem(404, "not_found");
}

async fn the_top_list_leaves_out_what_is_not_public(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, weeks_ago, days_ago, today, _] = fleet(&app).await;
    app.admin()
        .act(&format!("/v1/admin/articles/{long_ago}/unpublish"))
        .await
        .ok(200);
    app.admin()
        .patch("/v1/admin/sections/2", json!({"visible": false}))
        .await
        .ok(200);
    assert_eq!(top(&app, "window=all").await, [(1, today, 1)]);
    assert_eq!(top(&app, "window=last_30_days").await, [(1, today, 1)]);
    app.get("/v1/hits/top?section=bay")
        .await
        .problem(404, "not_found");
    let sea = app.get("/v1/hits/top?section=sea").await.ok(200);
    assert_eq!((&sea["data"], &sea["as_of"]), (&json!([]), &Value::Null));
    app.admin()
        .patch("/v1/admin/sections/2", json!({"visible": true}))
        .await
        .ok(200);
    assert_eq!(
        top(&app, "window=all&section=sea").await,
        [(1, days_ago, 2), (2, weeks_ago, 2)]
    );
}

async fn the_top_list_of_all_time_counts_baselines(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, .., never] = fleet(&app).await;
    app.admin()
        .put(
            &format!("/v1/admin/articles/{never}/hits"),
            json!({"baseline": 50, "reason": "旧站"}),
        )
        .await
        .ok(200);
    assert_eq!(
        top(&app, "window=all&limit=2").await,
        [(1, never, 50), (2, long_ago, 3)]
    );
    assert!(
        top(&app, "window=last_30_days")
            .await
            .iter()
            .all(|(_, id, _)| *id != never)
    );
}

async fn the_top_list_turns_at_midnight(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [.., today, _] = fleet(&app).await;
    app.set_clock("2026-01-31T15:59:59Z");
    assert_eq!(top(&app, "window=today").await, [(1, today, 1)]);
    app.set_clock("2026-01-31T16:00:00Z");
    assert!(top(&app, "window=today").await.is_empty());
}

async fn the_top_list_refuses_what_it_does_not_know(stage: Stage) {
    let app = stage.app().await;
    let refused = app
        .get("/v1/hits/top?window=year&limit=101&page=2&section=A%20B")
        .await
        .problem(400, "invalid_request");
    let mut told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
    told.sort();
    assert_eq!(told, ["limit", "page", "section", "window"]);
}

// The series.

async fn days_without_a_view_are_there_with_zero(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, _, days_ago, ..] = fleet(&app).await;
    let daily = |query: String| {
        let app = &app;
        async move {
            let answer = app.get(&format!("/v1/hits/daily?{query}")).await.ok(200);
            (answer.each("hits"), answer)
        }
    };
    let span = "from=2026-01-25&to=2026-02-01";
    let (hits, site) = daily(span.to_owned()).await;
    assert_eq!(hits, [0, 2, 0, 0, 0, 0, 1, 0]);
    assert_eq!(site["data"][0], json!({"day": "2026-01-25", "hits": 0}));
    assert_eq!(site["data"][7]["day"], "2026-02-01");
    assert_eq!(site["as_of"], NOON);
    let (hits, _) = daily(format!("{span}&article={days_ago}")).await;
    assert_eq!(hits, [0, 2, 0, 0, 0, 0, 0, 0]);
    let (hits, of_section) = daily(format!("{span}&section=sea")).await;
    assert_eq!(hits, [0, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(of_section["as_of"], "2026-01-26T04:00:00Z");
    let (hits, _) = daily(format!("{span}&article={long_ago}")).await;
    assert_eq!(hits, [0; 8]);
    let (hits, _) = daily("from=2025-12-22&to=2025-12-22".to_owned()).await;
    assert_eq!(hits, [3]);
    let (hits, recent) = daily(String::new()).await;
    assert_eq!(hits.iter().sum::<i64>(), 5);
    let last = recent["data"].as_array().and_then(|days| days.last());
    assert_eq!(last, Some(&json!({"day": "2026-01-31", "hits": 1})));
}

async fn a_series_leaves_out_what_is_not_public(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [_, _, days_ago, ..] = fleet(&app).await;
    app.admin()
        .delete(&format!("/v1/admin/articles/{days_ago}"))
        .await
        .ok(204);
    let site = app
        .get("/v1/hits/daily?from=2026-01-26&to=2026-01-26")
        .await
        .ok(200);
    assert_eq!(site.each("hits"), [0]);
    for query in [
        format!("article={days_ago}"),
        "article=987654321".to_owned(),
        "article=nowhere".to_owned(),
        "section=987654321".to_owned(),
        "section=nowhere".to_owned(),
    ] {
        app.get(&format!("/v1/hits/daily?{query}"))
            .await
            .problem(404, "not_found");
    }
}

async fn a_series_has_a_sensible_span(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    for (query, parameter) in [
        ("from=2026-02-01&to=2026-01-31", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-1-1", "from"),
        ("from=20260101", "from"),
        ("from=2026-01-01T00:00:00Z", "from"),
        ("from=0000-01-01", "from"),
        ("from=yesterday", "from"),
        ("from=", "from"),
        ("to=2025-02-29", "to"),
        ("to=10000-01-01", "to"),
        ("to=-0001-01-01", "to"),
        ("to=2026-01-31&to=2026-01-31", "to"),
        ("from=1900-01-01&to=2026-01-31", "from"),
        ("from=1900-01-01", "from"),
        ("article=1&section=1", "section"),
        ("article=A%20B", "article"),
        ("section=A%20B", "section"),
        ("days=3", "days"),
    ] {
        let refused = app
            .get(&format!("/v1/hits/daily?{query}"))
            .await
            .problem(400, "invalid_request");
        assert_eq!(refused.faults()[0].0, parameter, "{query}");
    }
    for query in [
        "from=0001-01-01&to=0001-01-02",
        "from=9998-12-30&to=9998-12-31",
        "to=0001-01-02",
        "from=9998-12-31",
    ] {
        let answer = app
            .get(&format!("/v1/hits/daily?{query}&article={id}"))
            .await
            .ok(200);
        let days = answer["data"].as_array().expect("days");
        assert!(
            days.iter().all(|day| day["day"]
                .as_str()
                .is_some_and(|day| day.len() == 10 && day.as_bytes()[4] == b'-')),
            "{answer}"
        );
    }
}

// All at once.

/// Two nodes on one database.
async fn nodes(stage: &Stage, settings: &[(&str, &str)]) -> [Rc<TestApp>; 2] {
    [stage.with(settings).await, stage.with(settings).await]
}

async fn simultaneous(requests: Vec<Request>) -> Vec<String> {
    join_all(requests.into_iter().map(result)).await
}

fn occurrences(results: &[String], wanted: &str) -> usize {
    results.iter().filter(|result| *result == wanted).count()
}

async fn simultaneous_hits_all_count(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, PATIENT]).await;
    let id = article(&app).await;
    let requests = (0..150).map(|n| view(&app, id).json(&json!({"hit_id": format!("n{n}")})));
    let results = simultaneous(requests.collect()).await;
    assert_eq!(occurrences(&results, "counted"), 150);
    assert_eq!(entries(&app, id).await, [0, 150, 0, 0, 0, 0]);
    assert_eq!(windows(&app, id).await, [150; 3]);
}

async fn simultaneous_hits_on_two_nodes_all_count(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    let other = published(&nodes[0], "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let requests = (0..160).map(|n| {
        let article = if n % 3 == 0 { other } else { id };
        view(&nodes[n % 2], article).json(&json!({"hit_id": format!("n{n}")}))
    });
    let results = simultaneous(requests.collect()).await;
    assert_eq!(occurrences(&results, "counted"), 160);
    for node in &nodes {
        assert_eq!(windows(node, id).await, [106; 3]);
        assert_eq!(windows(node, other).await, [54; 3]);
    }
}

async fn simultaneous_hits_with_one_hit_id_count_once(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    for hit_id in ["first", "second", "third"] {
        let hit = json!({"hit_id": hit_id});
        let requests = (0..24).map(|n| view(&nodes[n % 2], id).json(&hit));
        let results = simultaneous(requests.collect()).await;
        assert_eq!(occurrences(&results, "counted"), 1);
        assert_eq!(occurrences(&results, "duplicate"), 23);
    }
    assert_eq!(entries(&nodes[0], id).await, [0, 3, 0, 69, 0, 0]);
}

async fn simultaneous_hits_of_one_visitor_count_once(stage: Stage) {
    let nodes = nodes(&stage, &[PATIENT]).await;
    let id = article(&nodes[0]).await;
    let requests = (0..40).map(|n| view(&nodes[n % 2], id));
    let results = simultaneous(requests.collect()).await;
    assert_eq!(occurrences(&results, "counted"), 1);
    assert_eq!(entries(&nodes[1], id).await, [0, 1, 0, 39, 0, 0]);
}

async fn simultaneous_batches_in_any_order_all_count(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let first = article(&nodes[0]).await;
    let mut ids = vec![first];
    for title in ["乙", "丙", "丁"] {
        ids.push(published(&nodes[0], title, 1, "2020-01-02T00:00:00Z").await);
    }
    let batches = (0..24).map(|n| {
        let mut order = ids.clone();
        order.rotate_left(n % 4);
        if n % 2 == 0 {
            order.reverse();
        }
        let items: Vec<Value> = order
            .iter()
            .map(|id| json!({"article_id": id, "hit_id": format!("b{n}")}))
            .collect();
        let node = &nodes[n % 2];
        async move { batch(node, json!(items)).await }
    });
    for answer in join_all(batches).await {
        assert_eq!(results(&answer), ["counted"; 4]);
    }
    for id in ids {
        assert_eq!(entries(&nodes[0], id).await, [0, 24, 0, 0, 0, 0]);
    }
}

async fn a_correction_among_hits_loses_none(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    nodes[0].token().await;
    let requests = (0..40).map(|n| view(&nodes[n % 2], id));
    let corrections = [500, 600, 700].map(|baseline| {
        let (node, path) = (&nodes[0], &path);
        async move {
            let body = json!({"baseline": baseline, "reason": "旧站"});
            balanced(node.admin().put(path, body).await.ok(200));
        }
    });
    let (results, _) =
        futures_util::future::join(simultaneous(requests.collect()), join_all(corrections)).await;
    assert_eq!(occurrences(&results, "counted"), 40);
    let [baseline, counted, ..] = entries(&nodes[1], id).await;
    assert!([500, 600, 700].contains(&baseline), "{baseline}");
    assert_eq!(counted, 40);
}

crate::facts![
    a_counted_hit_is_in_the_next_read,
    an_article_that_nobody_viewed_has_zeros,
    a_hit_is_sent_with_or_without_a_body,
    an_answered_hit_outlives_the_node,
    reading_never_counts,
    an_article_that_is_not_public_takes_no_hits,
    an_old_slug_takes_hits,
    a_hit_leaves_the_article_as_it_is,
    a_visitor_counts_once_in_the_window,
    the_window_is_a_setting,
    the_window_reaches_over_midnight,
    without_a_window_every_view_counts,
    another_agent_is_another_visitor,
    an_address_behind_a_trusted_proxy_is_a_visitor,
    an_address_that_an_untrusted_peer_tells_is_not_believed,
    an_ipv6_household_is_one_visitor,
    no_address_is_kept,
    a_repeated_hit_id_is_a_duplicate_for_seven_days,
    a_hit_id_has_up_to_64_characters,
    hit_ids_differ_by_case,
    bots_and_prefetches_are_answered_and_not_counted,
    apps_and_libraries_count,
    a_batch_is_answered_item_by_item_in_order,
    a_batch_sent_again_counts_nothing,
    a_batch_may_be_plain_text,
    a_batch_has_at_most_500_hits,
    a_batch_of_a_bot_is_the_bots,
    times_too_far_off_are_rejected,
    a_hit_counts_on_its_own_day,
    what_a_batch_tells_of_the_past_does_not_shut_out_the_present,
    the_ledger_balances_after_every_event,
    a_baseline_is_set_with_a_reason,
    a_baseline_without_a_reason_is_refused,
    a_reset_goes_back_to_zero_and_keeps_what_was_received,
    deleting_a_count_resets_it,
    a_count_outlives_the_trash,
    management_lists_every_count,
    days_turn_at_the_sites_midnight,
    days_are_those_of_the_sites_zone,
    as_of_is_the_last_hit_that_counts,
    counts_of_many_come_in_the_order_asked,
    counts_of_many_need_up_to_100_ids,
    the_100_ids_may_be_long,
    a_section_has_the_hits_of_its_subtree,
    the_site_has_the_hits_of_all_that_is_public,
    counts_are_asked_about_each_time,
    the_top_list_ranks_by_views_in_the_window,
    the_top_list_may_be_a_sections,
    the_top_list_leaves_out_what_is_not_public,
    the_top_list_of_all_time_counts_baselines,
    the_top_list_turns_at_midnight,
    the_top_list_refuses_what_it_does_not_know,
    days_without_a_view_are_there_with_zero,
    a_series_leaves_out_what_is_not_public,
    a_series_has_a_sensible_span,
    simultaneous_hits_all_count,
    simultaneous_hits_on_two_nodes_all_count,
    simultaneous_hits_with_one_hit_id_count_once,
    simultaneous_hits_of_one_visitor_count_once,
    simultaneous_batches_in_any_order_all_count,
    a_correction_among_hits_loses_none,
];
