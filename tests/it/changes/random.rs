//! Whatever happens, in whatever order, by however many writers: who follows the change log ends with
//! what delivery shows.
//!
//! `LANMU_TEST_OPERATIONS` says how many operations are done (600 by default), `LANMU_TEST_SEED` from
//! which seed.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::replica::{Replica, delivered};
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::stage::Stage;

const OPERATIONS: u64 = 600;
const WRITERS: u64 = 6;

/// Where the writers write: two nodes, and what they know to be there.
struct Desk {
    nodes: [Rc<TestApp>; 2],
    articles: RefCell<Vec<i64>>,
    sections: RefCell<Vec<i64>>,
    left: Cell<u64>,
}

impl Desk {
    fn node(&self, numbers: &Numbers) -> &TestApp {
        &self.nodes[usize::from(numbers.below(2) == 1)]
    }

    fn article(&self, numbers: &Numbers) -> i64 {
        numbers.pick(&self.articles.borrow()[..])
    }

    fn section(&self, numbers: &Numbers) -> i64 {
        numbers.pick(&self.sections.borrow()[..])
    }

    /// Somebody's doing: whatever the state allows, or not.
    async fn write(&self, node: &TestApp, method: Method, path: &str, body: Value) -> Answer {
        let answer = node.admin().write_if("*", method.clone(), path, body).await;
        // A place for what a section holds may be gone, or too deep in the tree.
        let is_nowhere = answer.status == 400 && path.contains("move_to");
        let is_expected = is_nowhere || matches!(answer.status, 200 | 201 | 204 | 404 | 409 | 422);
        assert!(is_expected, "{method} {path}: {answer}");
        answer
    }

    async fn operate(&self, numbers: &Numbers) {
        let node = self.node(numbers);
        let one = format!("/v1/admin/articles/{}", self.article(numbers));
        let column = format!("/v1/admin/sections/{}", self.section(numbers));
        let soon = |numbers: &Numbers| {
            node.now()
                .plus_seconds(numbers.seconds(300) - 30)
                .to_string()
        };
        match numbers.below(100) {
            0..=19 => self.create(node, numbers, soon(numbers)).await,
            20..=39 => {
                let change = match numbers.below(5) {
                    0 => json!({"title": format!("题{}", numbers.below(1000))}),
                    1 => {
                        json!({"body": {"format": "text", "content": format!("文{}", numbers.below(1000))}})
                    }
                    2 => json!({"section_id": self.section(numbers), "also_in": []}),
                    3 => json!({"also_in": [self.section(numbers)]}),
                    _ => json!({"expires_at": soon(numbers), "featured": numbers.below(2) == 0}),
                };
                self.write(node, Method::PATCH, &one, change).await;
            }
            40..=49 => {
                let body = match numbers.below(3) {
                    0 => json!({"published_at": soon(numbers)}),
                    1 => json!({"expires_at": null}),
                    _ => json!({}),
                };
                self.write(node, Method::POST, &format!("{one}/publish"), body)
                    .await;
            }
            50..=64 => {
                let action = numbers.pick(&["unpublish", "restore", "submit"]);
                let path = format!("{one}/{action}");
                self.write(node, Method::POST, &path, Value::Null).await;
            }
            65..=70 => drop(self.write(node, Method::DELETE, &one, Value::Null).await),
            71..=74 => {
                let path = format!("{one}?permanent=true");
                self.write(node, Method::DELETE, &path, Value::Null).await;
            }
            75..=77 => {
                let body = json!({"position": numbers.below(4)});
                self.write(node, Method::POST, &format!("{one}/reorder"), body)
                    .await;
            }
            78..=81 => {
                let mut ids: Vec<i64> = (0..5).map(|_| self.article(numbers)).collect();
                ids.sort_unstable();
                ids.dedup();
                let action = numbers.pick(&["publish", "unpublish", "trash"]);
                let body = json!({"action": action, "ids": ids});
                self.write(node, Method::POST, "/v1/admin/articles/bulk", body)
                    .await;
            }
            82..=87 => {
                let change = json!({"visible": numbers.below(6) > 0});
                self.write(node, Method::PATCH, &column, change).await;
            }
            88..=89 => {
                let change = json!({"slug": format!("column-{}", numbers.below(1000))});
                self.write(node, Method::PATCH, &column, change).await;
            }
            90..=92 => {
                let body = json!({"parent_id": self.section(numbers)});
                self.write(node, Method::POST, &format!("{column}/move"), body)
                    .await;
            }
            93..=94 => {
                let body = json!({"name": "新栏", "parent_id": self.section(numbers)});
                let made = self
                    .write(node, Method::POST, "/v1/admin/sections", body)
                    .await;
                self.sections.borrow_mut().extend(made["id"].as_i64());
            }
            95 => {
                let path = format!("{column}?move_to={}", self.section(numbers));
                let gone = self.write(node, Method::DELETE, &path, Value::Null).await;
                if gone.status == 204 {
                    let id = column
                        .rsplit('/')
                        .next()
                        .and_then(|id| id.parse::<i64>().ok());
                    self.sections
                        .borrow_mut()
                        .retain(|other| Some(*other) != id);
                }
            }
            _ => {
                let to = node.now().plus_seconds(numbers.seconds(60));
                for node in &self.nodes {
                    // Never back: another writer may have been faster.
                    node.app.clock.set(node.now().max(to));
                }
                node.tick().await;
            }
        }
    }

    /// Holds the copies, and a new one, against what delivery shows, and tells how many articles that
    /// is.
    async fn compare(&self, replicas: &mut Vec<Replica>, seed: u64) -> usize {
        for node in &self.nodes {
            // What another node wrote is known here a moment later.
            lanmu::cache::look(&node.app).await.expect("the change log");
        }
        let shown = delivered(&self.nodes[0]).await;
        assert_eq!(shown, delivered(&self.nodes[1]).await);
        let mut new = Replica::default();
        let told = new.follow(&self.nodes[1], 7).await;
        assert!(told.iter().all(|change| change["op"] == "upsert"));
        replicas.push(new);
        for (index, replica) in replicas.iter_mut().enumerate() {
            replica.follow(&self.nodes[0], 50).await;
            assert_eq!(replica.content, shown, "seed {seed}, replica {index}");
        }
        shown.articles.len()
    }

    async fn create(&self, node: &TestApp, numbers: &Numbers, soon: String) {
        let mut body = json!({
            "title": format!("题{}", numbers.below(50)), "section_id": self.section(numbers),
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        match numbers.below(4) {
            0 => {}
            1 => body["publish"] = json!({"published_at": soon}),
            _ => body["publish"] = json!({}),
        }
        let made = self
            .write(node, Method::POST, "/v1/admin/articles", body)
            .await;
        self.articles.borrow_mut().extend(made["id"].as_i64());
    }
}

async fn a_follower_ends_with_what_delivery_shows(stage: Stage) {
    let settings = [("LANMU_RATE_LIMIT", "off"), ("LANMU_DB_WAIT_MS", "60000")];
    let nodes = [stage.with(&settings).await, stage.with(&settings).await];
    let admin = nodes[0].admin();
    let mut sections = Vec::new();
    for name in ["甲", "乙", "丙"] {
        sections.push(admin.section(name, json!({})).await);
    }
    for index in 0..6 {
        let parent = json!({"parent_id": sections[index % 3]});
        sections.push(admin.section("丁", parent).await);
    }
    let first = admin.article("题", sections[0], json!({})).await;
    let desk = Desk {
        articles: RefCell::new(vec![first]),
        sections: RefCell::new(sections),
        left: Cell::new(setting("LANMU_TEST_OPERATIONS", OPERATIONS)),
        nodes,
    };
    let seed = seed();
    let running = Cell::new(WRITERS);
    let write = |writer: u64| {
        let (desk, running) = (&desk, &running);
        async move {
            let numbers = Numbers::new(seed ^ (writer + 1).wrapping_mul(0x5851_F42D));
            while desk.left.get() > 0 {
                desk.left.set(desk.left.get() - 1);
                desk.operate(&numbers).await;
            }
            running.set(running.get() - 1);
        }
    };
    let follow = |index: usize, limit: u64| {
        let (desk, running) = (&desk, &running);
        async move {
            let mut replica = Replica::default();
            while running.get() > 0 {
                replica.step(&desk.nodes[index], limit).await;
            }
            replica
        }
    };
    let writers = join_all((0..WRITERS).map(write));
    let followers = join_all([follow(0, 3), follow(1, 100)]);
    let (_, mut replicas) = futures_util::future::join(writers, followers).await;

    for node in &desk.nodes {
        node.tick().await;
    }
    // Once as it is, with much of it hidden, and once with all of it shown.
    desk.compare(&mut replicas, seed).await;
    let sections = desk.sections.borrow().clone();
    for id in sections {
        let (path, shown) = (format!("/v1/admin/sections/{id}"), json!({"visible": true}));
        desk.write(&desk.nodes[0], Method::PATCH, &path, shown)
            .await;
    }
    let count = desk.compare(&mut replicas, seed).await;
    assert!(count > 5, "{count} articles");
}

crate::facts![a_follower_ends_with_what_delivery_shows];
