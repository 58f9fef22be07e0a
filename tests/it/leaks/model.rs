//! What editors do, and what of it is public: a model that knows nothing of the service's own.

use std::cell::RefCell;
use std::rc::Rc;

use lanmu::db::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::crawl::{Page, References};
use super::{canary, singing};
use crate::support::app::TestApp;
use crate::support::numbers::Numbers;

#[derive(Debug, Clone)]
struct Section {
    id: i64,
    parent: Option<usize>,
    visible: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Draft,
    InReview,
    Released,
    Archived,
    Trashed,
    Gone,
}

#[derive(Debug, Clone)]
struct Article {
    id: i64,
    number: usize,
    state: State,
    section: usize,
    published_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

/// The office and its archive.
pub struct Model {
    app: Rc<TestApp>,
    sections: RefCell<Vec<Section>>,
    articles: RefCell<Vec<Article>>,
}

/// Numbers of canaries: no two models of a run share one.
static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);

impl Model {
    /// Five sections: two at the top, two below the first, one below these.
    pub async fn open(app: Rc<TestApp>) -> Self {
        let mut sections: Vec<Section> = Vec::new();
        for (name, parent) in [
            ("港口", None),
            ("城里", None),
            ("渡口", Some(0)),
            ("灯塔", Some(0)),
            ("灯室", Some(3)),
        ] {
            let parent_id: Option<i64> = parent.map(|index: usize| sections[index].id);
            let id = app
                .admin()
                .section(name, json!({"parent_id": parent_id}))
                .await;
            sections.push(Section {
                id,
                parent,
                visible: true,
            });
        }
        Self {
            app,
            sections: RefCell::new(sections),
            articles: RefCell::default(),
        }
    }

    /// An article in each state, by each way to it, in sections that are shown and hidden.
    pub async fn every_state(&self) {
        for section in [1, 4] {
            self.create(section).await;
            for (action, body) in [
                ("submit", json!({})),
                ("publish", json!({})),
                ("publish", json!({"published_at": "2026-01-31T05:00:00Z"})),
                ("publish", json!({"expires_at": "2026-01-31T05:00:00Z"})),
            ] {
                let index = self.create(section).await;
                self.act(index, action, body).await;
            }
            for ends in [
                &["unpublish"][..],
                &["trash"],
                &["trash", "delete"],
                &["trash", "restore"],
            ] {
                let index = self.create(section).await;
                self.act(index, "publish", json!({})).await;
                for end in ends {
                    self.act(index, end, Value::Null).await;
                }
            }
        }
        self.show(3, false).await;
    }

    /// Something that somebody does.
    pub async fn step(&self, numbers: &Numbers) {
        let count = self.articles.borrow().len();
        let sections = self.sections.borrow().len() as u64;
        let section = || usize::try_from(numbers.below(sections)).expect("an index");
        if count < 6 || numbers.below(8) == 0 {
            self.create(section()).await;
            return;
        }
        let index = usize::try_from(numbers.below(count as u64)).expect("an index");
        match numbers.below(14) {
            0 | 1 => self.show(section(), numbers.below(3) > 0).await,
            2 => {
                self.app.advance(numbers.seconds(1200));
                if numbers.below(2) == 0 {
                    self.app.tick().await;
                }
            }
            3 => self.move_to(index, section()).await,
            4..=7 => {
                let mut dates = json!({});
                let at = |seconds: i64| self.app.now().plus_seconds(seconds).to_string();
                if numbers.below(2) == 0 {
                    dates["published_at"] = json!(at(numbers.seconds(1800) - 600));
                }
                if numbers.below(3) == 0 {
                    dates["expires_at"] = json!(at(1300 + numbers.seconds(1800)));
                }
                self.act(index, "publish", dates).await;
            }
            other => {
                let actions = [
                    "submit",
                    "unpublish",
                    "trash",
                    "restore",
                    "delete",
                    "reject",
                ];
                let action = actions[usize::try_from(other).expect("small") % actions.len()];
                let body = match action {
                    "reject" => json!({"note": "再改"}),
                    _ => Value::Null,
                };
                self.act(index, action, body).await;
            }
        }
    }

    async fn create(&self, section: usize) -> usize {
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id_of = |index: usize| self.sections.borrow()[index].id;
        let (home, other) = (id_of(section), id_of((section + 2) % 5));
        let body = singing(number, home, &[other]);
        let made = self
            .app
            .admin()
            .post("/v1/admin/articles", body)
            .await
            .ok(201);
        let mut articles = self.articles.borrow_mut();
        articles.push(Article {
            id: made["id"].as_i64().expect("an id"),
            number,
            state: State::Draft,
            section,
            published_at: None,
            expires_at: None,
        });
        articles.len() - 1
    }

    /// Does it, and notes what becomes of the article where it was done.
    async fn act(&self, index: usize, action: &str, body: Value) {
        let id = self.articles.borrow()[index].id;
        let one = format!("/v1/admin/articles/{id}");
        let admin = self.app.admin();
        let answer = match action {
            "trash" => admin.delete(&one).await,
            "delete" => admin.delete(&format!("{one}?permanent=true")).await,
            _ => {
                admin
                    .write_if("*", Method::POST, &format!("{one}/{action}"), body.clone())
                    .await
            }
        };
        let is_refused = matches!(answer.status, 404 | 409 | 422);
        assert!(is_refused || answer.status < 300, "{action}: {answer}");
        if is_refused {
            return;
        }
        let now = self.app.now();
        let mut articles = self.articles.borrow_mut();
        let article = &mut articles[index];
        let instant = |name: &str| body[name].as_str().and_then(Timestamp::parse);
        match action {
            "submit" => article.state = State::InReview,
            "reject" | "restore" => article.state = State::Draft,
            "publish" => {
                let given = instant("published_at").or(article.published_at);
                article.published_at = Some(given.unwrap_or(now));
                article.expires_at = article.expires_at.filter(|end| *end > now);
                article.expires_at = instant("expires_at").or(article.expires_at);
                article.state = State::Released;
            }
            "unpublish" => {
                let is_ahead = article.published_at.is_some_and(|at| at > now);
                article.state = if is_ahead {
                    State::Draft
                } else {
                    State::Archived
                };
            }
            "trash" => article.state = State::Trashed,
            _ => article.state = State::Gone,
        }
    }

    async fn move_to(&self, index: usize, section: usize) {
        let id = self.articles.borrow()[index].id;
        let to = self.sections.borrow()[section].id;
        let body = json!({"section_id": to, "also_in": []});
        let path = format!("/v1/admin/articles/{id}");
        if self.app.admin().patch(&path, body).await.status == 200 {
            self.articles.borrow_mut()[index].section = section;
        }
    }

    async fn show(&self, index: usize, visible: bool) {
        let id = self.sections.borrow()[index].id;
        let path = format!("/v1/admin/sections/{id}");
        let body = json!({"visible": visible});
        self.app.admin().patch(&path, body).await.ok(200);
        self.sections.borrow_mut()[index].visible = visible;
    }

    fn is_shown(&self, index: usize) -> bool {
        let sections = self.sections.borrow();
        let mut next = Some(index);
        while let Some(index) = next {
            if !sections[index].visible {
                return false;
            }
            next = sections[index].parent;
        }
        true
    }

    fn is_public(&self, article: &Article) -> bool {
        let now = self.app.now();
        article.state == State::Released
            && article.published_at.is_some_and(|at| at <= now)
            && article.expires_at.is_none_or(|end| end > now)
            && self.is_shown(article.section)
    }

    /// What a curious reader might try.
    pub fn references(&self) -> References {
        let articles = self.articles.borrow();
        let words: Vec<String> = articles.iter().map(|one| canary(one.number)).collect();
        let ids = articles.iter().map(|one| one.id.to_string());
        let slugs = words.iter().map(|word| format!("slug-{word}"));
        References {
            articles: ids.chain(slugs).collect(),
            sections: self
                .sections
                .borrow()
                .iter()
                .map(|one| one.id.to_string())
                .collect(),
            words,
        }
    }

    /// Holds what was read against the model, and tells how many articles are public.
    pub async fn check(&self, pages: &[Page]) -> usize {
        let articles = self.articles.borrow().clone();
        let mut public: usize = 0;
        for article in &articles {
            let word = canary(article.number);
            let sings = |page: &&Page| page.text.contains(&word);
            let heard = pages.iter().find(sings).map(|page| &page.path);
            if self.is_public(article) {
                public += 1;
                let path = format!("/v1/articles/{}", article.id);
                let own = pages.iter().find(|page| page.path == path);
                assert!(own.as_ref().is_some_and(sings), "{article:?} is not heard");
            } else {
                assert_eq!(heard, None, "{article:?} is heard");
            }
        }
        let site = self.app.get("/v1/site").await.ok(200);
        assert_eq!(site["article_count"], public, "articles of the site");
        let list = self.app.get("/v1/articles?limit=1").await.ok(200);
        assert_eq!(list["page"]["total"], public, "articles of the list");
        let mut copy = std::collections::BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/changes?limit=100&resources=article{cursor}");
            let page = self.app.get(&path).await.ok(200);
            copy.extend(
                page["data"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|one| one["id"].as_i64()),
            );
            if page["page"]["has_more"] == false {
                break;
            }
            cursor = format!(
                "&cursor={}",
                page["page"]["next_cursor"].as_str().expect("one")
            );
        }
        // What has come due is told once it is written down: there may be less, never more.
        assert!(
            copy.len() <= public,
            "{} articles in the change log",
            copy.len()
        );
        public
    }

    /// Empties the site, so that the next model begins with nothing.
    pub async fn close(&self) {
        let count = self.articles.borrow().len();
        for index in 0..count {
            self.act(index, "trash", Value::Null).await;
            self.act(index, "delete", Value::Null).await;
        }
    }
}
