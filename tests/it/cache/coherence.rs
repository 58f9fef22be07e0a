//! What is written is read: at once on the node that wrote it, soon on the others, and never forgotten again.
//!
//! `LANMU_TEST_WRITES` says how many writes another node is watched for (50 by default), `LANMU_TEST_MILLIS`
//! within how many milliseconds 99 of 100 must be seen there (by default that is not asked).

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::facts;
use crate::support::app::TestApp;
use crate::support::databases::{self, Kind};
use crate::support::numbers::setting;
use crate::support::replicated::{number, run, until};
use crate::support::stage::Stage;

const WRITES: u64 = 50;
/// How often each article is written where many are written at once.
const ROUNDS: u64 = 25;

/// Articles whose titles are numbers, written and read by many at once through one node.
#[derive(Clone)]
pub struct Pages {
    app: Rc<TestApp>,
    /// Each with the number that nobody may be shown less than from now on.
    articles: Vec<(i64, Rc<Cell<u64>>)>,
    /// How many writers are at work.
    writers: Rc<Cell<usize>>,
}

fn title(number: u64) -> Value {
    json!({"title": format!("第{number}版")})
}

/// The number in a title.
fn numbered(article: &Value) -> u64 {
    let title = article["title"].as_str().expect("a title");
    let number = title.trim_start_matches('第').trim_end_matches('版');
    number.parse().expect("a number")
}

impl Pages {
    /// So many new articles.
    pub async fn make(app: &Rc<TestApp>, count: usize) -> Self {
        let admin = app.admin();
        let section = admin.section("港口", json!({})).await;
        let mut articles = Vec::new();
        for _ in 0..count {
            let id = admin.article("第0版", section, json!({})).await;
            articles.push((id, Rc::new(Cell::new(0))));
        }
        Self {
            app: Rc::clone(app),
            articles,
            writers: Rc::new(Cell::new(count)),
        }
    }

    /// The same, read through another node, which has shown nothing yet.
    pub fn through(&self, app: &Rc<TestApp>) -> Self {
        let articles = self.articles.iter();
        Self {
            app: Rc::clone(app),
            articles: articles.map(|(id, _)| (*id, Rc::default())).collect(),
            writers: Rc::clone(&self.writers),
        }
    }

    /// Whether nobody writes any more.
    pub fn is_over(&self) -> bool {
        self.writers.get() == 0
    }

    /// One writer for each article, and so many readers.
    pub async fn write_and_read(&self, rounds: u64, readers: usize) {
        let writers = join_all((0..self.articles.len()).map(|which| self.write(which, rounds)));
        join(writers, self.read(readers)).await;
    }

    /// Writes an article so often, and reads each write back.
    async fn write(&self, which: usize, rounds: u64) {
        let (id, least) = &self.articles[which];
        let managed = format!("/v1/admin/articles/{id}");
        let admin = self.app.admin();
        for round in 1..=rounds {
            admin.patch(&managed, title(round)).await.ok(200);
            least.set(round);
            assert_eq!(self.one(*id).await, round, "after it was acknowledged");
            assert_eq!(self.listed(*id).await, round, "after it was acknowledged");
        }
        self.writers.set(self.writers.get() - 1);
    }

    /// So many readers, until nobody writes any more.
    pub async fn read(&self, readers: usize) {
        join_all((0..readers).map(|reader| async move {
            for turn in reader.. {
                if self.is_over() {
                    return;
                }
                let (id, least) = &self.articles[turn / 2 % self.articles.len()];
                let before = least.get();
                let shown = match turn % 2 {
                    0 => self.one(*id).await,
                    _ => self.listed(*id).await,
                };
                assert!(shown >= before, "{shown} is shown after {before}");
                least.set(shown.max(least.get()));
            }
        }))
        .await;
    }

    async fn one(&self, id: i64) -> u64 {
        let path = format!("/v1/articles/{id}");
        numbered(&self.app.get(&path).await.ok(200).json)
    }

    async fn listed(&self, id: i64) -> u64 {
        let list = self.app.get("/v1/articles?limit=100").await.ok(200);
        let mut articles = list["data"].as_array().expect("a list").iter();
        numbered(articles.find(|article| article["id"] == id).expect("it"))
    }
}

/// Waits until a node shows this of an article.
async fn seen(app: &TestApp, path: &str, number: u64) {
    let begun = Instant::now();
    while numbered(&app.get(path).await.ok(200).json) != number {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{number} is not seen"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn what_a_node_has_acknowledged_or_shown_it_shows(stage: Stage) {
    let app = stage.with(&[("LANMU_WORKERS", "2")]).await;
    let pages = Pages::make(&app, 3).await;
    pages.write_and_read(ROUNDS, 6).await;
}

async fn what_another_node_has_shown_it_shows_again(stage: Stage) {
    let (here, there) = (stage.app().await, stage.app().await);
    let pages = Pages::make(&here, 2).await;
    join(
        pages.write_and_read(ROUNDS, 1),
        pages.through(&there).read(4),
    )
    .await;
}

async fn every_write_is_soon_seen_on_another_node(stage: Stage) {
    let (here, there) = (stage.app().await, stage.app().await);
    let admin = here.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("第0版", port, json!({})).await;
    let (path, managed) = (
        format!("/v1/articles/{id}"),
        format!("/v1/admin/articles/{id}"),
    );
    let mut waits = Vec::new();
    for write in 1..=setting("LANMU_TEST_WRITES", WRITES) {
        seen(&there, &path, write - 1).await;
        admin.patch(&managed, title(write)).await.ok(200);
        let acknowledged = Instant::now();
        seen(&there, &path, write).await;
        waits.push(acknowledged.elapsed());
    }
    waits.sort_unstable();
    let allowed = setting("LANMU_TEST_MILLIS", 0);
    if allowed > 0 {
        let of_100 = |part: usize| waits[waits.len() * part / 100];
        let (half, most) = (of_100(50), of_100(99));
        println!(
            "{} writes: half within {half:?}, 99 of 100 within {most:?}",
            waits.len()
        );
        assert!(most <= Duration::from_millis(allowed), "{most:?}");
    }
}

/// Where the change log can't be listened to, it is looked at.
async fn a_node_that_hears_nothing_looks_and_hears_again(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let (here, there) = (stage.app().await, stage.app().await);
    let admin = here.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.article("第0版", port, json!({})).await;
    let (path, managed) = (
        format!("/v1/articles/{id}"),
        format!("/v1/admin/articles/{id}"),
    );
    // The pools have what they need.
    for app in [&here, &there] {
        let lists = (1..9).map(|n| format!("/v1/articles?limit={n}"));
        join_all(lists.map(|list| async move { app.get(&list).await.ok(200) })).await;
    }
    let mut beside = databases::beside();
    let name = stage.url();
    let name = name.trim_start_matches("postgres:///").split('?').next();
    let name = name.expect("the database's name");
    let ears = format!(
        "FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'lanmu changes'"
    );
    let ears_count = format!("SELECT count(*) AS number {ears}");
    until("both hear", async || number(&mut beside, &ears_count) == 2).await;
    // What is connected stays so; nothing else comes in, not even a superuser.
    run(
        &mut beside,
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
    );
    run(
        &mut beside,
        &format!("SELECT pg_terminate_backend(pid) {ears}"),
    );
    until("both are deaf", async || {
        number(&mut beside, &ears_count) == 0
    })
    .await;
    for write in 1..=3 {
        admin.patch(&managed, title(write)).await.ok(200);
        seen(&there, &path, write).await;
    }
    assert_eq!(number(&mut beside, &ears_count), 0);
    run(
        &mut beside,
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
    );
    until("both hear again", async || {
        number(&mut beside, &ears_count) == 2
    })
    .await;
    admin.patch(&managed, title(4)).await.ok(200);
    seen(&there, &path, 4).await;
}

facts![
    what_a_node_has_acknowledged_or_shown_it_shows,
    what_another_node_has_shown_it_shows_again,
    every_write_is_soon_seen_on_another_node,
    a_node_that_hears_nothing_looks_and_hears_again,
];
