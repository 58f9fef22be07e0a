//! Purging by key leaves no old page: a model of a cache keeps every answer as long as it may, drops what
//! writes name, and whatever it still has after each write is what the service would answer now.
//!
//! `LANMU_TEST_OPERATIONS` says how many operations are done (250 by default), `LANMU_TEST_SEED` from
//! which seed.

use std::collections::HashMap;
use std::rc::Rc;

use lanmu::db::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::listener::waiting;
use super::{Keys, carried};
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::stage::Stage;

const OPERATIONS: u64 = 250;

/// Articles whose pages are read: the first ones, which the writes are mostly about, too.
const ARTICLES: i64 = 8;
/// Sections that are read.
const SECTIONS: i64 = 6;
/// Slugs that articles take and lose.
const SLUGS: &[&str] = &["jia", "yi", "bing"];
/// Slugs that sections take and lose.
const COLUMNS: &[&str] = &["col-jia", "col-yi"];

/// What a reader sees of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    status: u16,
    body: String,
    link: Option<String>,
    location: Option<String>,
}

impl Seen {
    fn of(answer: &Answer) -> Self {
        let header = |name: &str| answer.header(name).map(ToOwned::to_owned);
        // Problems tell their request's id.
        let body = match answer.status {
            404 => answer["code"].to_string(),
            _ => answer.text(),
        };
        Self {
            status: answer.status,
            body,
            link: header("link"),
            location: header("location"),
        }
    }
}

/// An answer that a cache keeps.
struct Copy {
    seen: Seen,
    carried: Keys,
    until: Timestamp,
}

/// A cache that keeps all that it may, as long as it may.
struct Cache {
    app: Rc<TestApp>,
    paths: Vec<String>,
    copies: HashMap<String, Copy>,
    /// The last purge that it was told.
    told: i64,
    /// How many copies outlived a write, and how many were dropped by one.
    kept: usize,
    dropped: usize,
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "/v1/articles",
        "/v1/articles?limit=3&sort=title",
        "/v1/articles?sort=-updated_at&limit=2&count=none",
        "/v1/articles?tag=海",
        "/v1/articles?featured=true",
        "/v1/articles?pinned=true",
        "/v1/articles?ids=1,2,3",
        "/v1/sections",
        "/v1/sections?depth=0&include=articles&articles_limit=2",
        "/v1/sections/tree",
        "/v1/archive",
        "/v1/tags",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    for id in 1..=ARTICLES {
        paths.push(format!("/v1/articles/{id}"));
        let more = ["neighbors", "related", "qr.svg"];
        let more = more[usize::try_from(id).expect("small") % 3];
        paths.push(format!("/v1/articles/{id}/{more}"));
    }
    paths.extend(SLUGS.iter().map(|slug| format!("/v1/articles/{slug}")));
    for id in 1..=SECTIONS {
        paths.push(format!("/v1/sections/{id}"));
        paths.push(format!("/v1/articles?section={id}"));
    }
    for slug in COLUMNS {
        paths.push(format!("/v1/sections/{slug}"));
        paths.push(format!("/v1/articles?section={slug}&subsections=false"));
    }
    for id in [1, 2] {
        paths.push(format!("/v1/sections?parent={id}&include=articles"));
        paths.push(format!("/v1/archive?section={id}"));
        paths.push(format!("/v1/tags?section={id}"));
    }
    paths
}

impl Cache {
    fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// Asks for what it lacks.
    async fn fill(&mut self) {
        for path in &self.paths {
            if self.copies.contains_key(path) {
                continue;
            }
            let answer = self.app.get(path).await;
            assert!(matches!(answer.status, 200 | 308 | 404), "{path}: {answer}");
            let copy = Copy {
                seen: Seen::of(&answer),
                carried: carried(&answer),
                until: self.now().plus_seconds(answer.freshness()),
            };
            assert!(!copy.carried.is_empty(), "{path} has no keys");
            self.copies.insert(path.clone(), copy);
        }
    }

    /// Drops what is too old, and what has been purged since.
    fn purge(&mut self) -> Keys {
        let now = self.now();
        self.copies.retain(|_, copy| now < copy.until);
        let rows = waiting(&self.app).into_iter();
        let rows: Vec<(i64, Keys)> = rows.filter(|(id, _)| *id > self.told).collect();
        self.told = rows.last().map_or(self.told, |(id, _)| *id);
        let named: Keys = rows.into_iter().flat_map(|(_, keys)| keys).collect();
        let before = self.copies.len();
        self.copies
            .retain(|_, copy| copy.carried.is_disjoint(&named));
        if !named.is_empty() {
            self.kept += self.copies.len();
            self.dropped += before - self.copies.len();
        }
        named
    }

    /// Holds what it still has against what the service answers now.
    async fn check(&self, after: &str, named: &Keys) {
        for (path, copy) in &self.copies {
            let is = Seen::of(&self.app.get(path).await);
            assert_eq!(
                copy.seen,
                is,
                "seed {}: {path}, which carries {:?}, is old after {after}, which named {named:?}",
                seed(),
                copy.carried,
            );
        }
    }
}

/// Somebody who writes at random.
struct Desk<'a> {
    app: &'a TestApp,
    numbers: Numbers,
    articles: Vec<i64>,
    sections: Vec<i64>,
}

impl Desk<'_> {
    fn article(&self) -> i64 {
        // The first ones are read most.
        let known = self
            .articles
            .len()
            .min(if self.numbers.below(4) > 0 { 8 } else { 99 });
        self.numbers.pick(&self.articles[..known])
    }

    fn section(&self) -> i64 {
        self.numbers.pick(&self.sections)
    }

    fn soon(&self) -> String {
        let seconds = self.numbers.seconds(300) - 30;
        self.app.now().plus_seconds(seconds).to_string()
    }

    async fn write(&self, method: Method, path: &str, body: Value) -> (String, Answer) {
        let told = format!("{method} {path} {body}");
        let path = format!("/v1/admin/{path}");
        let answer = self.app.admin().write_if("*", method, &path, body).await;
        let is_nowhere = answer.status == 400 && path.contains("move_to");
        let is_expected = matches!(answer.status, 200 | 201 | 204 | 404 | 409 | 422);
        assert!(is_nowhere || is_expected, "{told}: {answer}");
        (format!("{told} ({})", answer.status), answer)
    }

    /// Does something, and tells what.
    async fn operate(&mut self) -> String {
        let numbers = &self.numbers;
        let one = format!("articles/{}", self.article());
        let column = format!("sections/{}", self.section());
        match numbers.below(100) {
            0..=14 => self.create().await,
            15..=44 => {
                let change = self.change();
                self.write(Method::PATCH, &one, change).await.0
            }
            45..=56 => {
                let body = match numbers.below(3) {
                    0 => json!({"published_at": self.soon()}),
                    1 => json!({"expires_at": null}),
                    _ => json!({}),
                };
                self.write(Method::POST, &format!("{one}/publish"), body)
                    .await
                    .0
            }
            57..=61 => {
                let action = numbers.pick(&["unpublish", "restore", "submit"]);
                let path = format!("{one}/{action}");
                self.write(Method::POST, &path, Value::Null).await.0
            }
            62..=63 => self.write(Method::DELETE, &one, Value::Null).await.0,
            64 => {
                let path = format!("{one}?permanent=true");
                self.write(Method::DELETE, &path, Value::Null).await.0
            }
            65..=69 => {
                let body = match numbers.below(4) {
                    0 => json!({"position": null}),
                    place => json!({"position": place - 1}),
                };
                self.write(Method::POST, &format!("{one}/reorder"), body)
                    .await
                    .0
            }
            70..=72 => {
                let mut ids: Vec<i64> = (0..4).map(|_| self.article()).collect();
                ids.sort_unstable();
                ids.dedup();
                let action = numbers.pick(&["publish", "unpublish", "trash"]);
                let body = json!({"action": action, "ids": ids});
                self.write(Method::POST, "articles/bulk", body).await.0
            }
            73..=82 => {
                let change = match numbers.below(5) {
                    0 | 1 => json!({"visible": numbers.below(4) > 0}),
                    2 => json!({"slug": numbers.pick(COLUMNS)}),
                    3 => json!({"name": format!("栏{}", numbers.below(100))}),
                    _ => json!({"description": format!("述{}", numbers.below(100))}),
                };
                self.write(Method::PATCH, &column, change).await.0
            }
            83..=87 => {
                let parent = Some(self.section()).filter(|_| numbers.below(3) > 0);
                let body = json!({"parent_id": parent});
                self.write(Method::POST, &format!("{column}/move"), body)
                    .await
                    .0
            }
            88..=90 => {
                let body = json!({
                    "name": "新栏", "parent_id": self.section(), "position": 0,
                    "visible": numbers.below(3) > 0,
                });
                let (told, made) = self.write(Method::POST, "sections", body).await;
                self.sections.extend(made["id"].as_i64());
                told
            }
            91 if self.sections.len() > 4 => {
                let path = format!("{column}?move_to={}", self.section());
                let (told, gone) = self.write(Method::DELETE, &path, Value::Null).await;
                if gone.status == 204 {
                    self.sections
                        .retain(|id| format!("sections/{id}") != column);
                }
                told
            }
            _ => {
                let seconds = numbers.seconds(70);
                self.app.advance(seconds);
                let settled = self.app.tick().await;
                format!("{seconds} s, which settled {settled}")
            }
        }
    }

    fn change(&self) -> Value {
        let numbers = &self.numbers;
        match numbers.below(10) {
            0 => json!({"title": format!("题{}", numbers.below(1000))}),
            1 => {
                json!({"body": {"format": "text", "content": format!("文{}", numbers.below(1000))}})
            }
            2 => json!({"section_id": self.section(), "also_in": []}),
            3 => json!({"also_in": [self.section()]}),
            4 => json!({"expires_at": self.soon(), "featured": numbers.below(2) == 0}),
            5 => json!({"slug": numbers.pick(SLUGS)}),
            6 => json!({"tags": [numbers.pick(&["海", "桥", "渡"])]}),
            7 => json!({"pinned_until": self.soon()}),
            8 => json!({"published_at": self.soon()}),
            _ => json!({"related": [self.article()]}),
        }
    }

    async fn create(&mut self) -> String {
        let numbers = &self.numbers;
        let mut body = json!({
            "title": format!("题{}", numbers.below(50)), "section_id": self.section(),
            "tags": [numbers.pick(&["海", "桥"])],
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        match numbers.below(4) {
            0 => {}
            1 => body["publish"] = json!({"published_at": self.soon()}),
            _ => body["publish"] = json!({}),
        }
        if numbers.below(4) == 0 {
            body["slug"] = json!(numbers.pick(SLUGS));
        }
        let (told, made) = self.write(Method::POST, "articles", body).await;
        self.articles.extend(made["id"].as_i64());
        told
    }
}

async fn a_cache_that_drops_what_is_named_has_nothing_old(stage: Stage) {
    let settings = [
        ("LANMU_CDN_KEYS", "surrogate-key"),
        // Nobody listens, so that all purges wait where this fact can see them.
        ("LANMU_PURGE_URLS", "http://127.0.0.1:9/"),
        ("LANMU_RATE_LIMIT", "off"),
    ];
    let app = stage.with(&settings).await;
    let admin = app.admin();
    let mut sections = Vec::new();
    for name in ["甲", "乙", "丙"] {
        sections.push(admin.section(name, json!({})).await);
    }
    for index in 0..3 {
        let parent = json!({"parent_id": sections[index]});
        sections.push(admin.section("丁", parent).await);
    }
    let mut articles = Vec::new();
    for index in 0..8 {
        let more = json!({"tags": ["海"]});
        articles.push(admin.article("题", sections[index % 6], more).await);
    }
    let mut cache = Cache {
        app: Rc::clone(&app),
        paths: paths(),
        copies: HashMap::new(),
        told: 0,
        kept: 0,
        dropped: 0,
    };
    let mut desk = Desk {
        app: &app,
        numbers: Numbers::new(seed()),
        articles,
        sections,
    };
    cache.purge();
    for _ in 0..setting("LANMU_TEST_OPERATIONS", OPERATIONS) {
        cache.fill().await;
        let done = desk.operate().await;
        let named = cache.purge();
        cache.check(&done, &named).await;
    }
    // Else it would be enough to drop everything.
    let (kept, dropped) = (cache.kept, cache.dropped);
    assert!(
        10 * kept > dropped && dropped > 0,
        "{kept} kept, {dropped} dropped"
    );
}

crate::facts![a_cache_that_drops_what_is_named_has_nothing_old];
