//! `Idempotency-Key`: a request that is sent again is done once.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use futures_util::future::join_all;
use lanmu::db::Conn;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::{Answer, Request};
use crate::support::databases;
use crate::support::people::{SECRET, USERS};
use crate::support::stage::Stage;

use super::{ARTICLES, EXTERNAL, SECTIONS, write};

const DAY: i64 = 24 * 3600;
const EVERY_VIEW: (&str, &str) = ("LANMU_HIT_WINDOW", "0");
/// Requests that come all at once on a busy machine wait for their turn, not for a 503.
const PATIENT: (&str, &str) = ("LANMU_DB_WAIT_MS", "60000");
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

fn draft(section: i64, title: &str) -> Value {
    json!({"title": title, "section_id": section, "body": {"format": "text", "content": "灯亮了。"}})
}

/// A `POST` of the admin's with this key; null is no body.
async fn post(app: &TestApp, key: &str, path: &str, body: &Value) -> Answer {
    let request = write(app, &Method::POST, path, "", body).await;
    request.header("idempotency-key", key).send().await
}

/// The same of whoever has this token.
async fn post_as(app: &TestApp, token: &str, key: &str, path: &str, body: &Value) -> Answer {
    let request = app.with(token, Method::POST, path).json(body);
    request.header("idempotency-key", key).send().await
}

/// How many articles there are.
async fn articles(app: &TestApp) -> i64 {
    let list = app
        .admin()
        .get(&format!("{ARTICLES}?limit=1"))
        .await
        .ok(200);
    list["page"]["total"].as_i64().expect("a number")
}

/// What is kept: the callers and keys, as one text each.
fn kept(app: &TestApp) -> Vec<String> {
    let mut rows = databases::rows(&mut app.connect());
    rows.retain(|(table, _)| *table == "idempotency_keys");
    rows.remove(0).1
}

#[derive(QueryableByName)]
struct Caller {
    #[diesel(sql_type = Text)]
    caller: String,
}

fn callers(app: &TestApp) -> Vec<String> {
    let sql = "SELECT caller FROM idempotency_keys ORDER BY caller";
    let found: Vec<Caller> = diesel::sql_query(sql)
        .load(&mut app.connect())
        .expect("the rows");
    found.into_iter().map(|row| row.caller).collect()
}

/// One answer is the other, given again.
#[track_caller]
fn same(first: &Answer, again: &Answer) {
    assert_eq!(again.status, first.status, "{again}");
    for name in ["location", "etag", "content-type", "cache-control"] {
        assert_eq!(again.header(name), first.header(name), "{name}: {again}");
    }
    if first.status < 400 {
        assert_eq!(again.body, first.body);
    } else {
        let bare = |answer: &Answer| {
            let mut problem = answer.json.clone();
            problem["request_id"].take();
            problem
        };
        assert_eq!(bare(again), bare(first));
    }
    let id = |answer: &Answer| answer.header("x-request-id").map(ToOwned::to_owned);
    assert_ne!(id(again), id(first));
}

async fn a_request_that_comes_again_is_done_once(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let first = post(&app, "k", ARTICLES, &draft(section, "晨渡"))
        .await
        .ok(201);
    let article = format!("{ARTICLES}/{}", first["id"]);
    assert_eq!(first.header("location"), Some(article.as_str()));
    let again = post(&app, "k", ARTICLES, &draft(section, "晨渡")).await;
    same(&first, &again);
    // The first answer, not the present.
    let title = json!({"title": "夜渡"});
    app.admin().patch(&article, title).await.ok(200);
    let before = databases::rows(&mut app.connect());
    let again = post(&app, "k", ARTICLES, &draft(section, "晨渡")).await;
    same(&first, &again);
    assert_eq!(databases::rows(&mut app.connect()), before);
    assert_eq!(articles(&app).await, 1);
    post(&app, "l", ARTICLES, &draft(section, "晨渡"))
        .await
        .ok(201);
    assert_eq!(articles(&app).await, 2);
}

async fn every_content_post_takes_a_key(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let act = |action: &str| format!("{ARTICLES}/{id}/{action}");
    for (number, (path, body, status)) in [
        (act("submit"), Value::Null, 200),
        (act("reject"), json!({"note": "再改"}), 200),
        (act("publish"), Value::Null, 200),
        (act("reorder"), json!({"position": 0}), 200),
        (act("unpublish"), json!({}), 200),
        (
            format!("{ARTICLES}/bulk"),
            json!({"action": "trash", "ids": [id, 987]}),
            200,
        ),
        (act("restore"), Value::Null, 200),
        (SECTIONS.to_owned(), json!({"name": "渔场"}), 201),
        (
            format!("{SECTIONS}/{section}/move"),
            json!({"parent_id": null}),
            200,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{number}");
        let first = post(&app, &key, &path, &body).await.ok(status);
        let before = databases::rows(&mut app.connect());
        let again = post(&app, &key, &path, &body).await;
        same(&first, &again);
        assert_eq!(databases::rows(&mut app.connect()), before, "{path}");
    }
    let article = app.admin().get(&format!("{ARTICLES}/{id}")).await.ok(200);
    // Each of the seven steps once.
    assert_eq!(article["version"], 8);
}

async fn a_key_stands_for_one_request(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let other = app.admin().draft("夜渡", section, json!({})).await;
    let act = |id: i64, action: &str| format!("{ARTICLES}/{id}/{action}");
    let path = act(id, "publish");
    let request = |path: &str, if_match: &'static str, body: Value| {
        let (app, path) = (&app, path.to_owned());
        async move {
            let request = write(app, &Method::POST, &path, if_match, &body).await;
            request.header("idempotency-key", "k").send().await
        }
    };
    request(&path, "\"1\"", json!({})).await.ok(200);
    let before = databases::rows(&mut app.connect());
    for (path, if_match, body) in [
        (path.clone(), "\"1\"", json!({"expires_at": null})),
        (path.clone(), "\"1\"", Value::Null),
        (path.clone(), "\"2\"", json!({})),
        (path.clone(), "", json!({})),
        (format!("{path}?dry_run=false"), "\"1\"", json!({})),
        (act(id, "unpublish"), "\"1\"", json!({})),
        (act(other, "publish"), "\"1\"", json!({})),
        (ARTICLES.to_owned(), "\"1\"", draft(section, "午渡")),
    ] {
        let answer = request(&path, if_match, body).await;
        answer.problem(422, "idempotency_key_reused");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    request(&path, "\"1\"", json!({})).await.ok(200);
}

async fn each_caller_has_its_own_keys(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let there = json!({"sections": [section]});
    app.account("e@example.com", "editor", there).await;
    let editor = app.sign_in("e@example.com", SECRET).await.access;
    let (_, key) = app.api_key(&["content:write"], json!({})).await;
    let admin = app.token().await;
    let mut ids = BTreeSet::new();
    for _ in 0..2 {
        for (token, title) in [(&admin, "晨渡"), (&editor, "午渡"), (&key, "夜渡")] {
            let body = draft(section, title);
            let made = post_as(&app, token, "k", ARTICLES, &body).await.ok(201);
            assert_eq!(made["title"], title);
            ids.insert(made["id"].as_i64().expect("an id"));
        }
    }
    assert_eq!(ids.len(), 3);
    assert_eq!(articles(&app).await, 3);
    // Another session is the same account.
    let again = app.sign_in("e@example.com", SECRET).await.access;
    let body = draft(section, "午渡");
    post_as(&app, &again, "k", ARTICLES, &body).await.ok(201);
    assert_eq!(articles(&app).await, 3);
}

async fn who_may_no_longer_write_is_given_nothing(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let there = json!({"sections": [section]});
    let id = app.account("e@example.com", "editor", there).await;
    let token = app.sign_in("e@example.com", SECRET).await.access;
    let body = draft(section, "晨渡");
    post_as(&app, &token, "k", ARTICLES, &body).await.ok(201);
    let viewer = json!({"role": "viewer"});
    app.admin()
        .patch(&format!("{USERS}/{id}"), viewer)
        .await
        .ok(200);
    post_as(&app, &token, "k", ARTICLES, &body)
        .await
        .problem(403, "forbidden");
}

async fn who_may_less_is_not_given_what_it_was_given_before(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let (port, fishery) = (
        admin.section("港口", json!({})).await,
        admin.section("渔场", json!({"visible": false})).await,
    );
    let there = json!({"sections": [port, fishery]});
    let (id, key) = app.api_key(&["content:write"], there).await;
    let body = draft(fishery, "晨渡");
    post_as(&app, &key, "k", ARTICLES, &body).await.ok(201);
    post_as(&app, &key, "k", ARTICLES, &body).await.ok(201);
    let narrowed = json!({"sections": [port]});
    let path = format!("/v1/admin/api-keys/{id}");
    admin.patch(&path, narrowed).await.ok(200);
    let again = post_as(&app, &key, "k", ARTICLES, &body).await;
    let again = again.problem(403, "forbidden");
    assert!(!again.text().contains("晨渡"), "{again}");
    assert_eq!(articles(&app).await, 1);
}

/// Hits that are faulty are limited by nothing: no answer to them is kept.
async fn a_faulty_hit_keeps_no_key(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    let one = format!("/v1/articles/{id}/hits");
    let good = json!({"hits": [{"article_id": id, "hit_id": "a"}]});
    for (path, bad, good) in [
        (one.as_str(), json!({"client": "x"}), json!({})),
        ("/v1/hits", json!({"hits": []}), good),
    ] {
        let refused = post(&app, "k", path, &bad).await;
        refused.problem(422, "validation_failed");
        assert!(kept(&app).is_empty());
        post(&app, path, path, &good).await.ok(200);
        let mut conn = app.connect();
        diesel::delete(lanmu::db::schema::idempotency_keys::table)
            .execute(&mut conn)
            .expect("it is emptied");
    }
}

async fn a_refusal_is_given_again_once_its_cause_is_gone(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let mut ferry = draft(section, "渡船");
    ferry["slug"] = json!("ferry");
    let owner = admin.post(ARTICLES, ferry.clone()).await.ok(201)["id"].clone();
    let nowhere = draft(section + 1, "晨渡");
    let missing = post(&app, "section", ARTICLES, &nowhere).await;
    let missing = missing.problem(422, "validation_failed");
    let taken = post(&app, "slug", ARTICLES, &ferry)
        .await
        .problem(409, "slug_taken");
    let restore = format!("{ARTICLES}/{owner}/restore");
    let untrashed = post(&app, "step", &restore, &Value::Null).await;
    let untrashed = untrashed.problem(409, "invalid_transition");
    let bulk = format!("{ARTICLES}/bulk");
    let both = json!({"action": "publish", "ids": [owner, 987_654], "atomic": true});
    let failed = post(&app, "bulk", &bulk, &both)
        .await
        .problem(409, "bulk_failed");
    assert_eq!(
        failed.faults(),
        [("/ids/1".to_owned(), "not_found".to_owned())]
    );

    assert_eq!(admin.section("渔场", json!({})).await, section + 1);
    let path = format!("{ARTICLES}/{owner}");
    let dawn = json!({"slug": "dawn"});
    admin.patch(&path, dawn).await.ok(200);
    admin.delete(&path).await.ok(204);
    let before = databases::rows(&mut app.connect());
    same(&missing, &post(&app, "section", ARTICLES, &nowhere).await);
    same(&taken, &post(&app, "slug", ARTICLES, &ferry).await);
    same(
        &untrashed,
        &post(&app, "step", &restore, &Value::Null).await,
    );
    same(&failed, &post(&app, "bulk", &bulk, &both).await);
    assert_eq!(databases::rows(&mut app.connect()), before);
    // With keys of their own they go through.
    post(&app, "section-2", ARTICLES, &nowhere).await.ok(201);
    post(&app, "slug-2", ARTICLES, &ferry).await.ok(201);
    post(&app, "step-2", &restore, &Value::Null).await.ok(200);
}

async fn a_refused_body_has_used_its_key(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let id = admin.article("晨渡", section, json!({})).await;
    let bulk = format!("{ARTICLES}/bulk");
    let act = |action: &str| format!("{ARTICLES}/{id}/{action}");
    for (number, (path, bad, good)) in [
        (ARTICLES.to_owned(), json!({}), draft(section, "夜渡")),
        (act("publish"), json!({"expires_at": "x"}), json!({})),
        (act("reject"), json!({}), json!({"note": "再改"})),
        (act("submit"), json!({"note": "长".repeat(1001)}), json!({})),
        (act("reorder"), json!({}), json!({"position": 0})),
        (bulk, json!({}), json!({"action": "trash", "ids": [id]})),
        (SECTIONS.to_owned(), json!({}), json!({"name": "渔场"})),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{number}");
        let first = post(&app, &key, &path, &bad).await;
        let first = first.problem(422, "validation_failed");
        same(&first, &post(&app, &key, &path, &bad).await);
        let other = post(&app, &key, &path, &good).await;
        assert_eq!(other["code"], "idempotency_key_reused", "{path}: {other}");
    }
}

async fn what_can_be_mended_keeps_its_key(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let other = admin.section("渔场", json!({})).await;
    let id = admin.draft("晨渡", section, json!({})).await;
    // 404
    let later = format!("{ARTICLES}/{}/submit", id + 1);
    let submitted = post(&app, "404", &later, &Value::Null).await;
    submitted.problem(404, "not_found");
    // A refusal uses no id up.
    assert_eq!(admin.draft("夜渡", section, json!({})).await, id + 1);
    post(&app, "404", &later, &Value::Null).await.ok(200);
    // 412
    let path = format!("{ARTICLES}/{id}/submit");
    let submit = async |if_match: &str| {
        let request = write(&app, &Method::POST, &path, if_match, &Value::Null).await;
        request.header("idempotency-key", "412").send().await
    };
    submit("\"2\"").await.problem(412, "version_mismatch");
    submit("\"1\"").await.ok(200);
    // 400
    let bad = json!({"title": "晨渡", "x": 1});
    post(&app, "400", ARTICLES, &bad)
        .await
        .problem(400, "invalid_body");
    post(&app, "400", ARTICLES, &draft(section, "午渡"))
        .await
        .ok(201);
    // 403
    let there = json!({"sections": [section]});
    let editor = app.account("e@example.com", "editor", there).await;
    let token = app.sign_in("e@example.com", SECRET).await.access;
    let body = draft(other, "晚渡");
    post_as(&app, &token, "403", ARTICLES, &body)
        .await
        .problem(403, "forbidden");
    let both = json!({"sections": [section, other]});
    admin
        .patch(&format!("{USERS}/{editor}"), both)
        .await
        .ok(200);
    post_as(&app, &token, "403", ARTICLES, &body).await.ok(201);
    assert_eq!(kept(&app).len(), 4);
}

async fn an_answer_is_kept_for_a_day(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let body = draft(section, "晨渡");
    let first = post(&app, "k", ARTICLES, &body).await.ok(201);
    app.advance(DAY - 1);
    let again = post(&app, "k", ARTICLES, &body).await.ok(201);
    same(&first, &again);
    app.advance(1);
    let other = post(&app, "k", ARTICLES, &draft(section, "夜渡"))
        .await
        .ok(201);
    assert_ne!(other["id"], first["id"]);
    // The new one has a day of its own.
    app.advance(DAY - 1);
    let again = post(&app, "k", ARTICLES, &draft(section, "夜渡")).await;
    same(&other, &again);
    assert_eq!(articles(&app).await, 2);
}

async fn what_is_a_day_old_is_tidied_away(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    post(&app, "a", ARTICLES, &draft(section, "晨渡"))
        .await
        .ok(201);
    app.advance(10);
    post(&app, "b", ARTICLES, &draft(section, "夜渡"))
        .await
        .ok(201);
    let tidy = async || lanmu::writes::tidy(&app.app).await.expect("it is tidied");
    app.advance(DAY - 11);
    assert_eq!(tidy().await, 0);
    assert_eq!(kept(&app).len(), 2);
    app.advance(2);
    assert_eq!(tidy().await, 1);
    assert_eq!(kept(&app).len(), 1);
    app.advance(10);
    assert_eq!(tidy().await, 1);
    assert_eq!(tidy().await, 0);
}

async fn it_outlives_the_node_and_is_known_to_others(stage: Stage) {
    let first = stage.app().await;
    let section = first.admin().section("港口", json!({})).await;
    let body = draft(section, "晨渡");
    let made = post(&first, "k", ARTICLES, &body).await.ok(201);
    let beside = stage.app().await;
    same(&made, &post(&beside, "k", ARTICLES, &body).await);
    first.stop().await;
    let after = stage.app().await;
    same(&made, &post(&after, "k", ARTICLES, &body).await);
    post(&after, "k", ARTICLES, &draft(section, "夜渡"))
        .await
        .problem(422, "idempotency_key_reused");
    assert_eq!(articles(&after).await, 1);
}

async fn of_twins_at_once_one_is_done(stage: Stage) {
    let nodes = [stage.with(&[PATIENT]).await, stage.with(&[PATIENT]).await];
    let section = nodes[0].admin().section("港口", json!({})).await;
    let body = draft(section, "晨渡");
    let tokens = [nodes[0].token().await, nodes[1].token().await];
    let twins = (0..20).map(|number| {
        let node = number % 2;
        post_as(&nodes[node], &tokens[node], "k", ARTICLES, &body)
    });
    let mut made = BTreeSet::new();
    for answer in join_all(twins).await {
        if answer.status == 201 {
            made.insert(answer["id"].as_i64().expect("an id"));
        } else {
            answer.problem(409, "idempotency_in_flight");
        }
    }
    assert_eq!(made.len(), 1);
    assert_eq!(articles(&nodes[0]).await, 1);
    for node in &nodes {
        let answer = post(node, "k", ARTICLES, &body).await.ok(201);
        assert_eq!(answer["id"].as_i64(), made.first().copied());
    }
}

async fn the_claim_of_a_dead_node_runs_out(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let mut body = draft(section, "晨渡");
    body["slug"] = json!("ferry");
    let owner = admin.post(ARTICLES, body.clone()).await.ok(201)["id"].clone();
    post(&app, "k", ARTICLES, &body)
        .await
        .problem(409, "slug_taken");
    admin
        .patch(&format!("{ARTICLES}/{owner}"), json!({"slug": "dawn"}))
        .await
        .ok(200);
    // As a node leaves it that dies before its work is done.
    diesel::sql_query("UPDATE idempotency_keys SET answer = NULL")
        .execute(&mut app.connect())
        .expect("the row changes");
    for seconds in [0, 1, 118] {
        app.advance(seconds);
        let answer = post(&app, "k", ARTICLES, &body).await;
        answer.problem(409, "idempotency_in_flight");
        post(&app, "k", ARTICLES, &draft(section, "夜渡"))
            .await
            .problem(422, "idempotency_key_reused");
    }
    assert_eq!(articles(&app).await, 1);
    app.advance(1);
    let made = post(&app, "k", ARTICLES, &body).await.ok(201);
    same(&made, &post(&app, "k", ARTICLES, &body).await);
    assert_eq!(articles(&app).await, 2);
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

async fn a_claim_that_ran_out_may_not_answer(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let section = app.admin().section("港口", json!({})).await;
    // A twin takes over while the first one works: its claim is another one by then.
    let mut conn = app.connect();
    match &mut conn {
        Conn::Sqlite(conn) => conn.batch_execute(
            "CREATE TRIGGER taken AFTER INSERT ON articles BEGIN \
             UPDATE idempotency_keys SET claim = x'00'; END",
        ),
        Conn::Pg(conn) => conn.batch_execute(
            "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN UPDATE idempotency_keys SET claim = '\\x00'; RETURN NULL; END $$; \
             CREATE TRIGGER taken AFTER INSERT ON articles EXECUTE FUNCTION taken()",
        ),
    }
    .expect("the trigger is made");
    let answer = post(&app, "k", ARTICLES, &draft(section, "晨渡")).await;
    answer.problem(409, "idempotency_in_flight");
    assert_eq!(articles(&app).await, 0);
    let sql = "SELECT count(*) AS number FROM revisions";
    let revisions: Number = diesel::sql_query(sql)
        .get_result(&mut conn)
        .expect("a number");
    assert_eq!(revisions.number, 0);
}

/// From now on no answer can be kept.
fn break_keeping(app: &TestApp) {
    match &mut app.connect() {
        Conn::Sqlite(conn) => conn.batch_execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON idempotency_keys BEGIN \
             SELECT RAISE(ABORT, 'no'); END",
        ),
        Conn::Pg(conn) => conn.batch_execute(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
             CREATE TRIGGER broken BEFORE UPDATE ON idempotency_keys EXECUTE FUNCTION broken()",
        ),
    }
    .expect("the trigger is made");
}

async fn a_write_whose_answer_cannot_be_kept_is_not_there(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    // The key that visitors are told apart by is made.
    let view = format!("/v1/articles/{id}/hits");
    post(&app, "first", &view, &Value::Null).await.ok(200);
    break_keeping(&app);
    let before = databases::rows(&mut app.connect());
    let unpublish = format!("{ARTICLES}/{id}/unpublish");
    for (path, body) in [
        (ARTICLES.to_owned(), draft(section, "夜渡")),
        (unpublish, Value::Null),
        (SECTIONS.to_owned(), json!({"name": "渔场"})),
        (view, Value::Null),
    ] {
        let request = write(&app, &Method::POST, &path, "", &body).await;
        let request = request.header("idempotency-key", "k").expecting_failure();
        request.send().await.problem(500, "internal_error");
        assert_eq!(databases::rows(&mut app.connect()), before, "{path}");
    }
}

async fn a_malformed_key_is_refused(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    let long = "k".repeat(256);
    let before = databases::rows(&mut app.connect());
    let paths = [
        (ARTICLES.to_owned(), draft(section, "夜渡")),
        (format!("{ARTICLES}/{id}/unpublish"), Value::Null),
        (SECTIONS.to_owned(), json!({"name": "渔场"})),
        (format!("/v1/articles/{id}/hits"), Value::Null),
        (
            "/v1/hits".to_owned(),
            json!({"hits": [{"article_id": id, "hit_id": "a"}]}),
        ),
    ];
    let refused = async |request: Request| {
        let answer = request.send().await.problem(400, "invalid_request");
        let fault = ("Idempotency-Key".to_owned(), "invalid".to_owned());
        assert_eq!(answer.faults(), [fault]);
    };
    for (path, body) in &paths {
        for key in ["", " ", "a b", "a\tb", "渡", &long] {
            let request = write(&app, &Method::POST, path, "", body).await;
            refused(request.raw_header("idempotency-key", key.as_bytes())).await;
        }
        let request = write(&app, &Method::POST, path, "", body).await;
        let twice = request.header("idempotency-key", "a");
        refused(twice.header("idempotency-key", "a")).await;
        let request = write(&app, &Method::POST, path, "", body).await;
        refused(request.raw_header("idempotency-key", b"a\xFFb")).await;
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    // Faults of query, condition and key are told together.
    let path = format!("{ARTICLES}/{id}/unpublish?dry_run=maybe");
    let request = write(&app, &Method::POST, &path, "7", &Value::Null).await;
    let answer = request.header("idempotency-key", "a b").send().await;
    let answer = answer.problem(400, "invalid_request");
    let told: BTreeSet<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
    let expected = ["Idempotency-Key", "If-Match", "dry_run"];
    assert_eq!(told, expected.map(ToOwned::to_owned).into());
    let longest = "~".repeat(255);
    post(&app, &longest, ARTICLES, &draft(section, "夜渡"))
        .await
        .ok(201);
}

async fn only_posts_take_it(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    post(&app, "k", ARTICLES, &draft(section, "夜渡"))
        .await
        .ok(201);
    let one = format!("{ARTICLES}/{id}");
    let external = format!("{EXTERNAL}/cms-1");
    for (key, made) in [("k", 201), ("a b", 200)] {
        for (method, path, if_match, body, statuses) in [
            (
                Method::PATCH,
                &one,
                "*",
                json!({"title": "午渡"}),
                [200, 200],
            ),
            (
                Method::PUT,
                &external,
                "",
                draft(section, "晚渡"),
                [made, 200],
            ),
        ] {
            for status in statuses {
                let request = write(&app, &method, path, if_match, &body).await;
                request
                    .header("idempotency-key", key)
                    .send()
                    .await
                    .ok(status);
            }
        }
    }
    for status in [204, 409] {
        let request = write(&app, &Method::DELETE, &one, "", &Value::Null).await;
        request
            .header("idempotency-key", "k")
            .send()
            .await
            .ok(status);
    }
    assert_eq!(kept(&app).len(), 1);
}

async fn a_try_keeps_nothing(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let body = draft(section, "晨渡");
    let path = format!("{ARTICLES}?dry_run=true");
    for _ in 0..2 {
        post(&app, "k", &path, &body).await.ok(200);
    }
    let answer = post(&app, "k", &path, &json!({})).await;
    answer.problem(422, "validation_failed");
    assert!(kept(&app).is_empty());
    post(&app, "k", ARTICLES, &body).await.ok(201);
    // Nor does it look at what is kept.
    post(&app, "k", &path, &draft(section, "夜渡"))
        .await
        .ok(200);
    assert_eq!(articles(&app).await, 1);
}

/// A view with this key, body and user agent; blank is none.
async fn view(app: &TestApp, id: i64, key: &str, body: &str, agent: &str) -> Answer {
    let path = format!("/v1/articles/{id}/hits");
    let mut request = app.request(Method::POST, &path);
    if !body.is_empty() {
        request = request.body("text/plain", body);
    }
    if !agent.is_empty() {
        request = request.header("user-agent", agent);
    }
    request.header("idempotency-key", key).send().await
}

/// `counted`, `duplicate`, `rejected` of an article.
async fn ledger(app: &TestApp, id: i64) -> [i64; 3] {
    let path = format!("{ARTICLES}/{id}/hits");
    let ledger = app.admin().get(&path).await.ok(200);
    ["counted", "duplicate", "rejected"].map(|name| ledger[name].as_i64().expect("a number"))
}

async fn a_hit_that_comes_again_counts_once(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    let first = view(&app, id, "k", "", "").await.ok(200);
    same(&first, &view(&app, id, "k", "", "").await);
    assert_eq!(ledger(&app, id).await, [1, 0, 0]);
    view(&app, id, "k", r#"{"client":"app"}"#, "")
        .await
        .problem(422, "idempotency_key_reused");
    // Somebody else.
    let other = view(&app, id, "k", "", FIREFOX).await.ok(200);
    assert_eq!(other["total"], 2);
    // Without the key each counts.
    let path = format!("/v1/articles/{id}/hits");
    for total in [3, 4] {
        let answer = app.request(Method::POST, &path).send().await.ok(200);
        assert_eq!(answer["total"], total);
    }
    let hit = |hit_id: &str| json!({"article_id": id, "hit_id": hit_id});
    let batch = json!({"hits": [hit("a"), hit("b"), hit("a")]});
    let send = async || {
        let request = app.request(Method::POST, "/v1/hits").json(&batch);
        request.header("idempotency-key", "batch").send().await
    };
    let first = send().await.ok(200);
    same(&first, &send().await);
    assert_eq!(ledger(&app, id).await, [6, 1, 0]);
    // 404 is not kept.
    let missing = view(&app, id + 1, "later", "", "").await;
    missing.problem(404, "not_found");
    let later = app.admin().article("夜渡", section, json!({})).await;
    assert_eq!(later, id + 1);
    view(&app, later, "later", "", "").await.ok(200);
}

async fn hits_at_once_with_one_key_count_once(stage: Stage) {
    let settings = [PATIENT, EVERY_VIEW];
    let nodes = [stage.with(&settings).await, stage.with(&settings).await];
    let section = nodes[0].admin().section("港口", json!({})).await;
    let id = nodes[0].admin().article("晨渡", section, json!({})).await;
    let twins = (0..20).map(|number| view(&nodes[number % 2], id, "k", "", ""));
    let mut counted = 0;
    for answer in join_all(twins).await {
        if answer.status == 200 {
            assert_eq!(answer["total"], 1);
            counted += 1;
        } else {
            answer.problem(409, "idempotency_in_flight");
        }
    }
    assert!(counted > 0);
    assert_eq!(ledger(&nodes[0], id).await, [1, 0, 0]);
}

async fn over_the_limit_a_keyed_hit_is_rejected(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, ("LANMU_RATE_HITS", "3")]).await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    for expected in ["counted", "rejected"] {
        for number in 0..3 {
            let key = format!("{expected}-{number}");
            let answer = view(&app, id, &key, "", "").await.ok(200);
            assert_eq!(answer["result"], expected);
        }
    }
    // Far over it nothing is written, and no key kept.
    let before = databases::rows(&mut app.connect());
    for number in 0..3 {
        let key = format!("far-{number}");
        let answer = view(&app, id, &key, "", "").await.ok(200);
        let expected = json!({"article_id": id, "result": "rejected", "total": 3, "today": 3});
        assert_eq!(answer.json, expected);
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    // What was refused before is not counted twice later on.
    app.advance(60);
    let answer = view(&app, id, "far-0", "", "").await.ok(200);
    assert_eq!(answer["result"], "counted");
    same(&answer, &view(&app, id, "far-0", "", "").await);
    assert_eq!(ledger(&app, id).await, [4, 0, 3]);
}

async fn no_address_is_kept_of_visitors(stage: Stage) {
    let proxy = ("LANMU_TRUSTED_PROXIES", "127.0.0.1");
    let app = stage.with(&[proxy]).await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    let path = format!("/v1/articles/{id}/hits");
    for (address, agent) in [
        ("203.0.113.77", FIREFOX),
        ("203.0.113.77", "curl/8"),
        ("198.51.100.9", FIREFOX),
        ("2001:db8:aa:1::1", FIREFOX),
        // The same network as the one before.
        ("2001:db8:aa:1::2", FIREFOX),
    ] {
        let request = app.request(Method::POST, &path);
        let request = request.header("x-forwarded-for", address);
        let request = request.header("user-agent", agent);
        request.header("idempotency-key", "k").send().await.ok(200);
    }
    let owners = callers(&app);
    assert_eq!(owners.len(), 4, "{owners:?}");
    assert!(owners.iter().all(|owner| owner.starts_with("visitor:")));
    for row in kept(&app) {
        for known in ["203.0", "198.51", "2001:", "Firefox", "curl"] {
            assert!(!row.contains(known), "{row}");
        }
    }
}

crate::facts![
    a_request_that_comes_again_is_done_once,
    every_content_post_takes_a_key,
    a_key_stands_for_one_request,
    each_caller_has_its_own_keys,
    who_may_no_longer_write_is_given_nothing,
    who_may_less_is_not_given_what_it_was_given_before,
    a_faulty_hit_keeps_no_key,
    a_refusal_is_given_again_once_its_cause_is_gone,
    a_refused_body_has_used_its_key,
    what_can_be_mended_keeps_its_key,
    an_answer_is_kept_for_a_day,
    what_is_a_day_old_is_tidied_away,
    it_outlives_the_node_and_is_known_to_others,
    of_twins_at_once_one_is_done,
    the_claim_of_a_dead_node_runs_out,
    a_claim_that_ran_out_may_not_answer,
    a_write_whose_answer_cannot_be_kept_is_not_there,
    a_malformed_key_is_refused,
    only_posts_take_it,
    a_try_keeps_nothing,
    a_hit_that_comes_again_counts_once,
    hits_at_once_with_one_key_count_once,
    over_the_limit_a_keyed_hit_is_rejected,
    no_address_is_kept_of_visitors,
];
