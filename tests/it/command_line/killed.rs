//! A process that is killed in the middle of writes loses nothing that it has acknowledged and
//! leaves nothing half-written.
//!
//! `LANMU_TEST_KILLS` says how often it is killed (6 by default).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use futures_util::future::join_all;
use lanmu::db::Conn;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::Served;
use crate::support::app::{ADMIN, PASSWORD};
use crate::support::databases;
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::secrets;
use crate::support::stage::Stage;

const ROUNDS: u64 = 6;
const WRITERS: u64 = 8;

/// What was acknowledged of each article last: its version and its title.
type Acknowledged = RefCell<HashMap<i64, (i64, String)>>;

struct Office<'a> {
    client: Client,
    base: &'a str,
    token: &'a str,
    section: i64,
    acknowledged: &'a Acknowledged,
    is_over: Cell<bool>,
}

impl Office<'_> {
    /// The answer, where one came.
    async fn send(&self, method: Method, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.base);
        let request = self.client.request(method, url).bearer_auth(self.token);
        let answer = request
            .header("if-match", "*")
            .json(body)
            .send()
            .await
            .ok()?;
        let status = answer.status().as_u16();
        // An answer that is cut off may have been acknowledged in part: it counts as none.
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    async fn note(&self, method: Method, path: &str, body: &Value) -> Option<i64> {
        let answered = self.send(method, path, body).await;
        let Some((status, answer)) = answered else {
            self.is_over.set(true);
            return None;
        };
        assert!(matches!(status, 200 | 201), "{path}: {status} {answer}");
        let id = answer["id"].as_i64().expect("an id");
        let version = answer["version"].as_i64().expect("a version");
        let title = answer["title"].as_str().expect("a title").to_owned();
        self.acknowledged.borrow_mut().insert(id, (version, title));
        Some(id)
    }

    /// Makes, changes and publishes articles of its own until the process is gone.
    async fn write(&self, numbers: Numbers) {
        while !self.is_over.get() {
            let article = json!({
                "title": format!("题{}", numbers.below(100)), "section_id": self.section,
                "tags": ["海"], "body": {"format": "text", "content": "码头的灯亮了。"},
                "publish": {},
            });
            let Some(id) = self
                .note(Method::POST, "/v1/admin/articles", &article)
                .await
            else {
                return;
            };
            let one = format!("/v1/admin/articles/{id}");
            for _ in 0..numbers.below(4) {
                let change = json!({"title": format!("题{}", numbers.below(100)), "tags": ["港"]});
                if self.note(Method::PATCH, &one, &change).await.is_none() {
                    return;
                }
            }
            let unpublish = format!("{one}/unpublish");
            if numbers.below(2) == 0
                && self
                    .note(Method::POST, &unpublish, &json!({}))
                    .await
                    .is_none()
            {
                return;
            }
        }
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Each of these counts what must not be there.
const HALVES: &[(&str, &str)] = &[
    (
        "articles without details",
        "SELECT count(*) AS n FROM articles a LEFT JOIN article_details d ON d.article_id = a.id \
         WHERE d.article_id IS NULL",
    ),
    (
        "articles without a revision of their version",
        "SELECT count(*) AS n FROM articles a LEFT JOIN revisions r \
         ON r.article_id = a.id AND r.version = a.version WHERE r.version IS NULL",
    ),
    (
        "articles and sections that the change log doesn't know",
        "SELECT count(*) AS n FROM (SELECT 'article' AS resource, id FROM articles \
         UNION ALL SELECT 'section', id FROM sections) e \
         LEFT JOIN changes c ON c.resource = e.resource AND c.entity_id = e.id \
         WHERE c.seq IS NULL",
    ),
    (
        "articles that the change log tells wrong",
        "SELECT count(*) AS n FROM articles a JOIN changes c \
         ON c.resource = 'article' AND c.entity_id = a.id \
         WHERE (c.op = 'upsert') <> (a.live AND a.status = 'published')",
    ),
    (
        "live articles that are not listed, and listed ones that are not live",
        "SELECT count(*) AS n FROM articles a LEFT JOIN listings l \
         ON l.article_id = a.id AND l.section_id = 0 WHERE a.live <> (l.article_id IS NOT NULL)",
    ),
    (
        "versions without their entries in the audit log",
        "SELECT count(*) AS n FROM articles a WHERE a.version > \
         (SELECT count(*) FROM audit e WHERE e.resource = 'article' AND e.resource_id = a.id)",
    ),
    (
        "articles without their tag",
        "SELECT count(*) AS n FROM articles a LEFT JOIN article_terms t ON t.article_id = a.id \
         WHERE t.article_id IS NULL",
    ),
];

fn assert_whole(conn: &mut Conn) {
    if let Conn::Sqlite(_) = conn {
        let broken = "SELECT count(*) AS n FROM pragma_foreign_key_check";
        assert_eq!(count(conn, broken), 0, "foreign keys");
        let sound = "SELECT count(*) AS n FROM pragma_integrity_check \
                     WHERE integrity_check = 'ok'";
        assert_eq!(count(conn, sound), 1, "the file's integrity");
    }
    for (what, sql) in HALVES {
        assert_eq!(count(conn, sql), 0, "{what}");
    }
}

fn count(conn: &mut Conn, sql: &str) -> i64 {
    let found: Count = diesel::sql_query(sql)
        .get_result(conn)
        .expect("it is counted");
    found.n
}

fn assert_nothing_lost(conn: &mut Conn, acknowledged: &Acknowledged) {
    use lanmu::db::schema::articles;
    for (id, (version, title)) in acknowledged.borrow().iter() {
        let found: Option<(i64, String)> = articles::table
            .find(id)
            .select((articles::version, articles::title))
            .first(conn)
            .optional()
            .expect("it is looked up");
        let (stored, stored_title) = found.unwrap_or_else(|| panic!("article {id} is lost"));
        assert!(stored >= *version, "article {id}: {stored}, not {version}");
        assert!(
            stored <= version + 1,
            "article {id}: {stored}, not {version}"
        );
        if stored == *version {
            assert_eq!(stored_title, *title, "article {id}");
        }
    }
}

async fn nothing_acknowledged_is_lost_and_nothing_is_half_written(stage: Stage) {
    let url = stage.url();
    let (acknowledged, numbers) = (Acknowledged::default(), Numbers::new(seed()));
    let (mut section, mut token) = (0, String::new());
    for round in 0..setting("LANMU_TEST_KILLS", ROUNDS) {
        let mut served = Served::start(&url, &[]);
        let base = served.base.clone();
        if token.is_empty() {
            let client = Client::new();
            let login = client.post(format!("{base}/v1/auth/login"));
            let login = login.json(&json!({"email": ADMIN, "password": PASSWORD}));
            let answer: Value = login.send().await.expect("one").json().await.expect("JSON");
            token = answer["access_token"].as_str().expect("a token").to_owned();
            secrets::note("access_token", &token);
            let made = client.post(format!("{base}/v1/admin/sections"));
            let made = made.bearer_auth(&token).json(&json!({"name": "港口"}));
            let made: Value = made.send().await.expect("one").json().await.expect("JSON");
            section = made["id"].as_i64().expect("an id");
        }
        let office = Office {
            client: Client::new(),
            base: &base,
            token: &token,
            section,
            acknowledged: &acknowledged,
            is_over: Cell::new(false),
        };
        let before = acknowledged.borrow().len();
        let lines =
            (0..WRITERS).map(|writer| office.write(Numbers::new(seed() ^ (round << 8 | writer))));
        let kill = async {
            // It is killed at work, not before: how soon that is depends on the machine.
            while acknowledged.borrow().len() < before + 8 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(numbers.below(120))).await;
            served.child.kill().expect("it runs");
            served.child.wait().expect("it ends");
        };
        futures_util::future::join(join_all(lines), kill).await;
        let mut conn = databases::connect(&url);
        assert_nothing_lost(&mut conn, &acknowledged);
        assert_whole(&mut conn);
    }
    let written = acknowledged.borrow().len();
    println!("{:?}: {written} articles acknowledged", stage.kind());
}

crate::facts![nothing_acknowledged_is_lost_and_nothing_is_half_written];
