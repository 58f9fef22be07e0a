//! A copy of the site that is made from the change log alone, and the site as delivery shows it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;

/// What is public, by id.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Content {
    pub articles: BTreeMap<i64, Value>,
    pub sections: BTreeMap<i64, Value>,
}

/// A client that keeps a copy.
#[derive(Debug, Default)]
pub struct Replica {
    pub content: Content,
    cursor: Option<String>,
}

impl Replica {
    /// Reads one page; what it told, and whether more follows.
    pub async fn step(&mut self, app: &TestApp, limit: u64) -> (Vec<Value>, bool) {
        let cursor = self.cursor.as_ref().map(|text| format!("&cursor={text}"));
        let path = format!("/v1/changes?limit={limit}{}", cursor.unwrap_or_default());
        let answer = app.get(&path).await.ok(200);
        self.cursor = Some(text(&answer["page"]["next_cursor"]));
        let told = answer["data"].as_array().expect("a list").clone();
        for change in &told {
            self.apply(change);
        }
        (told, answer["page"]["has_more"] == true)
    }

    /// Reads to the end; all that it was told.
    pub async fn follow(&mut self, app: &TestApp, limit: u64) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let (page, more) = self.step(app, limit).await;
            told.extend(page);
            if !more {
                return told;
            }
        }
    }

    /// The same, in short: `upsert article 3`.
    pub async fn hear(&mut self, app: &TestApp) -> Vec<String> {
        let told = self.follow(app, 100).await;
        told.iter().map(short).collect()
    }

    fn apply(&mut self, change: &Value) {
        let resource = text(&change["resource"]);
        let (kept, other) = match resource.as_str() {
            "article" => (&mut self.content.articles, "section"),
            _ => (&mut self.content.sections, "article"),
        };
        assert!(change[other].is_null(), "{change}");
        let id = change["id"].as_i64().expect("an id");
        if change["op"] == "delete" {
            assert!(change[&resource].is_null(), "{change}");
            kept.remove(&id);
        } else {
            assert_eq!(change["op"], "upsert");
            let mut state = change[&resource].clone();
            assert_eq!(state["id"], id, "{change}");
            // Delivery tells the order, not the place.
            if resource == "article" {
                state.as_object_mut().expect("an object").remove("position");
            }
            kept.insert(id, state);
        }
    }
}

pub fn short(change: &Value) -> String {
    let part = |name: &str| text(&change[name]);
    format!("{} {} {}", part("op"), part("resource"), change["id"])
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Everything that delivery shows, in the change log's shape.
pub async fn delivered(app: &TestApp) -> Content {
    let mut content = Content::default();
    for id in app.walk("/v1/sections?limit=100").await {
        let section = app.get(&format!("/v1/sections/{id}")).await.ok(200);
        let derived = [
            "path",
            "depth",
            "breadcrumb",
            "article_count",
            "last_published_at",
            "has_children",
        ];
        content.sections.insert(id, without(&section, &derived));
    }
    for id in app.walk("/v1/articles?limit=100&sort=-published_at").await {
        let article = app.get(&format!("/v1/articles/{id}")).await.ok(200);
        let mut state = without(&article, &["section", "breadcrumb", "also_in"]);
        let also_in = article["also_in"].as_array().expect("a list").iter();
        let also_in: Vec<Value> = also_in.map(|section| section["id"].clone()).collect();
        state["section_id"] = article["section"]["id"].clone();
        state["also_in"] = json!(also_in);
        content.articles.insert(id, state);
    }
    content
}

fn without(answer: &Answer, members: &[&str]) -> Value {
    let mut state = answer.json.clone();
    for member in members {
        let removed = state.as_object_mut().expect("an object").remove(*member);
        assert!(removed.is_some(), "there is no {member} in {answer}");
    }
    state
}
