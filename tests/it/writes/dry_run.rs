//! `?dry_run=true`: the whole validation and the would-be answer, and nothing written.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::people::{KEYS, SECRET, USERS};
use crate::support::stage::Stage;

use super::{ARTICLES, EXTERNAL, SECTIONS, write};

const TOMORROW: &str = "2026-02-01T00:00:00Z";

fn dry(path: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}dry_run=true")
}

/// A content write and the status of its success.
type Write = (Method, String, &'static str, Value, u16);

/// Tries a write, which must change nothing and name nothing that isn't there.
async fn tried(app: &TestApp, (method, path, if_match, body, _): &Write) -> Answer {
    let before = databases::rows(&mut app.connect());
    let request = write(app, method, &dry(path), if_match, body).await;
    // Nothing is kept of it either.
    let answer = request.header("idempotency-key", "tried").send().await;
    let answer = answer.ok(200);
    for name in ["etag", "location"] {
        assert_eq!(answer.header(name), None, "{method} {path}");
    }
    let after = databases::rows(&mut app.connect());
    assert_eq!(after, before, "{method} {path}");
    answer
}

/// Tries a write, then does it, and holds one answer against the other.
async fn as_told(app: &TestApp, step: Write) -> Answer {
    let (method, path, if_match, body, status) = &step;
    let told = tried(app, &step).await;
    let real = write(app, method, path, if_match, body).await.send().await;
    let real = real.ok(*status);
    if *status == 204 {
        return told;
    }
    // The id, too: a try uses none up.
    assert_eq!(told.json, real.json, "{method} {path}");
    real
}

fn post(path: String, body: Value, status: u16) -> Write {
    (Method::POST, path, "", body, status)
}

fn new_article(section: i64) -> Value {
    json!({
        "title": "清晨的渡口", "section_id": section, "tags": ["潮汐"],
        "body": {"format": "markdown", "content": "船**离岸**了。"},
    })
}

async fn a_try_tells_what_making_an_article_makes(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let plain = new_article(section);
    as_told(&app, post(ARTICLES.to_owned(), plain.clone(), 201)).await;
    // The slug of the first one is taken now.
    as_told(&app, post(ARTICLES.to_owned(), plain.clone(), 201)).await;
    for publish in [json!({}), json!({"published_at": TOMORROW})] {
        let mut body = plain.clone();
        body["publish"] = publish;
        as_told(&app, post(ARTICLES.to_owned(), body, 201)).await;
    }
    let put = |body: Value, status: u16| {
        let path = format!("{EXTERNAL}/cms-1");
        (Method::PUT, path, "", body, status)
    };
    as_told(&app, put(plain.clone(), 201)).await;
    let mut replaced = plain;
    replaced["title"] = json!("夜渡");
    replaced["publish"] = json!({});
    let answer = as_told(&app, put(replaced, 200)).await;
    assert_eq!(answer["status"], "published");
    assert_eq!(answer["version"], 2);
}

async fn a_try_tells_what_each_step_makes(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let other = admin.section("渔场", json!({})).await;
    let id = admin.draft("晨渡", section, json!({})).await;
    let second = admin.draft("夜渡", section, json!({})).await;
    let one = format!("{ARTICLES}/{id}");
    let step = |action: &str, body: Value| post(format!("{one}/{action}"), body, 200);
    let patch = |body: Value| (Method::PATCH, one.clone(), "*", body, 200);
    as_told(&app, patch(json!({"slug": "ferry", "related": [second]}))).await;
    as_told(&app, step("submit", json!({"note": "请看"}))).await;
    as_told(&app, step("reject", json!({"note": "再改"}))).await;
    as_told(&app, step("publish", json!({"published_at": TOMORROW}))).await;
    as_told(&app, step("publish", Value::Null)).await;
    as_told(&app, patch(json!({"title": "晨渡二"}))).await;
    as_told(&app, step("reorder", json!({"position": 5}))).await;
    as_told(&app, patch(json!({"section_id": other}))).await;
    as_told(&app, step("unpublish", Value::Null)).await;
    let bulk = |body: Value| post(format!("{ARTICLES}/bulk"), body, 200);
    for action in [
        json!({"action": "publish"}),
        json!({"action": "tag", "add_tags": ["潮汐"]}),
        json!({"action": "move", "section_id": section}),
        json!({"action": "unpublish"}),
        json!({"action": "trash"}),
    ] {
        let mut body = action;
        body["ids"] = json!([second, 987_654]);
        let answer = as_told(&app, bulk(body)).await;
        assert_eq!(answer["done"], 1);
    }
    let delete = |path: String| (Method::DELETE, path, "*", Value::Null, 204);
    let told = as_told(&app, delete(one.clone())).await;
    let trashed = admin.get(&one).await.ok(200);
    assert_eq!(told.json, trashed.json);
    let told = tried(&app, &delete(format!("{one}?permanent=true"))).await;
    assert_eq!(told.json, trashed.json);
    as_told(&app, step("restore", Value::Null)).await;
    as_told(&app, delete(one.clone())).await;
    as_told(&app, delete(format!("{one}?permanent=true"))).await;
    admin.get(&one).await.problem(404, "not_found");
}

async fn a_try_tells_what_becomes_of_sections(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let harbour = admin.section("港口", json!({"slug": "harbour"})).await;
    let pier = json!({"slug": "pier", "parent_id": harbour});
    let pier = admin.section("码头", pier).await;
    let fleet = admin.section("船队", json!({"slug": "fleet"})).await;
    admin.article("晨渡", pier, json!({})).await;
    let one = |id: i64| format!("{SECTIONS}/{id}");
    let body = json!({"name": "告示", "parent_id": harbour, "position": 0});
    as_told(&app, post(SECTIONS.to_owned(), body, 201)).await;
    for body in [
        json!({"slug": "port"}),
        json!({"visible": false}),
        json!({"visible": true, "description": "船与人"}),
    ] {
        as_told(&app, (Method::PATCH, one(harbour), "*", body, 200)).await;
    }
    let place = json!({"parent_id": null, "before": fleet});
    let told = as_told(&app, post(format!("{}/move", one(pier)), place, 200)).await;
    assert_eq!(told["path"], "pier");
    let before = admin.get(&one(pier)).await.ok(200);
    let path = format!("{}?move_to={fleet}", one(pier));
    let told = as_told(&app, (Method::DELETE, path, "", Value::Null, 204)).await;
    assert_eq!(told.json, before.json);
    admin.get(&one(pier)).await.problem(404, "not_found");
}

async fn what_time_has_made_is_not_written_by_a_try(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let soon = json!({"publish": {"published_at": "2026-01-31T04:01:00Z"}});
    let id = app.admin().article("晨渡", section, soon).await;
    app.advance(60);
    let unpublish = format!("{ARTICLES}/{id}/unpublish");
    let answer = as_told(&app, post(unpublish, Value::Null, 200)).await;
    assert_eq!(answer["status"], "archived");
}

async fn a_try_has_the_faults_of_the_real_thing(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({"slug": "harbour"})).await;
    let below = json!({"parent_id": section});
    let below = admin.section("码头", below).await;
    let draft = admin.draft("晨渡", section, json!({})).await;
    let empty = json!({"body": null});
    let empty = admin.draft("空", section, empty).await;
    let live = json!({"slug": "ferry", "external_id": "cms-1"});
    let live = admin.article("夜渡", section, live).await;
    let (one, missing) = (format!("{ARTICLES}/{draft}"), format!("{ARTICLES}/987654"));
    let home = format!("{SECTIONS}/{section}");
    let bulk = format!("{ARTICLES}/bulk");
    let act = |id: i64, action: &str| format!("{ARTICLES}/{id}/{action}");
    let (post, patch, put, delete) = (Method::POST, Method::PATCH, Method::PUT, Method::DELETE);
    let none = Value::Null;
    let mut taken = new_article(section);
    taken["slug"] = json!("ferry");
    let before = databases::rows(&mut app.connect());
    for (method, path, if_match, body, status) in [
        (&post, ARTICLES.to_owned(), "", json!({}), 422),
        (&post, ARTICLES.to_owned(), "", json!({"x": 1}), 400),
        (&post, ARTICLES.to_owned(), "", new_article(987), 422),
        (&post, ARTICLES.to_owned(), "", taken.clone(), 409),
        (&patch, one.clone(), "", json!({"title": "x"}), 428),
        (&patch, one.clone(), "\"7\"", json!({"title": "x"}), 412),
        (&patch, one.clone(), "*", json!({"title": null}), 422),
        (&patch, one.clone(), "*", json!({"slug": "ferry"}), 409),
        (&patch, one.clone(), "*", json!({"related": [987]}), 422),
        (&patch, missing.clone(), "*", json!({"title": "x"}), 404),
        (
            &put,
            format!("{EXTERNAL}/cms-2"),
            "*",
            new_article(section),
            412,
        ),
        (&put, format!("{EXTERNAL}/cms-1"), "", json!({}), 422),
        (&put, format!("{EXTERNAL}/cms-2"), "", taken, 409),
        (&post, act(live, "submit"), "", none.clone(), 409),
        (&post, act(draft, "submit"), "\"2\"", none.clone(), 412),
        (&post, act(draft, "reject"), "", json!({"note": "x"}), 409),
        (&post, act(draft, "reject"), "", json!({"note": ""}), 422),
        (&post, act(empty, "publish"), "", none.clone(), 422),
        (&post, act(draft, "publish"), "\"2\"", none.clone(), 412),
        (&post, act(draft, "unpublish"), "", none.clone(), 409),
        (&post, act(draft, "restore"), "", none.clone(), 409),
        (&post, act(987, "restore"), "", none.clone(), 404),
        (
            &post,
            act(draft, "reorder"),
            "",
            json!({"position": -1}),
            422,
        ),
        (
            &post,
            bulk.clone(),
            "",
            json!({"action": "x", "ids": [draft]}),
            422,
        ),
        (
            &post,
            bulk,
            "",
            json!({"action": "unpublish", "ids": [draft, live], "atomic": true}),
            409,
        ),
        (&delete, one.clone(), "\"7\"", none.clone(), 412),
        (
            &delete,
            format!("{one}?permanent=true"),
            "",
            none.clone(),
            409,
        ),
        (&delete, missing, "", none.clone(), 404),
        (&post, SECTIONS.to_owned(), "", json!({"name": ""}), 422),
        (
            &post,
            SECTIONS.to_owned(),
            "",
            json!({"name": "x", "slug": "harbour"}),
            409,
        ),
        (&patch, home.clone(), "", json!({"name": "x"}), 428),
        (&patch, home.clone(), "\"7\"", json!({"name": "x"}), 412),
        (&patch, home.clone(), "*", json!({"position": 1}), 422),
        (
            &post,
            format!("{home}/move"),
            "",
            json!({"parent_id": below}),
            409,
        ),
        (&delete, home.clone(), "", none.clone(), 409),
        (
            &delete,
            format!("{home}?move_to={below}"),
            "",
            none.clone(),
            409,
        ),
        (&delete, format!("{SECTIONS}/987"), "", none, 404),
    ] {
        let mut told = Vec::new();
        for path in [dry(&path), path.clone()] {
            let answer = write(&app, method, &path, if_match, &body)
                .await
                .send()
                .await;
            let mut problem = answer.ok(status).json;
            problem["request_id"].take();
            told.push(problem);
        }
        assert_eq!(told[0], told[1], "{method} {path} {body}");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

/// Every content write there is.
fn content_writes(article: i64, section: i64) -> Vec<(Method, String, Value)> {
    let mut writes = vec![
        (Method::POST, ARTICLES.to_owned(), new_article(section)),
        (
            Method::PATCH,
            format!("{ARTICLES}/{article}"),
            json!({"title": "夜渡"}),
        ),
        (Method::DELETE, format!("{ARTICLES}/{article}"), Value::Null),
        (
            Method::PUT,
            format!("{EXTERNAL}/cms-1"),
            new_article(section),
        ),
        (Method::POST, SECTIONS.to_owned(), json!({"name": "渔场"})),
        (
            Method::PATCH,
            format!("{SECTIONS}/{section}"),
            json!({"name": "海港"}),
        ),
        (Method::DELETE, format!("{SECTIONS}/{section}"), Value::Null),
        (
            Method::POST,
            format!("{SECTIONS}/{section}/move"),
            json!({"parent_id": null}),
        ),
    ];
    for (action, body) in [
        ("submit", Value::Null),
        ("reject", json!({"note": "再改"})),
        ("publish", Value::Null),
        ("unpublish", Value::Null),
        ("restore", Value::Null),
        ("reorder", json!({"position": 0})),
    ] {
        let path = format!("{ARTICLES}/{article}/{action}");
        writes.push((Method::POST, path, body));
    }
    let bulk = json!({"action": "trash", "ids": [article]});
    writes.push((Method::POST, format!("{ARTICLES}/bulk"), bulk));
    writes
}

async fn it_is_true_or_false_and_nothing_else(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let article = app.admin().draft("晨渡", section, json!({})).await;
    let before = databases::rows(&mut app.connect());
    for (method, path, body) in content_writes(article, section) {
        for query in ["dry_run=maybe", "dry_run=", "dry_run=true&dry_run=true"] {
            let path = format!("{path}?{query}");
            let answer = write(&app, &method, &path, "*", &body).await.send().await;
            let answer = answer.problem(400, "invalid_request");
            assert_eq!(answer.faults()[0].0, "dry_run", "{method} {path}");
        }
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    let path = format!("{ARTICLES}?dry_run=false");
    let made = app.admin().post(&path, new_article(section)).await.ok(201);
    let path = made.header("location").expect("a place").to_owned();
    app.admin().get(&path).await.ok(200);
}

async fn other_writes_do_not_know_it(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let article = admin.article("晨渡", section, json!({})).await;
    let user = app.account("a@example.com", "viewer", json!({})).await;
    let (key, _) = app.api_key(&["content:read"], json!({})).await;
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let none = Value::Null;
    let account = json!({"email": "b@example.com", "role": "viewer", "password": SECRET});
    let scopes = json!({"name": "推送", "scopes": ["content:read"]});
    let hit = json!({"hits": [{"article_id": article, "hit_id": "a"}]});
    let count = json!({"baseline": 7, "reason": "旧站"});
    let import = json!({"reason": "旧站", "items": [{"id": article, "baseline": 7}]});
    let hits = format!("{ARTICLES}/{article}/hits");
    let before = databases::rows(&mut app.connect());
    for (method, path, body) in [
        (&post, USERS.to_owned(), account),
        (&patch, format!("{USERS}/{user}"), json!({"role": "editor"})),
        (&delete, format!("{USERS}/{user}"), none.clone()),
        (&post, KEYS.to_owned(), scopes),
        (&patch, format!("{KEYS}/{key}"), json!({"name": "拉取"})),
        (&delete, format!("{KEYS}/{key}"), none.clone()),
        (&post, format!("/v1/articles/{article}/hits"), none.clone()),
        (&post, "/v1/hits".to_owned(), hit.clone()),
        (&post, "/v1/admin/hits".to_owned(), hit),
        (&put, "/v1/admin/hits/baselines".to_owned(), import),
        (
            &post,
            format!("{hits}/adjust"),
            json!({"delta": 1, "reason": "补录"}),
        ),
        (&put, hits.clone(), count),
        (&post, format!("{hits}/reset"), json!({"reason": "误计"})),
        (&delete, hits, none),
    ] {
        let answer = write(&app, method, &dry(&path), "*", &body)
            .await
            .send()
            .await;
        let answer = answer.problem(400, "invalid_request");
        let fault = ("dry_run".to_owned(), "unknown_parameter".to_owned());
        assert_eq!(answer.faults(), [fault], "{method} {path}");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

crate::facts![
    a_try_tells_what_making_an_article_makes,
    a_try_tells_what_each_step_makes,
    a_try_tells_what_becomes_of_sections,
    what_time_has_made_is_not_written_by_a_try,
    a_try_has_the_faults_of_the_real_thing,
    it_is_true_or_false_and_nothing_else,
    other_writes_do_not_know_it,
];
