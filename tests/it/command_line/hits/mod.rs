//! Hits while the process, its database or its disk fails: what was acknowledged is stored, and once.
//!
//! `LANMU_TEST_KILLS` says how often the process is killed (3 by default), `LANMU_TEST_SECONDS` for how
//! many seconds two nodes count (2 by default).

mod crowd;
mod killed;
mod outages;
mod together;

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use lanmu::db::Conn;
use serde_json::{Value, json};

use super::Served;
use crate::support::app::TestApp;
use crate::support::databases;
use crate::support::stage::Fact;

use crowd::{Crowd, Said};

/// All that comes counts, folding is frequent, and no line is logged for each request.
const SETTINGS: &[(&str, &str)] = &[
    ("LANMU_RATE_LIMIT", "off"),
    ("LANMU_HITS_FOLD_MS", "50"),
    ("LANMU_LOG", "warn,lanmu::cli=info"),
];

/// Articles of two sections, one below the other.
struct Shelf {
    upper: i64,
    lower: i64,
    articles: Vec<i64>,
}

impl Shelf {
    /// Puts so many articles into a database that has none: every other one into the lower section.
    async fn fill(url: &str, number: usize) -> Self {
        let app = TestApp::start(url, &[]).await;
        let upper = app.admin().section("港口", json!({})).await;
        let below = json!({"parent_id": upper});
        let lower = app.admin().section("渡船", below).await;
        let mut articles = Vec::new();
        for n in 0..number {
            let section = if n % 2 == 0 { upper } else { lower };
            let publish = json!({"publish": {"published_at": "2020-01-01T00:00:00Z"}});
            let title = format!("第{n}班船");
            articles.push(app.admin().article(&title, section, publish).await);
        }
        app.stop().await;
        Self {
            upper,
            lower,
            articles,
        }
    }

    /// The count of each article, to which the counts of the site, the sections and the days add up.
    async fn counts(&self, served: &Served) -> BTreeMap<i64, i64> {
        let mut counts = BTreeMap::new();
        for id in &self.articles {
            let count = served.get(&format!("/v1/articles/{id}/hits")).await;
            assert_eq!(count["last_30_days"], count["total"], "{count}");
            counts.insert(*id, number(&count, "total"));
        }
        let all: i64 = counts.values().sum();
        let site = served.get("/v1/site").await;
        assert_eq!(number(&site, "hit_count"), all);
        assert_eq!(of_section(served, self.upper).await, all);
        let lower = self.articles.iter().skip(1).step_by(2);
        let lower: i64 = lower.map(|id| counts[id]).sum();
        assert_eq!(of_section(served, self.lower).await, lower);
        let daily = served.get("/v1/hits/daily").await;
        let days = daily["data"].as_array().expect("a list");
        assert_eq!(days.iter().map(|day| number(day, "hits")).sum::<i64>(), all);
        counts
    }
}

async fn of_section(served: &Served, section: i64) -> i64 {
    let path = format!("/v1/sections/{section}/hits");
    number(&served.get(&path).await, "total")
}

fn number(answer: &Value, member: &str) -> i64 {
    let found = answer[member].as_i64();
    found.unwrap_or_else(|| panic!("no {member}: {answer}"))
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn found(conn: &mut Conn, sql: &str) -> i64 {
    let found: Found = diesel::sql_query(sql)
        .get_result(conn)
        .expect("it is counted");
    found.n
}

/// Each of these counts what must not be there once all is folded in.
const UNBALANCED: &[(&str, &str)] = &[
    (
        "ledgers whose days don't add up",
        "SELECT count(*) AS n FROM hit_totals t WHERE t.counted <> \
         (SELECT coalesce(sum(d.hits), 0) FROM hit_days d WHERE d.article_id = t.article_id)",
    ),
    (
        "ledgers whose hours don't add up",
        "SELECT count(*) AS n FROM hit_totals t WHERE t.counted <> \
         (SELECT coalesce(sum(h.hits), 0) FROM hit_hours h WHERE h.article_id = t.article_id)",
    ),
    (
        "ledgers whose windows are not their days",
        "SELECT count(*) AS n FROM hit_totals WHERE month <> counted OR week <> counted",
    ),
    (
        "sums of sections that are not those of their articles",
        "SELECT count(*) AS n FROM hit_sums s WHERE s.unit = 'total' AND s.hits <> \
         (SELECT coalesce(sum(t.total), 0) FROM listings l \
          JOIN hit_totals t ON t.article_id = l.article_id WHERE l.section_id = s.section_id)",
    ),
    (
        "sums of days that are not those of their articles",
        "SELECT count(*) AS n FROM hit_sums s WHERE s.unit = 'day' AND s.hits <> \
         (SELECT coalesce(sum(d.hits), 0) FROM listings l \
          JOIN hit_days d ON d.article_id = l.article_id AND d.day = s.slot \
          WHERE l.section_id = s.section_id)",
    ),
];

/// Waits until the service has folded everything in, which rests up to 20 seconds, and looks at the
/// ledger's tables.
async fn assert_balanced(url: &str) {
    let mut conn = databases::connect(url);
    let log = "SELECT (SELECT count(*) FROM hit_log) + (SELECT count(*) FROM hit_parts) AS n";
    let mut left = found(&mut conn, log);
    for _ in 0..1200 {
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = found(&mut conn, log);
    }
    assert_eq!(left, 0, "rows that are not folded in");
    for (what, sql) in UNBALANCED {
        assert_eq!(found(&mut conn, sql), 0, "{what}");
    }
}

/// The facts of these modules.
pub fn facts() -> Vec<Fact> {
    [killed::facts(), outages::facts(), together::facts()].concat()
}
