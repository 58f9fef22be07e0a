//! Sections: the tree, its order, slugs and counts.

mod changing;
mod deleting;
mod hiding;
mod making;
mod moving;
mod reading;
mod slugs;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Fact;

const SECTIONS: &str = "/v1/admin/sections";
/// Requests that come all at once on a busy machine wait for their turn, not for a 503.
const PATIENT: (&str, &str) = ("LANMU_DB_WAIT_MS", "60000");

fn path(id: i64) -> String {
    format!("{SECTIONS}/{id}")
}

/// The section as its editors see it.
async fn managed(app: &TestApp, id: i64) -> Answer {
    app.admin().get(&path(id)).await.ok(200)
}

/// The section as readers see it.
async fn read(app: &TestApp, id: i64) -> Answer {
    app.get(&format!("/v1/sections/{id}")).await.ok(200)
}

async fn create(app: &TestApp, body: Value) -> Answer {
    app.admin().post(SECTIONS, body).await
}

async fn patch(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin().patch(&path(id), body).await
}

async fn move_to(app: &TestApp, id: i64, body: Value) -> Answer {
    app.admin().post(&format!("{}/move", path(id)), body).await
}

async fn delete(app: &TestApp, id: i64, query: &str) -> Answer {
    app.admin().delete(&format!("{}{query}", path(id))).await
}

fn texts(answer: &Answer, member: &str) -> Vec<String> {
    let items = answer["data"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item[member].as_str().expect("a text").to_owned())
        .collect()
}

/// The paths that readers see, in tree order: the flat list and the tree must agree.
async fn shown(app: &TestApp) -> Vec<String> {
    fn flatten(nodes: &Value, into: &mut Vec<String>) {
        for node in nodes.as_array().expect("nodes") {
            into.push(node["path"].as_str().expect("a path").to_owned());
            flatten(&node["children"], into);
        }
    }
    let list = texts(&app.get("/v1/sections?limit=100").await.ok(200), "path");
    let mut nested = Vec::new();
    flatten(
        &app.get("/v1/sections/tree").await.ok(200)["data"],
        &mut nested,
    );
    assert_eq!(list, nested);
    list
}

async fn article_count(app: &TestApp, id: i64) -> i64 {
    read(app, id).await["article_count"]
        .as_i64()
        .expect("a number")
}

/// news (town (pier), fleet) and notices.
struct Harbour {
    news: i64,
    town: i64,
    pier: i64,
    fleet: i64,
    notices: i64,
}

async fn harbour(app: &TestApp) -> Harbour {
    let admin = app.admin();
    let news = admin.section("要闻", json!({"slug": "news"})).await;
    let below = |slug: &str, parent: i64| json!({"slug": slug, "parent_id": parent});
    let town = admin.section("镇里", below("town", news)).await;
    Harbour {
        news,
        town,
        pier: admin.section("码头", below("pier", town)).await,
        fleet: admin.section("船队", below("fleet", news)).await,
        notices: admin.section("告示", json!({"slug": "notices"})).await,
    }
}

/// As many sections as names, each below the one before it.
async fn chain(app: &TestApp, names: &[&str]) -> Vec<i64> {
    let mut ids: Vec<i64> = Vec::new();
    for name in names {
        let more = json!({"parent_id": ids.last()});
        ids.push(app.admin().section(name, more).await);
    }
    ids
}

/// Whether readers find the article: by its own address, in the list, and in the site's count.
async fn is_found(app: &TestApp, id: i64) -> bool {
    let one = app.get(&format!("/v1/articles/{id}")).await.status == 200;
    let listed = app.get(&format!("/v1/articles?ids={id}")).await.ok(200);
    assert_eq!(listed.ids().len(), usize::from(one));
    assert_eq!(listed["page"]["total"], i64::from(one));
    one
}

/// The facts of this folder.
pub fn facts() -> Vec<Fact> {
    [
        making::facts(),
        slugs::facts(),
        reading::facts(),
        changing::facts(),
        moving::facts(),
        hiding::facts(),
        deleting::facts(),
    ]
    .concat()
}
