//! Sums, series and rankings against a list of all hits, whatever happens to articles and sections.
//!
//! `LANMU_TEST_OPERATIONS` says how many operations are done (200 by default), `LANMU_TEST_SEED` from
//! which seed.

use chrono::Days;
use lanmu::db::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::numbers::{Numbers, seed, setting};
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::model::{Model, Place, Section, WINDOWS, day};
use super::{EVERY_VIEW, GOOGLEBOT, article, batch, ledger, nodes, number, results, view, views};

const OPERATIONS: u64 = 200;
const TAG: &str = "潮汐";

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(Timestamp::parse)
}

/// What reads tell of the place is what the model has of it.
async fn compare_place(app: &TestApp, model: &Model, place: Place) {
    let ids = model.public(place);
    let last = model.last(&ids);
    let whose = match place {
        Place::Section(id) => format!("section={id}"),
        _ => String::new(),
    };
    let windows = WINDOWS.map(|(_, days)| model.views(&ids, days));
    match place {
        Place::Section(id) => {
            let path = format!("/v1/sections/{id}/hits");
            if !model.is_shown(id) {
                app.get(&path).await.problem(404, "not_found");
                return;
            }
            let count = app.get(&path).await.ok(200);
            let names = ["today", "last_7_days", "last_30_days", "total"];
            let told = names.map(|name| number(&count, name));
            assert_eq!(told, windows, "windows of {place:?}");
            assert_eq!(instant(&count["as_of"]), last, "as_of of {place:?}");
        }
        _ => {
            let site = app.get("/v1/site").await.ok(200);
            assert_eq!(number(&site, "hit_count"), windows[3], "hit_count");
            assert_eq!(site["article_count"], ids.len(), "article_count");
        }
    }
    let first = model.today() - Days::new(59);
    let daily = app
        .get(&format!("/v1/hits/daily?{whose}&from={first}").replace("?&", "?"))
        .await;
    let daily = daily.ok(200);
    assert_eq!(
        daily.each("hits"),
        model.daily(&ids, 60),
        "days of {place:?}"
    );
    assert_eq!(instant(&daily["as_of"]), last, "as_of of {place:?}");
    let monthly = app.get(&format!("/v1/hits/monthly?{whose}")).await;
    let monthly = monthly.ok(200).each("hits");
    assert_eq!(monthly, model.monthly(&ids), "months of {place:?}");
    let hourly = app.get(&format!("/v1/hits/hourly?{whose}")).await;
    let hourly = hourly.ok(200).each("hits");
    assert_eq!(hourly, model.hourly(&ids), "hours of {place:?}");
}

/// The rankings of the place are the model's.
pub async fn compare_ranking(app: &TestApp, model: &Model, place: Place, limit: usize) {
    let ids = model.public(place);
    let whose = match place {
        Place::Section(id) if !model.is_shown(id) => return,
        Place::Section(id) => format!("&section={id}"),
        _ => String::new(),
    };
    for (name, days) in WINDOWS {
        let mut expected = model.ranked(&ids, days);
        expected.retain(|(views, _)| *views > 0);
        expected.truncate(limit);
        let path = format!("/v1/hits/top?window={name}&limit={limit}{whose}");
        let top = app.get(&path).await.ok(200);
        let items = top["data"].as_array().expect("a list").iter();
        let told: Vec<(i64, i64)> = items
            .map(|item| {
                let number = |value: &Value| value.as_i64().expect("a number");
                (number(&item["hits"]), number(&item["article"]["id"]))
            })
            .collect();
        assert_eq!(told, expected, "{path} on {}", model.today());
        let ranks: Vec<i64> = (1..).take(told.len()).collect();
        assert_eq!(top.each("rank"), ranks);
        let ranked: Vec<i64> = expected.iter().map(|(_, id)| *id).collect();
        assert_eq!(instant(&top["as_of"]), model.last(&ranked), "{path}");
    }
}

/// Lists sorted by views are the model's, read page by page.
pub async fn compare_list(app: &TestApp, model: &Model, place: Place, tag: bool, limit: usize) {
    let mut ids = model.public(place);
    let mut filter = match place {
        Place::Section(id) | Place::Alone(id) if !model.is_shown(id) => return,
        Place::Section(id) => format!("&section={id}"),
        Place::Alone(id) => format!("&section={id}&subsections=false"),
        Place::Site => String::new(),
    };
    if tag {
        ids.retain(|id| model.articles.iter().any(|a| a.id == *id && a.tagged));
        filter = format!("{filter}&tag={TAG}");
    }
    for (sort, days) in [("hits", None), ("last_7_days", Some(7))] {
        let ranked = model.ranked(&ids, days);
        let descending: Vec<i64> = ranked.iter().map(|(_, id)| *id).collect();
        let ascending = descending.iter().rev().copied().collect();
        for (sign, expected) in [("-", descending), ("", ascending)] {
            let mut told: Vec<i64> = Vec::new();
            for page in 1..=ids.len().div_ceil(limit).max(1) {
                let path = format!(
                    "/v1/articles?sort={sign}{sort}&limit={limit}&page={page}&include=hits{filter}"
                );
                let list = app.get(&path).await.ok(200);
                assert_eq!(list["page"]["total"], ids.len(), "{path}");
                for item in list["data"].as_array().expect("a list") {
                    let id = item["id"].as_i64().expect("an id");
                    let of_window = match days {
                        None => &item["hits"]["total"],
                        Some(_) => &item["hits"]["last_7_days"],
                    };
                    assert_eq!(*of_window, model.views(&[id], days), "{path}: {id}");
                    told.push(id);
                }
            }
            assert_eq!(
                told, expected,
                "{sign}{sort} by {limit} of {place:?}{filter}"
            );
        }
    }
}

async fn compare_articles(app: &TestApp, model: &Model) {
    let all: Vec<i64> = model.articles.iter().map(|article| article.id).collect();
    for chunk in all.chunks(100) {
        let ids: Vec<String> = chunk.iter().map(ToString::to_string).collect();
        let path = format!("/v1/hits?article_ids={}", ids.join(","));
        let counts = app.get(&path).await.ok(200);
        let public: Vec<i64> = chunk
            .iter()
            .copied()
            .filter(|id| model.is_public(*id))
            .collect();
        assert_eq!(counts.each("article_id"), public);
        for count in counts["data"].as_array().expect("a list") {
            let id = count["article_id"].as_i64().expect("an id");
            let names = ["today", "last_7_days", "last_30_days", "total"];
            let told = names.map(|name| count[name].as_i64().expect("a number"));
            let expected = WINDOWS.map(|(_, days)| model.views(&[id], days));
            assert_eq!(told, expected, "article {id}");
            assert_eq!(instant(&count["as_of"]), model.last(&[id]), "article {id}");
        }
    }
}

/// Somebody's doing, which is noted in the model where it is acknowledged.
impl Model {
    fn node(&self, numbers: &Numbers) -> std::rc::Rc<TestApp> {
        std::rc::Rc::clone(&self.nodes[usize::from(numbers.below(2) == 1)])
    }

    fn any_article(&self, numbers: &Numbers) -> i64 {
        let ids: Vec<i64> = self.articles.iter().map(|article| article.id).collect();
        numbers.pick(&ids)
    }

    fn any_section(&self, numbers: &Numbers) -> i64 {
        let ids: Vec<i64> = self.sections.iter().map(|section| section.id).collect();
        numbers.pick(&ids)
    }

    pub async fn section_made(&mut self, name: &str, parent: Option<i64>) {
        let more = json!({"parent_id": parent});
        let id = self.nodes[0].admin().section(name, more).await;
        self.sections.push(Section {
            id,
            parent,
            visible: true,
        });
    }

    pub async fn article_made(&mut self, node: &TestApp, numbers: &Numbers) {
        let mut body = json!({
            "title": format!("第{}班渡轮", self.articles.len()),
            "section_id": self.any_section(numbers),
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        if numbers.below(3) == 0 {
            body["also_in"] = json!([self.any_section(numbers)]);
        }
        if numbers.below(3) == 0 {
            body["tags"] = json!([TAG]);
        }
        match numbers.below(6) {
            0 => {}
            1 => body["publish"] = json!({"published_at": self.soon(numbers)}),
            2 => body["publish"] = json!({"expires_at": self.soon(numbers)}),
            _ => body["publish"] = json!({}),
        }
        let made = node.admin().post("/v1/admin/articles", body).await;
        if made.status == 201 {
            self.take(&made.json);
        }
    }

    /// Within three days.
    fn soon(&self, numbers: &Numbers) -> String {
        let at = self.now().plus_seconds(600 + numbers.seconds(3 * 86_400));
        at.to_string()
    }

    async fn write(&self, node: &TestApp, method: Method, path: &str, body: Value) -> Answer {
        let answer = node.admin().write_if("*", method.clone(), path, body).await;
        let is_refused = matches!(answer.status, 400 | 404 | 409 | 422);
        assert!(
            is_refused || answer.status < 300,
            "{method} {path}: {answer}"
        );
        answer
    }

    /// What management tells of the article now.
    async fn look(&mut self, node: &TestApp, id: i64) {
        let path = format!("/v1/admin/articles/{id}");
        let told = node.admin().get(&path).await;
        if told.status == 404 {
            self.article(id).gone = true;
        } else {
            self.take(&told.ok(200).json);
        }
    }

    async fn hit(&mut self, node: &TestApp, numbers: &Numbers) {
        let id = self.any_article(numbers);
        let mut request = view(node, id);
        let is_bot = numbers.below(8) == 0;
        if is_bot {
            request = request.header("user-agent", GOOGLEBOT);
        }
        if numbers.below(5) == 0 {
            let key = format!("hit-{}-{}", self.hits.len(), numbers.below(1 << 40));
            request = request.header("idempotency-key", &key);
        }
        let answer = request.send().await;
        if !self.is_public(id) {
            answer.problem(404, "not_found");
            return;
        }
        let answer = answer.ok(200);
        assert_eq!(answer["result"], if is_bot { "bot" } else { "counted" });
        if !is_bot {
            self.count(id, self.now());
        }
        let told = (number(&answer, "total"), number(&answer, "today"));
        let expected = (self.views(&[id], None), self.views(&[id], Some(1)));
        assert_eq!(told, expected, "what a hit of {id} is answered");
    }

    async fn hits_by_batch(&mut self, node: &TestApp, numbers: &Numbers) {
        let now = self.now();
        let (oldest, latest) = (now.plus_seconds(-7 * 86_400), now.plus_seconds(300));
        let (mut items, mut expected) = (Vec::new(), Vec::new());
        for index in 0..=numbers.below(20) {
            let id = self.any_article(numbers);
            let at = match numbers.below(3) {
                0 => None,
                1 => Some(now.plus_seconds(400 - numbers.seconds(20_000))),
                _ => Some(now.plus_seconds(1000 - numbers.seconds(7 * 86_400 + 5000))),
            };
            let hit_id = format!("{index}-{}", numbers.below(1 << 50));
            let text = at.map(|at| at.to_string());
            items.push(json!({"article_id": id, "hit_id": hit_id, "at": text}));
            let at = at.unwrap_or(now);
            let is_far = at < oldest || at > latest;
            expected.push(match (self.is_public(id), is_far) {
                (false, _) => "not_found",
                (true, true) => "rejected",
                (true, false) => {
                    self.count(id, at.min(now));
                    "counted"
                }
            });
        }
        assert_eq!(results(&batch(node, json!(items)).await), expected);
    }

    async fn edit(&mut self, node: &TestApp, numbers: &Numbers) {
        let id = self.any_article(numbers);
        let path = format!("/v1/admin/articles/{id}");
        let change = match numbers.below(5) {
            0 | 1 => json!({"section_id": self.any_section(numbers), "also_in": []}),
            2 => json!({"also_in": [self.any_section(numbers), self.any_section(numbers)]}),
            3 => json!({"tags": if numbers.below(2) == 0 { vec![TAG] } else { vec![] }}),
            _ => json!({"expires_at": self.soon(numbers)}),
        };
        self.write(node, Method::PATCH, &path, change).await;
        self.look(node, id).await;
    }

    async fn act(&mut self, node: &TestApp, numbers: &Numbers) {
        let id = self.any_article(numbers);
        let one = format!("/v1/admin/articles/{id}");
        let publish = format!("{one}/publish");
        let (method, path, body) = match numbers.below(10) {
            0..=2 => (Method::POST, publish, json!({})),
            3 => (
                Method::POST,
                publish,
                json!({"published_at": self.soon(numbers)}),
            ),
            4 => (
                Method::POST,
                publish,
                json!({"expires_at": self.soon(numbers)}),
            ),
            5 | 6 => (Method::POST, format!("{one}/unpublish"), Value::Null),
            7 => (Method::POST, format!("{one}/restore"), Value::Null),
            8 => (Method::DELETE, one, Value::Null),
            _ => (Method::DELETE, format!("{one}?permanent=true"), Value::Null),
        };
        self.write(node, method, &path, body).await;
        self.look(node, id).await;
    }

    async fn correct(&mut self, node: &TestApp, numbers: &Numbers) {
        let id = self.any_article(numbers);
        let path = format!("/v1/admin/articles/{id}/hits");
        let baseline = numbers.seconds(30);
        let done = match numbers.below(3) {
            0 => {
                let answer = self.write(node, Method::DELETE, &path, Value::Null).await;
                if answer.status == 204 {
                    self.reset(id);
                }
                return;
            }
            1 => {
                let (path, body) = (format!("{path}/reset"), json!({"reason": "重新起算"}));
                let answer = node.admin().post(&path, body).await;
                if answer.status == 200 {
                    self.reset(id);
                }
                answer
            }
            _ => {
                let body = json!({"baseline": baseline, "reason": "旧站"});
                let answer = node.admin().put(&path, body).await;
                if answer.status == 200 {
                    self.article(id).baseline = baseline;
                }
                answer
            }
        };
        if done.status == 200 {
            assert_eq!(number(&done, "total"), self.views(&[id], None));
        }
    }

    async fn rearrange(&mut self, node: &TestApp, numbers: &Numbers) {
        let (id, other) = (self.any_section(numbers), self.any_section(numbers));
        let one = format!("/v1/admin/sections/{id}");
        let index = self.sections.iter().position(|section| section.id == id);
        let index = index.expect("a section");
        match numbers.below(10) {
            0..=4 => {
                let visible = numbers.below(4) > 0;
                let change = json!({"visible": visible});
                self.write(node, Method::PATCH, &one, change).await.ok(200);
                self.sections[index].visible = visible;
            }
            5..=7 => {
                let parent = Some(other).filter(|_| numbers.below(4) > 0);
                let (path, body) = (format!("{one}/move"), json!({"parent_id": parent}));
                if self.write(node, Method::POST, &path, body).await.status == 200 {
                    self.sections[index].parent = parent;
                }
            }
            8 if self.sections.len() > 4 => {
                let path = format!("{one}?move_to={other}");
                if self
                    .write(node, Method::DELETE, &path, Value::Null)
                    .await
                    .status
                    == 204
                {
                    self.sections.remove(index);
                    for section in &mut self.sections {
                        section.parent = match section.parent {
                            Some(parent) if parent == id => Some(other),
                            parent => parent,
                        };
                    }
                    let all: Vec<i64> = self.articles.iter().map(|article| article.id).collect();
                    for id in all {
                        self.look(node, id).await;
                    }
                }
            }
            _ if self.sections.len() < 9 => self.section_made("新栏", Some(other)).await,
            _ => {}
        }
    }

    /// Moves the clocks of both nodes on: a little, over midnight, by days.
    fn pass_time(&self, numbers: &Numbers) {
        let now = self.now();
        let to_midnight = 86_400_000 - (now.millis() + 8 * 3_600_000).rem_euclid(86_400_000);
        let seconds = match numbers.below(8) {
            0..=3 => numbers.seconds(7200),
            4 | 5 => to_midnight / 1000 + numbers.seconds(3),
            6 => 86_400 + numbers.seconds(86_400),
            _ => numbers.seconds(20 * 86_400),
        };
        self.nodes.iter().for_each(|node| node.advance(seconds));
    }

    async fn operate(&mut self, numbers: &Numbers) {
        let node = self.node(numbers);
        match numbers.below(100) {
            0..=24 => self.hit(&node, numbers).await,
            25..=42 => self.hits_by_batch(&node, numbers).await,
            43..=52 => drop(node.fold().await),
            53..=55 => {
                // As in a service that runs, where nothing stands in the log for days.
                node.fold().await;
                let tidied = lanmu::hits::tidy(&node.app).await;
                tidied.expect("it is tidied");
                self.oldest = self.oldest.max(self.today() - Days::new(40));
            }
            56..=63 => self.pass_time(numbers),
            64..=68 => self.article_made(&node, numbers).await,
            69..=75 => self.edit(&node, numbers).await,
            76..=84 => self.act(&node, numbers).await,
            85..=90 => self.correct(&node, numbers).await,
            91..=97 => self.rearrange(&node, numbers).await,
            _ => drop(node.tick().await),
        }
    }

    /// Holds what the nodes tell against the list of hits.
    async fn compare(&self, numbers: &Numbers) {
        let app = self.node(numbers);
        compare_articles(&app, self).await;
        let sections = self
            .sections
            .iter()
            .map(|section| Place::Section(section.id));
        for place in std::iter::once(Place::Site).chain(sections) {
            compare_place(&app, self, place).await;
        }
        let section = self.any_section(numbers);
        let limit = numbers.pick(&[1, 2, 3, 5, 8, 100]);
        for place in [Place::Site, Place::Section(section)] {
            compare_ranking(&app, self, place, limit).await;
        }
        let places = [Place::Site, Place::Section(section), Place::Alone(section)];
        let (place, tag) = (numbers.pick(&places), numbers.below(3) == 0);
        compare_list(&app, self, place, tag, limit.max(3)).await;
    }
}

async fn sums_and_rankings_are_those_of_a_list_of_all_hits(stage: Stage) {
    let settings = [
        EVERY_VIEW,
        ("LANMU_RATE_LIMIT", "off"),
        ("LANMU_HITS_DAYS", "40"),
    ];
    let mut model = Model::new(nodes(&stage, &settings).await);
    for (name, parent) in [
        ("海", None),
        ("湾", Some(0)),
        ("泊位", Some(1)),
        ("陆", None),
        ("集市", Some(3)),
        ("航道", Some(0)),
    ] {
        let parent = parent.map(|index: usize| model.sections[index].id);
        model.section_made(name, parent).await;
    }
    let seed = seed();
    let numbers = Numbers::new(seed);
    for _ in 0..10 {
        let node = model.node(&numbers);
        model.article_made(&node, &numbers).await;
    }
    for operation in 0..setting("LANMU_TEST_OPERATIONS", OPERATIONS) {
        model.operate(&numbers).await;
        if operation % 4 == 3 {
            model.compare(&numbers).await;
        }
    }
    // Once more with all of it folded, and on a quiet day.
    model.nodes[0].fold().await;
    model.compare(&numbers).await;
    model.nodes.iter().for_each(|node| node.advance(86_400));
    model.compare(&numbers).await;
    assert!(
        model.hits.len() > 50,
        "{} hits, seed {seed}",
        model.hits.len()
    );
}

async fn a_deleted_article_leaves_the_sums_and_keeps_its_ledger(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW]).await;
    let [app, other] = &nodes;
    let id = article(app).await;
    let kept = super::published(app, "夜渡", 1, "2020-01-01T00:00:00Z").await;
    let path = format!("/v1/admin/articles/{id}");
    views(app, id, 3).await;
    app.fold().await;
    views(other, id, 2).await;
    views(other, kept, 1).await;
    let told = ledger(app, kept).await;
    views(app, id, 1).await;
    app.admin().delete(&path).await.ok(204);
    let permanently = format!("{path}?permanent=true");
    app.admin().delete(&permanently).await.ok(204);
    app.account("w@example.com", "editor", json!({"sections": [1]}))
        .await;
    let editor = app.sign_in("w@example.com", SECRET).await;
    for folded in [false, true] {
        if folded {
            other.fold().await;
        }
        for node in &nodes {
            let site = node.get("/v1/site").await.ok(200);
            assert_eq!(number(&site, "hit_count"), 1);
            let section = node.get("/v1/sections/1/hits").await.ok(200);
            let names = ["total", "today", "last_7_days", "last_30_days"];
            assert_eq!(names.map(|name| number(&section, name)), [1; 4]);
            let today = format!("/v1/hits/daily?from={}", day(node.now()));
            assert_eq!(node.get(&today).await.ok(200).each("hits"), [1]);
            let hourly = node.get("/v1/hits/hourly?hours=1").await.ok(200);
            assert_eq!(hourly.each("hits"), [1]);
            let top = node.get("/v1/hits/top?window=all").await.ok(200);
            assert_eq!(top.each("hits"), [1]);
            let of_deleted = node.admin().get(&format!("{path}/hits")).await.ok(200);
            let of_deleted = ["total", "counted", "today"].map(|name| number(&of_deleted, name));
            assert_eq!(of_deleted, [6; 3], "folded: {folded}");
            let editors = node.get_with(&editor.access, &format!("{path}/hits")).await;
            editors.problem(404, "not_found");
            view(node, id).send().await.problem(404, "not_found");
        }
    }
    assert_eq!(ledger(other, kept).await.json, told.json);
}

crate::facts![
    sums_and_rankings_are_those_of_a_list_of_all_hits,
    a_deleted_article_leaves_the_sums_and_keeps_its_ledger,
];
