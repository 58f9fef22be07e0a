//! What happens to articles, sections and their hits: noted in the model where it is acknowledged.

use std::rc::Rc;

use chrono::Days;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Model, Section, TAG};
use crate::hits::{GOOGLEBOT, batch, number, results, view};
use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::numbers::Numbers;

impl Model {
    /// One of the nodes.
    pub fn node(&self, numbers: &Numbers) -> Rc<TestApp> {
        Rc::clone(&self.nodes[usize::from(numbers.below(2) == 1)])
    }

    fn any_article(&self, numbers: &Numbers) -> i64 {
        let ids: Vec<i64> = self.articles.iter().map(|article| article.id).collect();
        numbers.pick(&ids)
    }

    /// One of the sections.
    pub fn any_section(&self, numbers: &Numbers) -> i64 {
        let ids: Vec<i64> = self.sections.iter().map(|section| section.id).collect();
        numbers.pick(&ids)
    }

    /// A new section.
    pub async fn section_made(&mut self, name: &str, parent: Option<i64>) {
        let more = json!({"parent_id": parent});
        let id = self.nodes[0].admin().section(name, more).await;
        self.sections.push(Section {
            id,
            parent,
            visible: true,
        });
    }

    /// A new article, in whatever state.
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

    /// Something that somebody does, on either node.
    pub async fn operate(&mut self, numbers: &Numbers) {
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
}
