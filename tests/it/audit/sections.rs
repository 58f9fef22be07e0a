//! What the log says of a section that goes and of what it held.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{act, changes, events};

async fn delete(app: &TestApp, id: i64, query: &str) -> Vec<Value> {
    let path = format!("/v1/admin/sections/{id}{query}");
    act(app, Method::DELETE, &path, Value::Null, 204).await
}

async fn an_empty_section_moves_nothing(stage: Stage) {
    let app = stage.app().await;
    let id = app
        .admin()
        .section("港口", json!({"slug": "harbour"}))
        .await;
    let told = delete(&app, id, "").await;
    assert_eq!(events(&told), [format!("section.deleted section {id}")]);
    let told = changes(&told[0]);
    assert_eq!(told["slug"], json!(["harbour", null]));
    for member in ["move_to", "moved_articles", "moved_sections"] {
        assert_eq!(told.get(member), None, "{member}");
    }
}

async fn what_a_deleted_section_held_is_told(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let below = |slug: &str, parent: i64| json!({"slug": slug, "parent_id": parent});
    let target = admin.section("告示", json!({"slug": "notices"})).await;
    let old = admin.section("旧闻", json!({"slug": "old"})).await;
    let there = admin.section("原有", below("there", target)).await;
    let first = admin.section("码头", below("pier", old)).await;
    let second = admin.section("船队", below("fleet", old)).await;
    let deeper = admin.section("灯塔", below("light", first)).await;
    let own = admin.article("晨渡", old, json!({})).await;
    let also = admin
        .article("夜渡", there, json!({"also_in": [old]}))
        .await;
    let trashed = admin.draft("误发", old, json!({})).await;
    let trash = format!("/v1/admin/articles/{trashed}");
    admin.delete(&trash).await.ok(204);
    admin.draft("在下", deeper, json!({})).await;

    let told = delete(&app, old, &format!("?move_to={target}")).await;
    let expected = [
        format!("section.moved section {first}"),
        format!("section.moved section {second}"),
        format!("section.deleted section {old}"),
    ];
    assert_eq!(events(&told), expected);
    let expected = json!({
        "parent_id": [old, target], "path": ["old/pier", "notices/pier"], "position": [0, 1],
    });
    assert_eq!(changes(&told[0]), expected);
    let expected = json!({
        "parent_id": [old, target], "path": ["old/fleet", "notices/fleet"], "position": [1, 2],
    });
    assert_eq!(changes(&told[1]), expected);
    let gone = changes(&told[2]);
    assert_eq!(gone["slug"], json!(["old", null]));
    assert_eq!(gone["move_to"], json!([null, target]));
    assert_eq!(gone["moved_articles"], json!([null, [own, also, trashed]]));
    assert_eq!(gone["moved_sections"], json!([null, [first, second]]));
}

async fn a_section_that_moves_nothing_says_so(stage: Stage) {
    let app = stage.app().await;
    let target = app.admin().section("告示", json!({})).await;
    let old = app.admin().section("旧闻", json!({})).await;
    let told = delete(&app, old, &format!("?move_to={target}")).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let gone = changes(&told[0]);
    assert_eq!(gone["move_to"], json!([null, target]));
    assert_eq!(gone["moved_articles"], json!([null, []]));
    assert_eq!(gone["moved_sections"], json!([null, []]));
}

crate::facts![
    an_empty_section_moves_nothing,
    what_a_deleted_section_held_is_told,
    a_section_that_moves_nothing_says_so,
];
