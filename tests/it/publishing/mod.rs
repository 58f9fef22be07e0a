//! The life of an article: publish, schedule, expire, trash.

mod caches;
mod conditions;
mod dates;
mod steps;
mod time;
mod together;
mod transitions;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Fact;

const ARTICLES: &str = "/v1/admin/articles";
const TOMORROW: &str = "2026-02-01T00:00:00Z";

fn path(id: i64) -> String {
    format!("{ARTICLES}/{id}")
}

async fn section(app: &TestApp) -> i64 {
    app.admin()
        .section("港口", json!({"slug": "harbour"}))
        .await
}

async fn managed(app: &TestApp, id: i64) -> Answer {
    app.admin().get(&path(id)).await.ok(200)
}

async fn status(app: &TestApp, id: i64) -> String {
    managed(app, id).await["status"]
        .as_str()
        .expect("a status")
        .to_owned()
}

async fn publish(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin()
        .post(&format!("{}/publish", path(id)), body)
        .await
}

async fn act(app: &TestApp, id: i64, action: &str) -> Answer {
    app.admin().act(&format!("{}/{action}", path(id))).await
}

async fn patch(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin().patch(&path(id), body).await
}

async fn is_read(app: &TestApp, id: i64) -> bool {
    match app.get(&format!("/v1/articles/{id}")).await {
        answer if answer.status == 200 => true,
        answer => {
            answer.problem(404, "not_found");
            false
        }
    }
}

/// The one fault of a refused body.
#[track_caller]
fn fault(answer: Answer) -> String {
    let answer = answer.problem(422, "validation_failed");
    let faults = answer.faults();
    assert_eq!(faults.len(), 1, "{answer}");
    faults[0].0.clone()
}

const STATES: [&str; 6] = [
    "draft",
    "scheduled",
    "published",
    "archived",
    "expired",
    "trashed",
];

/// An article in this state; one that is to expire does so in a minute.
async fn in_state(app: &TestApp, section: i64, state: &str) -> i64 {
    let admin = app.admin();
    let publish = |body: Value| json!({"publish": body});
    match state {
        "draft" => admin.draft("晨渡", section, json!({})).await,
        "scheduled" => {
            let ahead = publish(json!({"published_at": TOMORROW}));
            admin.article("晨渡", section, ahead).await
        }
        "expired" => {
            let brief = publish(json!({"expires_at": "2026-01-31T04:01:00Z"}));
            admin.article("晨渡", section, brief).await
        }
        "archived" => {
            let id = admin.article("晨渡", section, json!({})).await;
            act(app, id, "unpublish").await.ok(200);
            id
        }
        "trashed" => {
            let id = admin.article("晨渡", section, json!({})).await;
            admin.delete(&path(id)).await.ok(204);
            id
        }
        _ => admin.article("晨渡", section, json!({})).await,
    }
}

/// An article published with these dates and another one of January 2020, both in `harbour` and
/// with the tag 潮汐. The first alone has the slug `ferry`, the tag 渡船 and a count of 7.
async fn pair(app: &TestApp, dates: Value) -> (i64, i64) {
    let section = section(app).await;
    let old = json!({"published_at": "2020-01-01T00:00:00Z", "tags": ["潮汐"]});
    let other = app.admin().article("旧渡", section, old).await;
    let more = json!({"slug": "ferry", "tags": ["潮汐", "渡船"], "publish": dates});
    let id = app.admin().article("晨渡", section, more).await;
    let count = json!({"baseline": 7, "reason": "旧站"});
    app.admin()
        .put(&format!("{}/hits", path(id)), count)
        .await
        .ok(200);
    (id, other)
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        steps::facts(),
        dates::facts(),
        conditions::facts(),
        time::facts(),
        together::facts(),
        transitions::facts(),
        caches::facts(),
    ]
    .concat()
}
