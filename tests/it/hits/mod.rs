//! Hit counts: recorded, read, ranked, corrected.

mod adjusting;
mod baselines;
mod batches;
mod clients;
mod compare;
mod counting;
mod export;
mod ledgers;
mod model;
mod rankings;
mod reading;
mod recording;
mod retention;
mod series;
mod server_side;
mod shim;
mod sorted;
mod sums;
mod together;
mod visitors;
mod visitors_a_day;
mod zones;

use diesel::prelude::*;
use lanmu::db::schema::hit_entries;
use std::rc::Rc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, Request};
use crate::support::databases;
use crate::support::stage::{Fact, Stage};

const EVERY_VIEW: (&str, &str) = ("LANMU_HIT_WINDOW", "0");

/// Requests that come all at once on a busy machine wait for their turn, not for a 503.
const PATIENT: (&str, &str) = ("LANMU_DB_WAIT_MS", "60000");

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Two nodes on one database.
async fn nodes(stage: &Stage, settings: &[(&str, &str)]) -> [Rc<TestApp>; 2] {
    [stage.with(settings).await, stage.with(settings).await]
}

/// Moves the clocks of these nodes to this instant.
fn move_clocks(nodes: &[Rc<TestApp>], to: &str) {
    nodes.iter().for_each(|node| node.set_clock(to));
}

async fn simultaneous(requests: Vec<Request>) -> Vec<String> {
    join_all(requests.into_iter().map(result)).await
}

fn occurrences(results: &[String], wanted: &str) -> usize {
    results.iter().filter(|result| *result == wanted).count()
}

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
///
/// It is the same before and after the hits of the log are folded in.
async fn ledger(app: &TestApp, article: i64) -> Answer {
    let path = format!("/v1/admin/articles/{article}/hits");
    let before = balanced(app.admin().get(&path).await.ok(200));
    app.fold().await;
    let after = balanced(app.admin().get(&path).await.ok(200));
    assert_eq!(after.json, before.json);
    after
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

/// An entry that a correction leaves: its kind, what it did to the total, the total then, why, and
/// whose it was.
type Entry = (String, i64, i64, Option<String>, Option<i64>);

fn entry(kind: &str, delta: i64, total: i64, reason: &str) -> Entry {
    (
        kind.to_owned(),
        delta,
        total,
        Some(reason.to_owned()),
        Some(1),
    )
}

/// The entries of an article, in order.
fn noted(app: &TestApp, article: i64) -> Vec<Entry> {
    let entries = hit_entries::table
        .filter(hit_entries::article_id.eq(article))
        .order(hit_entries::id)
        .select((
            hit_entries::kind,
            hit_entries::delta,
            hit_entries::total_after,
            hit_entries::reason,
            hit_entries::user_id,
        ))
        .load(&mut app.connect());
    entries.expect("the entries")
}

/// All that hits leave in the database.
fn hit_rows(app: &TestApp) -> Vec<(&'static str, Vec<String>)> {
    let mut rows = databases::rows(&mut app.connect());
    rows.retain(|(table, _)| table.starts_with("hit_"));
    rows
}

/// The facts of this module.
pub fn facts() -> Vec<Fact> {
    [
        recording::facts(),
        visitors::facts(),
        batches::facts(),
        ledgers::facts(),
        adjusting::facts(),
        server_side::facts(),
        baselines::facts(),
        export::facts(),
        shim::facts(),
        reading::facts(),
        rankings::facts(),
        together::facts(),
        counting::facts(),
        clients::facts(),
        visitors_a_day::facts(),
        series::facts(),
        zones::facts(),
        retention::facts(),
        sums::facts(),
        sorted::facts(),
    ]
    .concat()
}
