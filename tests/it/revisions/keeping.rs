//! How many revisions are kept, and for how long.

use diesel::prelude::*;
use lanmu::articles::revisions::Retention;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{act, diff, patch, restore, section, versions};

async fn tidy(app: &TestApp, retention: &mut Retention) -> usize {
    retention.tidy(&app.app).await.expect("it is tidied")
}

/// Saves the article so many times.
async fn save(app: &TestApp, id: i64, times: usize) {
    for n in 0..times {
        app.advance(1);
        patch(app, id, json!({"title": format!("第{n}稿")})).await;
    }
}

async fn so_many_of_an_article_are_kept(stage: Stage) {
    let app = stage.with(&[("LANMU_REVISIONS_KEEP", "3")]).await;
    let home = section(&app).await;
    let long = app.admin().draft("晨渡", home, json!({})).await;
    let short = app.admin().draft("夜渡", home, json!({})).await;
    save(&app, long, 5).await;
    save(&app, short, 2).await;
    let mut retention = Retention::default();
    assert_eq!(tidy(&app, &mut retention).await, 3);
    assert_eq!(versions(&app, long).await, [6, 5, 4]);
    assert_eq!(versions(&app, short).await, [3, 2, 1]);
    assert_eq!(tidy(&app, &mut retention).await, 0);
    // It goes on with what has been changed since.
    save(&app, short, 1).await;
    assert_eq!(tidy(&app, &mut retention).await, 1);
    assert_eq!(versions(&app, short).await, [4, 3, 2]);
    // What is left is still compared and brought back.
    let told = diff(&app, long, 4, "").await.ok(200);
    assert_eq!(told["against"], json!(null));
    restore(&app, long, 4).await.ok(200);
    restore(&app, long, 3).await.problem(404, "not_found");
}

async fn what_is_kept_was_saved_in_whatever_way(stage: Stage) {
    let app = stage.with(&[("LANMU_REVISIONS_KEEP", "1")]).await;
    let home = section(&app).await;
    let other = app.admin().section("山野", json!({})).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let mut retention = Retention::default();
    assert_eq!(tidy(&app, &mut retention).await, 0);
    let path = format!("/v1/admin/sections/{home}?move_to={other}");
    app.admin().delete(&path).await.ok(204);
    assert_eq!(tidy(&app, &mut retention).await, 1);
    act(&app, id, "submit", json!({})).await;
    assert_eq!(tidy(&app, &mut retention).await, 1);
    restore(&app, id, 3).await.ok(200);
    assert_eq!(tidy(&app, &mut retention).await, 1);
    assert_eq!(versions(&app, id).await, [4]);
}

async fn the_newest_and_the_newest_released_one_always_stay(stage: Stage) {
    let settings = [("LANMU_REVISIONS_KEEP", "1"), ("LANMU_REVISIONS_DAYS", "1")];
    let app = stage.with(&settings).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    save(&app, id, 2).await;
    act(&app, id, "publish", json!({})).await;
    patch(&app, id, json!({"title": "定稿"})).await;
    let mut retention = Retention::default();
    // Version 5 is both.
    assert_eq!(tidy(&app, &mut retention).await, 4);
    assert_eq!(versions(&app, id).await, [5]);
    act(&app, id, "unpublish", json!({})).await;
    save(&app, id, 3).await;
    app.advance(400 * 86_400);
    tidy(&app, &mut retention).await;
    assert_eq!(versions(&app, id).await, [9, 5]);
    tidy(&app, &mut Retention::default()).await;
    assert_eq!(versions(&app, id).await, [9, 5]);
    // Once another one is released, the first one goes the way of the others.
    act(&app, id, "publish", json!({})).await;
    tidy(&app, &mut retention).await;
    assert_eq!(versions(&app, id).await, [10]);
}

async fn those_that_are_too_old_go(stage: Stage) {
    let settings = [
        ("LANMU_REVISIONS_KEEP", "0"),
        ("LANMU_REVISIONS_DAYS", "30"),
    ];
    let app = stage.with(&settings).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let still = app.admin().draft("夜渡", home, json!({})).await;
    save(&app, id, 2).await;
    let mut retention = Retention::default();
    app.advance(30 * 86_400 - 2);
    assert_eq!(tidy(&app, &mut retention).await, 0);
    app.advance(1);
    assert_eq!(tidy(&app, &mut retention).await, 1);
    assert_eq!(versions(&app, id).await, [3, 2]);
    app.advance(300 * 86_400);
    assert_eq!(tidy(&app, &mut retention).await, 1);
    assert_eq!(versions(&app, id).await, [3]);
    assert_eq!(versions(&app, still).await, [1]);
}

/// Puts revisions from version 2 up to this one beside the first one of the only article there is.
fn put_beside(app: &TestApp, last: i64) {
    let sql = format!(
        "INSERT INTO revisions (article_id, version, at, actor, status, kept, changed, content) \
         WITH RECURSIVE n (v) AS (SELECT 2 UNION ALL SELECT v + 1 FROM n WHERE v < {last}) \
         SELECT article_id, v, at, actor, status, false, changed, content FROM revisions, n \
         WHERE version = 1"
    );
    diesel::sql_query(sql)
        .execute(&mut app.connect())
        .expect("they are put there");
}

async fn one_go_is_bounded_and_the_next_goes_on(stage: Stage) {
    let app = stage.with(&[("LANMU_REVISIONS_KEEP", "100")]).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    put_beside(&app, 10_105);
    let mut retention = Retention::default();
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(tidy(&app, &mut retention).await);
    }
    assert_eq!(deleted, [10_000, 4, 0]);
    let newest = (10_006..=10_105).rev();
    let list = format!("{}/revisions?limit=100&count=exact", super::path(id));
    let page = app.admin().get(&list).await.ok(200);
    assert_eq!(page.each("version"), newest.collect::<Vec<_>>());
    assert_eq!(page["page"]["total"], 101);
    // By age the same.
    let settings = [("LANMU_REVISIONS_KEEP", "0"), ("LANMU_REVISIONS_DAYS", "1")];
    let aged = stage.with(&settings).await;
    diesel::sql_query("DELETE FROM revisions WHERE version > 1")
        .execute(&mut app.connect())
        .expect("they are deleted");
    put_beside(&aged, 10_105);
    aged.advance(2 * 86_400);
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(tidy(&aged, &mut retention).await);
    }
    assert_eq!(deleted, [10_000, 104, 0]);
}

async fn all_are_kept_for_good_where_that_is_set(stage: Stage) {
    let app = stage.with(&[("LANMU_REVISIONS_KEEP", "0")]).await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    save(&app, id, 4).await;
    app.advance(50 * 365 * 86_400);
    assert_eq!(tidy(&app, &mut Retention::default()).await, 0);
    assert_eq!(versions(&app, id).await, [5, 4, 3, 2, 1]);
}

crate::facts![
    so_many_of_an_article_are_kept,
    what_is_kept_was_saved_in_whatever_way,
    the_newest_and_the_newest_released_one_always_stay,
    those_that_are_too_old_go,
    one_go_is_bounded_and_the_next_goes_on,
    all_are_kept_for_good_where_that_is_set,
];
