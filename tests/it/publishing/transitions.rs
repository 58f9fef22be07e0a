//! Every state with every action, for everybody who might try.

use std::rc::Rc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::people::{SECRET, Tokens};
use crate::support::stage::Stage;

use super::{ARTICLES, TOMORROW, act, managed, path, publish, section, status};

/// It signs in and writes more often than a client may.
const UNLIMITED: (&str, &str) = ("LANMU_RATE_LIMIT", "off");

const STATES: [&str; 6] = [
    "draft",
    "in_review",
    "scheduled",
    "published",
    "archived",
    "trashed",
];

const ACTIONS: [&str; 8] = [
    "submit",
    "reject",
    "publish now",
    "publish ahead",
    "unpublish",
    "trash",
    "restore",
    "delete",
];

/// The state that each action, in the order of [`ACTIONS`], makes of a state; "" is no such step.
fn table(state: &str) -> [&'static str; 8] {
    let (live, soon, gone) = ("published", "scheduled", "trashed");
    match state {
        "draft" => ["in_review", "", live, soon, "", gone, "", ""],
        "in_review" => ["", "draft", live, soon, "", gone, "", ""],
        "scheduled" => ["", "", live, soon, "draft", gone, "", ""],
        "published" => ["", "", live, soon, "archived", gone, "", ""],
        "archived" => ["", "", live, soon, "", gone, "", ""],
        "trashed" => ["", "", "", "", "", "", "draft", "gone"],
        other => panic!("there is no state {other}"),
    }
}

/// What comes of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Becomes(&'static str),
    NoSuchStep,
    Forbidden,
}

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Admin,
    Editor,
    Author,
    Viewer,
    WritingKey,
    PublishingKey,
}

impl Who {
    fn may(self, state: &str, action: &str) -> bool {
        let is_publishing = !matches!(action, "submit" | "trash" | "restore");
        let is_released = matches!(state, "scheduled" | "published");
        match self {
            Self::Admin | Self::Editor | Self::PublishingKey => true,
            Self::Viewer => false,
            Self::Author => !is_publishing && matches!(state, "draft" | "trashed"),
            Self::WritingKey => !(is_publishing || action == "trash" && is_released),
        }
    }

    fn outcome(self, state: &str, action: usize) -> Outcome {
        if !self.may(state, ACTIONS[action]) {
            return Outcome::Forbidden;
        }
        match table(state)[action] {
            "" => Outcome::NoSuchStep,
            to => Outcome::Becomes(to),
        }
    }
}

/// The author and whoever tries, by their tokens, in a section of theirs.
struct Cast {
    app: Rc<TestApp>,
    section: i64,
    author: String,
    caller: String,
}

impl Cast {
    async fn new(stage: &Stage, who: Who) -> Self {
        let app = stage.with(&[UNLIMITED]).await;
        let section = section(&app).await;
        let there = json!({"sections": [section]});
        let account = async |role: &str| {
            let email = format!("{role}@example.com");
            app.account(&email, role, there.clone()).await;
            let tokens: Tokens = app.sign_in(&email, SECRET).await;
            tokens.access
        };
        let author = account("author").await;
        let key = async |scopes: &[&str]| app.api_key(scopes, there.clone()).await.1;
        let caller = match who {
            Who::Admin => app.token().await,
            Who::Author => author.clone(),
            Who::Editor => account("editor").await,
            Who::Viewer => account("viewer").await,
            Who::WritingKey => key(&["content:read", "content:write"]).await,
            Who::PublishingKey => key(&["content:read", "content:write", "content:publish"]).await,
        };
        // A key's first use is noted down.
        app.get_with(&caller, ARTICLES).await.ok(200);
        Self {
            app,
            section,
            author,
            caller,
        }
    }

    /// The author's article in this state.
    async fn article(&self, state: &str) -> i64 {
        let body = json!({
            "title": "晨渡", "section_id": self.section,
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        let own = |method: Method, path: &str| self.app.with(&self.author, method, path);
        let made = own(Method::POST, ARTICLES).json(&body).send().await.ok(201);
        let id = made["id"].as_i64().expect("an id");
        match state {
            "in_review" => {
                let path = format!("{}/submit", path(id));
                own(Method::POST, &path).send().await.ok(200);
            }
            "scheduled" => {
                let ahead = json!({"published_at": TOMORROW});
                publish(&self.app, id, ahead).await.ok(200);
            }
            "published" | "archived" => {
                publish(&self.app, id, json!({})).await.ok(200);
                if state == "archived" {
                    act(&self.app, id, "unpublish").await.ok(200);
                }
            }
            "trashed" => {
                own(Method::DELETE, &path(id)).send().await.ok(204);
            }
            _ => {}
        }
        assert_eq!(status(&self.app, id).await, state);
        id
    }

    async fn tries(&self, action: &str, id: i64) -> Answer {
        let now = self.app.now().to_string();
        let (method, rest, body) = match action {
            "reject" => (Method::POST, "/reject", json!({"note": "导语太长"})),
            "publish now" => (Method::POST, "/publish", json!({"published_at": now})),
            "publish ahead" => (Method::POST, "/publish", json!({"published_at": TOMORROW})),
            "trash" => (Method::DELETE, "", Value::Null),
            "delete" => (Method::DELETE, "?permanent=true", Value::Null),
            "submit" => (Method::POST, "/submit", Value::Null),
            "unpublish" => (Method::POST, "/unpublish", Value::Null),
            _ => (Method::POST, "/restore", Value::Null),
        };
        let path = format!("{}{rest}", path(id));
        let request = self.app.with(&self.caller, method, &path);
        if body.is_null() {
            request.send().await
        } else {
            request.json(&body).send().await
        }
    }

    /// Tries one action on an article in this state, and whether that left it as it was.
    async fn check(&self, id: i64, state: &str, action: &str, expected: Outcome) -> bool {
        let name = format!("{action} of what is {state}");
        let before = managed(&self.app, id).await;
        let rows = databases::rows(&mut self.app.connect());
        let answer = self.tries(action, id).await;
        match expected {
            Outcome::Forbidden | Outcome::NoSuchStep => {
                if expected == Outcome::Forbidden {
                    assert_eq!(answer.status, 403, "{name}: {answer}");
                } else {
                    let answer = answer.problem(409, "invalid_transition");
                    let detail = answer["detail"].as_str().expect("a detail");
                    assert!(detail.contains(&format!("is {state}")), "{name}: {detail}");
                }
                let after = databases::rows(&mut self.app.connect());
                assert_eq!(after, rows, "{name}");
                assert_eq!(managed(&self.app, id).await.json, before.json, "{name}");
                true
            }
            Outcome::Becomes("gone") => {
                answer.ok(204);
                let path = path(id);
                self.app.admin().get(&path).await.problem(404, "not_found");
                false
            }
            Outcome::Becomes(to) => {
                let answer = answer.ok(if action == "trash" { 204 } else { 200 });
                let after = managed(&self.app, id).await;
                assert_eq!(after["status"], to, "{name}");
                let version = before["version"].as_i64().expect("a version") + 1;
                assert_eq!(after["version"], version, "{name}");
                if action != "trash" {
                    assert_eq!(answer.resource(), after.json, "{name}");
                }
                let kept = revision(&self.app, id, version);
                assert_eq!(kept.status, to, "{name}");
                false
            }
        }
    }
}

/// A revision as it is kept.
#[derive(QueryableByName)]
struct Kept {
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Text>)]
    note: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    actor_id: Option<i64>,
}

fn revision(app: &TestApp, id: i64, version: i64) -> Kept {
    let sql = format!(
        "SELECT status, note, actor_id FROM revisions WHERE article_id = {id} AND version = {version}"
    );
    let found = diesel::sql_query(sql).get_result(&mut app.connect());
    found.expect("each save has its revision")
}

/// Walks the whole table as somebody.
async fn walk(stage: Stage, who: Who) {
    let cast = Cast::new(&stage, who).await;
    for state in STATES {
        // What is refused leaves the article for the next one to try.
        let mut article = None;
        for (number, action) in ACTIONS.iter().enumerate() {
            let id = match article {
                Some(id) => id,
                None => cast.article(state).await,
            };
            let expected = who.outcome(state, number);
            let stays = cast.check(id, state, action, expected).await;
            article = stays.then_some(id);
        }
    }
}

async fn an_admin_takes_every_step(stage: Stage) {
    walk(stage, Who::Admin).await;
}

async fn an_editor_takes_every_step(stage: Stage) {
    walk(stage, Who::Editor).await;
}

async fn an_author_takes_the_steps_of_its_drafts(stage: Stage) {
    walk(stage, Who::Author).await;
}

async fn a_viewer_takes_none(stage: Stage) {
    walk(stage, Who::Viewer).await;
}

async fn a_key_that_writes_takes_the_steps_readers_do_not_see(stage: Stage) {
    walk(stage, Who::WritingKey).await;
}

async fn a_key_that_publishes_takes_every_step(stage: Stage) {
    walk(stage, Who::PublishingKey).await;
}

async fn a_rejection_needs_a_note(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    act(&app, id, "submit").await.ok(200);
    let reject = format!("{}/reject", path(id));
    let before = databases::rows(&mut app.connect());
    for (body, code) in [
        (json!({}), "required"),
        (json!({"note": null}), "required"),
        (json!({"note": " \n "}), "required"),
        (json!({"note": "长".repeat(1001)}), "too_long"),
    ] {
        let answer = app.admin().post(&reject, body).await;
        let answer = answer.problem(422, "validation_failed");
        assert_eq!(answer.faults(), [("/note".to_owned(), code.to_owned())]);
    }
    for body in [json!({"note": 7}), json!({"note": "短", "why": "长"})] {
        app.admin()
            .post(&reject, body)
            .await
            .problem(400, "invalid_body");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    let note = json!({"note": "长".repeat(1000)});
    app.admin().post(&reject, note).await.ok(200);
}

async fn a_note_stands_in_the_revision(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let submit = format!("{}/submit", path(id));
    let reject = format!("{}/reject", path(id));
    let submitted = json!({"note": "请核对引用的数字"});
    app.admin().post(&submit, submitted).await.ok(200);
    let rejected = json!({"note": "导语太长，请压缩到三句"});
    app.admin().post(&reject, rejected).await.ok(200);
    app.admin().act(&submit).await.ok(200);
    for (version, status, note) in [
        (1, "draft", None),
        (2, "in_review", Some("请核对引用的数字")),
        (3, "draft", Some("导语太长，请压缩到三句")),
        (4, "in_review", None),
    ] {
        let kept = revision(&app, id, version);
        assert_eq!(kept.status, status);
        assert_eq!(kept.note.as_deref(), note);
        assert_eq!(kept.actor_id, Some(1));
    }
    let told = app.entries("/v1/admin/audit?event=article.rejected").await;
    assert_eq!(told.len(), 1);
    let change = json!({"member": "status", "before": "in_review", "after": "draft"});
    assert_eq!(told[0]["changes"], json!([change]));
}

async fn a_fault_is_told_where_nothing_else_stands_in_the_way(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let bad = json!({"note": null});
    let reject = |id: i64| format!("{}/reject", path(id));
    app.admin()
        .post(&reject(987_654), bad.clone())
        .await
        .problem(404, "not_found");
    app.admin()
        .write_if("\"7\"", Method::POST, &reject(id), bad.clone())
        .await
        .problem(412, "version_mismatch");
    app.admin()
        .post(&reject(id), bad)
        .await
        .problem(422, "validation_failed");
}

async fn steps_keep_the_versions_that_clients_name(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let admin = app.admin();
    let note = json!({"note": "再改"});
    for (version, action, body) in [
        (1, "submit", Value::Null),
        (2, "reject", note),
        (3, "publish", Value::Null),
        (4, "unpublish", Value::Null),
    ] {
        let path = format!("{}/{action}", path(id));
        let old = format!("\"{}\"", version - 1);
        admin
            .write_if(&old, Method::POST, &path, body.clone())
            .await
            .problem(412, "version_mismatch");
        let current = format!("W/\"{version}\"");
        let answer = admin.write_if(&current, Method::POST, &path, body).await;
        let next = format!("\"{}\"", version + 1);
        assert_eq!(answer.ok(200).header("etag"), Some(next.as_str()));
    }
}

async fn time_takes_its_steps_by_itself(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let dates =
        json!({"published_at": "2026-01-31T04:01:00Z", "expires_at": "2026-01-31T04:02:00Z"});
    let more = json!({"publish": dates});
    let id = app.admin().article("晨渡", section, more).await;
    assert_eq!(app.tick().await, 0);
    for (state, count) in [("published", 1), ("archived", 0)] {
        app.advance(60);
        assert_eq!(app.tick().await, 1);
        assert_eq!(app.tick().await, 0);
        let article = managed(&app, id).await;
        assert_eq!(article["status"], state);
        assert_eq!(article["version"], 1);
        let site = app.get("/v1/site").await.ok(200);
        assert_eq!(site["article_count"], count);
    }
    // What comes after begins from there.
    publish(&app, id, json!({})).await.ok(200);
    act(&app, id, "unpublish").await.ok(200);
    app.advance(-300);
    assert_eq!(app.tick().await, 0);
    assert_eq!(status(&app, id).await, "archived");
}

crate::facts![
    an_admin_takes_every_step,
    an_editor_takes_every_step,
    an_author_takes_the_steps_of_its_drafts,
    a_viewer_takes_none,
    a_key_that_writes_takes_the_steps_readers_do_not_see,
    a_key_that_publishes_takes_every_step,
    a_rejection_needs_a_note,
    a_note_stands_in_the_revision,
    a_fault_is_told_where_nothing_else_stands_in_the_way,
    steps_keep_the_versions_that_clients_name,
    time_takes_its_steps_by_itself,
];
