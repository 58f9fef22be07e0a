//! Hits: over the limit they are answered and not counted.

use diesel::connection::SimpleConnection;
use lanmu::db::Conn;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, Request};
use crate::support::stage::Stage;

use super::{PROXY, from, limited, told, write};

const THREE_HITS: (&str, &str) = ("LANMU_RATE_HITS", "3");
const EVERY_VIEW: (&str, &str) = ("LANMU_HIT_WINDOW", "0");

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

async fn article(app: &TestApp) -> i64 {
    let section = app.admin().section("港口", json!({})).await;
    app.admin().article("晨渡", section, json!({})).await
}

fn view(app: &TestApp, article: i64) -> Request {
    app.request(Method::POST, &format!("/v1/articles/{article}/hits"))
}

async fn result(request: Request) -> String {
    let answer = request.send().await.ok(200);
    answer["result"].as_str().expect("a result").to_owned()
}

async fn batch(app: &TestApp, hits: Value) -> Vec<Value> {
    let answer = app.post("/v1/hits", json!({"hits": hits})).await.ok(200);
    let items = answer["data"].as_array().expect("a list").iter();
    items.map(|item| item["result"].clone()).collect()
}

/// `counted`, `duplicate`, `bot`, `rejected` of an article; their sum is `received`.
async fn ledger(app: &TestApp, article: i64) -> [i64; 4] {
    let path = format!("/v1/admin/articles/{article}/hits");
    let ledger = app.admin().get(&path).await.ok(200);
    let number = |ledger: &Answer, name: &str| ledger[name].as_i64().expect("a number");
    let entries = ["counted", "duplicate", "bot", "rejected"].map(|name| number(&ledger, name));
    assert_eq!(number(&ledger, "received"), entries.iter().sum::<i64>());
    assert_eq!(number(&ledger, "total"), entries[0]);
    entries
}

async fn a_view_over_the_limit_is_answered_and_not_counted(stage: Stage) {
    let app = stage.with(&[THREE_HITS, EVERY_VIEW]).await;
    let id = article(&app).await;
    for number in 1..=3 {
        let answer = view(&app, id).send().await.ok(200);
        let expected =
            json!({"article_id": id, "result": "counted", "total": number, "today": number});
        assert_eq!(answer.json, expected);
    }
    for _ in 0..2 {
        let answer = view(&app, id).send().await.ok(200);
        let expected = json!({"article_id": id, "result": "rejected", "total": 3, "today": 3});
        assert_eq!(answer.json, expected);
        assert_eq!(told(&answer), (None, None));
    }
    assert_eq!(ledger(&app, id).await, [3, 0, 0, 2]);
    app.advance(19);
    assert_eq!(result(view(&app, id)).await, "rejected");
    app.advance(1);
    assert_eq!(result(view(&app, id)).await, "counted");
    assert_eq!(result(view(&app, id)).await, "rejected");
    assert_eq!(ledger(&app, id).await, [4, 0, 0, 4]);
}

async fn each_view_of_a_batch_is_one(stage: Stage) {
    let app = stage.with(&[THREE_HITS, EVERY_VIEW]).await;
    let id = article(&app).await;
    let hit = |article: i64, hit_id: &str| json!({"article_id": article, "hit_id": hit_id});
    // What doesn't exist takes its share, too: it costs as much to find out.
    let first = json!([hit(id, "b"), hit(99, "a"), hit(id, "d"), hit(99, "c")]);
    let results = batch(&app, first).await;
    assert_eq!(results, ["counted", "not_found", "counted", "not_found"]);
    assert_eq!(result(view(&app, id)).await, "rejected");
    assert_eq!(ledger(&app, id).await, [2, 0, 0, 1]);
    app.advance(20);
    let second = json!([hit(id, "e"), hit(id, "f"), hit(id, "g"), hit(99, "h")]);
    let results = batch(&app, second.clone()).await;
    assert_eq!(results, ["counted", "rejected", "rejected", "not_found"]);
    assert_eq!(ledger(&app, id).await, [3, 0, 0, 3]);
    // What was rejected can be sent again.
    app.advance(60);
    let results = batch(&app, second).await;
    assert_eq!(results, ["duplicate", "counted", "counted", "not_found"]);
    assert_eq!(ledger(&app, id).await, [5, 1, 0, 3]);
}

async fn what_does_not_count_takes_its_share_too(stage: Stage) {
    let app = stage.with(&[THREE_HITS]).await;
    let id = article(&app).await;
    let bot = || view(&app, id).header("user-agent", GOOGLEBOT);
    assert_eq!(result(bot()).await, "bot");
    assert_eq!(result(view(&app, id)).await, "counted");
    assert_eq!(result(view(&app, id)).await, "duplicate");
    assert_eq!(result(bot()).await, "rejected");
    assert_eq!(result(view(&app, id)).await, "rejected");
    assert_eq!(ledger(&app, id).await, [1, 1, 1, 2]);
}

async fn far_over_the_limit_nothing_is_written(stage: Stage) {
    let app = stage.with(&[THREE_HITS, EVERY_VIEW]).await;
    let id = article(&app).await;
    let hit = |article: i64, hit_id: &str| json!({"article_id": article, "hit_id": hit_id});
    for expected in ["counted", "rejected"] {
        for _ in 0..3 {
            assert_eq!(result(view(&app, id)).await, expected);
        }
    }
    // Nobody's turn to write is taken: whoever holds it isn't waited for.
    let mut holder = app.connect();
    match &mut holder {
        Conn::Sqlite(sqlite) => sqlite.batch_execute("BEGIN IMMEDIATE"),
        Conn::Pg(pg) => pg.batch_execute("BEGIN; LOCK TABLE hit_log IN EXCLUSIVE MODE"),
    }
    .expect("the writer is held");
    let answer = view(&app, id).send().await.ok(200);
    let expected = json!({"article_id": id, "result": "rejected", "total": 3, "today": 3});
    assert_eq!(answer.json, expected);
    let results = batch(&app, json!([hit(id, "a"), hit(99, "b")])).await;
    assert_eq!(results, ["rejected", "not_found"]);
    drop(holder);
    assert_eq!(ledger(&app, id).await, [3, 0, 0, 3]);
    // A batch may reach over both limits; it can be sent again.
    app.advance(20);
    let both = json!([hit(id, "c"), hit(id, "d"), hit(id, "e"), hit(99, "f")]);
    let results = batch(&app, both.clone()).await;
    assert_eq!(results, ["counted", "rejected", "rejected", "not_found"]);
    assert_eq!(ledger(&app, id).await, [4, 0, 0, 4]);
    app.advance(60);
    let results = batch(&app, both).await;
    assert_eq!(results, ["duplicate", "counted", "counted", "not_found"]);
}

async fn each_address_has_its_own_share(stage: Stage) {
    let app = stage.with(&[THREE_HITS, EVERY_VIEW, PROXY]).await;
    let id = article(&app).await;
    let path = format!("/v1/articles/{id}/hits");
    for address in ["203.0.113.7", "2001:db8:1:2::a"] {
        for expected in ["counted", "counted", "counted", "rejected"] {
            let view = from(&app, address, Method::POST, &path);
            assert_eq!(result(view).await, expected, "{address}");
        }
    }
    let household = from(&app, "2001:db8:1:2::b", Method::POST, &path);
    assert_eq!(result(household).await, "rejected");
    assert_eq!(ledger(&app, id).await, [6, 0, 0, 3]);
}

async fn the_limit_of_writes_leaves_hits_alone(stage: Stage) {
    // Sign-in, section and article are three writes.
    let app = stage.with(&[EVERY_VIEW, ("LANMU_RATE_WRITES", "3")]).await;
    let id = article(&app).await;
    limited(write(&app).await, "20");
    for _ in 0..5 {
        assert_eq!(result(view(&app, id)).await, "counted");
    }
    let hit = json!([{"article_id": id, "hit_id": "a"}]);
    assert_eq!(batch(&app, hit).await, ["counted"]);
    let encoded = format!("/v1/%61rticles/{id}/%68its");
    assert_eq!(result(app.request(Method::POST, &encoded)).await, "counted");
    assert_eq!(ledger(&app, id).await, [7, 0, 0, 0]);
}

crate::facts![
    a_view_over_the_limit_is_answered_and_not_counted,
    each_view_of_a_batch_is_one,
    what_does_not_count_takes_its_share_too,
    far_over_the_limit_nothing_is_written,
    each_address_has_its_own_share,
    the_limit_of_writes_leaves_hits_alone,
];
