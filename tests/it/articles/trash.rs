//! The trash is emptied in time.

use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::databases;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{ARTICLES, patch, path, put, section};

const DAY: i64 = 24 * 3600;
const A_WEEK: (&str, &str) = ("LANMU_TRASH_DAYS", "7");

async fn tidy(app: &TestApp) -> usize {
    lanmu::articles::tidy(&app.app).await.expect("it is tidied")
}

async fn is_there(app: &TestApp, id: i64) -> bool {
    let answer = app.admin().get(&path(id)).await;
    assert!(matches!(answer.status, 200 | 404), "{answer}");
    answer.status == 200
}

async fn trash(app: &TestApp, id: i64) {
    app.admin().delete(&path(id)).await.ok(204);
}

async fn it_is_emptied_in_time_and_not_before(stage: Stage) {
    let app = stage.with(&[A_WEEK]).await;
    let home = section(&app).await;
    let stays = app.admin().article("留", home, json!({})).await;
    let first = app.admin().article("一", home, json!({})).await;
    let second = app.admin().draft("二", home, json!({})).await;
    trash(&app, first).await;
    app.advance(1);
    trash(&app, second).await;
    app.advance(7 * DAY - 2);
    assert_eq!(tidy(&app).await, 0);
    assert!(is_there(&app, first).await);
    app.advance(1);
    assert_eq!(tidy(&app).await, 1);
    assert!(!is_there(&app, first).await);
    assert!(is_there(&app, second).await);
    app.advance(1);
    assert_eq!(tidy(&app).await, 1);
    assert!(!is_there(&app, second).await);
    app.advance(1000 * DAY);
    assert_eq!(tidy(&app).await, 0);
    assert!(is_there(&app, stays).await);
}

async fn it_is_emptied_after_30_days_without_the_setting(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    trash(&app, id).await;
    app.advance(30 * DAY - 1);
    assert_eq!(tidy(&app).await, 0);
    app.advance(1);
    assert_eq!(tidy(&app).await, 1);
    assert!(!is_there(&app, id).await);
}

async fn with_0_it_is_never_emptied(stage: Stage) {
    let app = stage.with(&[("LANMU_TRASH_DAYS", "0")]).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    trash(&app, id).await;
    app.advance(100 * 365 * DAY);
    assert_eq!(tidy(&app).await, 0);
    assert!(is_there(&app, id).await);
}

async fn what_is_restored_in_time_stays(stage: Stage) {
    let app = stage.with(&[A_WEEK]).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    trash(&app, id).await;
    app.advance(7 * DAY - 1);
    let restore = format!("{}/restore", path(id));
    app.admin().act(&restore).await.ok(200);
    app.advance(100 * DAY);
    assert_eq!(tidy(&app).await, 0);
    assert!(is_there(&app, id).await);
    // Trashed once more, it has its whole time again.
    trash(&app, id).await;
    app.advance(7 * DAY - 1);
    assert_eq!(tidy(&app).await, 0);
    app.advance(1);
    assert_eq!(tidy(&app).await, 1);
}

async fn no_change_starts_its_time_anew(stage: Stage) {
    let app = stage.with(&[A_WEEK]).await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("渔场", json!({})).await;
    let external = json!({"external_id": "cms-1"});
    let id = admin.draft("晨渡", home, external).await;
    trash(&app, id).await;
    app.advance(3 * DAY);
    patch(&app, id, json!({"title": "夜渡"})).await.ok(200);
    patch(&app, id, json!({"published_at": "2026-03-01T00:00:00Z"}))
        .await
        .ok(200);
    let bulk = json!({"action": "tag", "ids": [id], "add_tags": ["潮汐"]});
    admin.post(&format!("{ARTICLES}/bulk"), bulk).await.ok(200);
    // Trashing it again is no step, and neither is replacing it.
    admin
        .delete(&path(id))
        .await
        .problem(409, "invalid_transition");
    let body = json!({"title": "午渡", "section_id": home});
    put(&app, "cms-1", body)
        .await
        .problem(409, "invalid_transition");
    let delete = format!("/v1/admin/sections/{home}?move_to={other}");
    admin.delete(&delete).await.ok(204);
    app.tick().await;
    app.advance(4 * DAY - 1);
    assert_eq!(tidy(&app).await, 0);
    app.advance(1);
    assert_eq!(tidy(&app).await, 1);
    assert!(!is_there(&app, id).await);
}

async fn the_log_tells_that_it_was_the_service(stage: Stage) {
    let app = stage.with(&[A_WEEK]).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    trash(&app, id).await;
    app.advance(7 * DAY);
    let at = app.now().to_string();
    assert_eq!(tidy(&app).await, 1);
    let told = app.entries("/v1/admin/audit?event=article.deleted").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["actor"]["type"], "system");
    assert_eq!(told[0]["actor"]["id"], Value::Null);
    assert_eq!(told[0]["resource"]["id"], id);
    assert_eq!(told[0]["at"], at);
}

async fn many_are_deleted_at_once(stage: Stage) {
    let app = stage.with(&[A_WEEK, ("LANMU_RATE_LIMIT", "off")]).await;
    let home = section(&app).await;
    let mut ids = Vec::new();
    for _ in 0..105 {
        ids.push(app.admin().draft("晨渡", home, json!({})).await);
    }
    let bulk = json!({"action": "trash", "ids": ids});
    let answer = app.admin().post(&format!("{ARTICLES}/bulk"), bulk).await;
    assert_eq!(answer.ok(200)["done"], 105);
    app.advance(7 * DAY);
    assert_eq!(tidy(&app).await, 105);
    let list = app.admin().get(ARTICLES).await.ok(200);
    assert_eq!(list["page"]["total"], 0);
}

async fn of_a_deleted_article_the_count_stays(stage: Stage) {
    let app = stage.with(&[A_WEEK]).await;
    let admin = app.admin();
    let home = section(&app).await;
    let id = admin.article("晨渡", home, json!({})).await;
    let view = format!("/v1/articles/{id}/hits");
    app.request(Method::POST, &view).send().await.ok(200);
    let hits = format!("{}/hits", path(id));
    let count = json!({"baseline": 7, "reason": "旧站"});
    admin.put(&hits, count).await.ok(200);
    let there = json!({"sections": [home]});
    app.account("e@example.com", "editor", there).await;
    let before = admin.get(&hits).await.ok(200);
    assert_eq!(before["total"], 8);
    trash(&app, id).await;
    assert_eq!(admin.get(&hits).await.ok(200).json, before.json);
    app.advance(7 * DAY);
    assert_eq!(tidy(&app).await, 1);
    let after = admin.get(&hits).await.ok(200);
    for member in ["total", "baseline", "counted", "received", "as_of"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    let editor = app.sign_in("e@example.com", SECRET).await.access;
    app.get_with(&editor, &hits).await.problem(404, "not_found");
    app.account("v@example.com", "viewer", json!({})).await;
    let viewer = app.sign_in("v@example.com", SECRET).await.access;
    assert_eq!(app.get_with(&viewer, &hits).await.ok(200)["total"], 8);
    // What never was has none, and nobody corrects what is gone.
    let never = format!("{}/hits", path(id + 1));
    admin.get(&never).await.problem(404, "not_found");
    let count = json!({"baseline": 0, "reason": "误计"});
    admin.put(&hits, count).await.problem(404, "not_found");
    app.request(Method::POST, &view)
        .send()
        .await
        .problem(404, "not_found");
}

async fn what_was_emptied_leaves_nothing_and_its_id_is_never_used_again(stage: Stage) {
    let app = stage.with(&[A_WEEK]).await;
    let admin = app.admin();
    let home = section(&app).await;
    let more = json!({"slug": "ferry", "external_id": "cms-1", "tags": ["潮汐"], "legacy_urls": ["/old/1.html"]});
    let id = admin.article("晨渡", home, more.clone()).await;
    patch(&app, id, json!({"slug": "dawn"})).await.ok(200);
    trash(&app, id).await;
    app.advance(7 * DAY);
    assert_eq!(tidy(&app).await, 1);
    for (table, rows) in databases::rows(&mut app.connect()) {
        let of_articles = [
            "articles",
            "article_details",
            "article_also",
            "article_legacy_urls",
            "article_terms",
            "article_related",
            "revisions",
            "listings",
            "old_slugs",
        ];
        if of_articles.contains(&table) {
            assert!(rows.is_empty(), "{table}: {rows:?}");
        }
    }
    let again = admin.article("晨渡", home, more).await;
    assert!(again > id);
    assert_eq!(app.get("/v1/articles/ferry").await.ok(200)["id"], again);
    let path = format!("/v1/articles/{id}");
    app.get(&path).await.problem(404, "not_found");
}

async fn two_nodes_empty_it_once(stage: Stage) {
    let nodes = [stage.with(&[A_WEEK]).await, stage.with(&[A_WEEK]).await];
    let home = section(&nodes[0]).await;
    for title in ["一", "二", "三"] {
        let id = nodes[0].admin().draft(title, home, json!({})).await;
        trash(&nodes[0], id).await;
    }
    for node in &nodes {
        node.advance(7 * DAY);
    }
    let (one, two) = join(tidy(&nodes[0]), tidy(&nodes[1])).await;
    assert_eq!(one + two, 3);
    let told = nodes[0]
        .entries("/v1/admin/audit?event=article.deleted")
        .await;
    assert_eq!(told.len(), 3);
}

crate::facts![
    it_is_emptied_in_time_and_not_before,
    it_is_emptied_after_30_days_without_the_setting,
    with_0_it_is_never_emptied,
    what_is_restored_in_time_stays,
    no_change_starts_its_time_anew,
    the_log_tells_that_it_was_the_service,
    many_are_deleted_at_once,
    of_a_deleted_article_the_count_stays,
    what_was_emptied_leaves_nothing_and_its_id_is_never_used_again,
    two_nodes_empty_it_once,
];
