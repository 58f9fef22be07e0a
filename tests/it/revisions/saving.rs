//! Every save makes a revision: who, when, with which note, what changed.

use diesel::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Stage;

use super::{ARTICLES, act, admin, content, patch, path, revisions, section, versions};

/// The newest revision tells this, and is of the version that the save made.
async fn check_newest(app: &TestApp, id: i64, note: Value, changed: &[&str]) {
    let newest = revisions(app, id).await.swap_remove(0);
    let now = app.admin().get(&path(id)).await.ok(200);
    let want = json!({
        "version": now["version"], "at": app.now().to_string(), "by": admin(), "note": note,
        "changed": changed,
    });
    assert_eq!(newest, want);
}

async fn each_step_of_an_article_s_life_makes_one(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let made = json!({"title": "晨渡", "section_id": home, "note": "起稿", "body": {
        "format": "text", "content": "码头的灯亮了。",
    }});
    let id = app.admin().post(ARTICLES, made).await.ok(201)["id"]
        .as_i64()
        .expect("an id");
    let first = revisions(&app, id).await.swap_remove(0);
    assert_eq!(first["note"], "起稿");
    let changed = first["changed"].as_array().expect("a list");
    for member in ["title", "section_id", "body", "slug", "status"] {
        assert!(changed.contains(&json!(member)), "{first}");
    }
    let none = Value::Null;
    let steps: [(&str, Value, Value, &[&str]); 7] = [
        (
            "submit",
            json!({"note": "请过目"}),
            json!("请过目"),
            &["status"],
        ),
        (
            "reject",
            json!({"note": "太长"}),
            json!("太长"),
            &["status"],
        ),
        (
            "publish",
            json!({}),
            none.clone(),
            &["published_at", "status"],
        ),
        ("unpublish", json!({}), none.clone(), &["status"]),
        ("publish", json!({}), none.clone(), &["status"]),
        (
            "reorder",
            json!({"position": 0}),
            none.clone(),
            &["position"],
        ),
        (
            "reorder",
            json!({"position": null}),
            none.clone(),
            &["position"],
        ),
    ];
    for (action, body, note, changed) in steps {
        app.advance(60);
        act(&app, id, action, body).await;
        check_newest(&app, id, note, changed).await;
    }
    app.advance(60);
    patch(
        &app,
        id,
        json!({"title": "夜渡", "tags": ["海"], "note": "换题"}),
    )
    .await;
    check_newest(&app, id, json!("换题"), &["tags", "title"]).await;
    app.advance(60);
    app.admin().delete(&path(id)).await.ok(204);
    check_newest(&app, id, none.clone(), &["status"]).await;
    app.advance(60);
    act(&app, id, "restore", json!({})).await;
    check_newest(&app, id, none, &["status"]).await;
    assert_eq!(versions(&app, id).await, (1..=11).rev().collect::<Vec<_>>());
}

async fn each_article_of_a_bulk_gets_one(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("山野", json!({})).await;
    let ids = [
        app.admin().draft("晨渡", home, json!({})).await,
        app.admin().draft("夜渡", home, json!({})).await,
    ];
    let steps: [(Value, &[&str]); 4] = [
        (json!({"action": "tag", "add_tags": ["海"]}), &["tags"]),
        (
            json!({"action": "move", "section_id": other}),
            &["section_id"],
        ),
        (json!({"action": "publish"}), &["published_at", "status"]),
        (json!({"action": "trash"}), &["status"]),
    ];
    for (mut body, changed) in steps {
        app.advance(60);
        body["ids"] = json!(ids);
        body["note"] = json!("整理");
        let done = app.admin().post(&format!("{ARTICLES}/bulk"), body).await;
        assert_eq!(done.ok(200)["done"], 2);
        for id in ids {
            check_newest(&app, id, json!("整理"), changed).await;
        }
    }
}

async fn an_article_that_is_moved_with_its_section_gets_one(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("山野", json!({})).await;
    let inside = app.admin().article("晨渡", home, json!({})).await;
    let beside = json!({"also_in": [home]});
    let beside = app.admin().draft("夜渡", other, beside).await;
    app.advance(60);
    let path = format!("/v1/admin/sections/{home}?move_to={other}");
    app.admin().delete(&path).await.ok(204);
    check_newest(&app, inside, Value::Null, &["section_id"]).await;
    check_newest(&app, beside, Value::Null, &["also_in"]).await;
    assert_eq!(content(&app, inside, 1).await["section_id"], home);
    assert_eq!(content(&app, inside, 2).await["section_id"], other);
}

async fn what_another_system_pushes_gets_one_in_its_name(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let (key_id, key) = app
        .api_key(&["content:read", "content:write"], json!({}))
        .await;
    let push = async |title: &str| -> Answer {
        let body = json!({"title": title, "section_id": home, "note": "推送"});
        let path = "/v1/admin/external-articles/cms-1";
        app.with(&key, Method::PUT, path).json(&body).send().await
    };
    let id = push("晨渡").await.ok(201)["id"].as_i64().expect("an id");
    push("夜渡").await.ok(200);
    let by = json!({"type": "api_key", "id": key_id, "name": "推送"});
    let found = revisions(&app, id).await;
    assert_eq!(found.len(), 2);
    for revision in &found {
        assert_eq!((&revision["by"], &revision["note"]), (&by, &json!("推送")));
    }
    assert_eq!(found[0]["changed"], json!(["title"]));
}

async fn what_is_refused_or_only_tried_makes_none(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let admin = app.admin();
    admin.patch(&path(id), json!({"title": ""})).await.ok(422);
    let body = json!({"title": "夜渡"});
    admin
        .write_if("\"9\"", Method::PATCH, &path(id), body.clone())
        .await
        .ok(412);
    admin
        .patch(&format!("{}?dry_run=true", path(id)), body)
        .await
        .ok(200);
    admin.act(&format!("{}/unpublish", path(id))).await.ok(409);
    assert_eq!(versions(&app, id).await, [1]);
}

async fn what_an_article_was_before_the_first_revision_is_kept(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    app.advance(60);
    let was = patch(&app, id, json!({"title": "午渡"})).await.json;
    diesel::sql_query("DELETE FROM revisions")
        .execute(&mut app.connect())
        .expect("they are deleted");
    assert_eq!(versions(&app, id).await, [] as [i64; 0]);
    app.advance(60);
    patch(&app, id, json!({"title": "夜渡"})).await;
    let found = revisions(&app, id).await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["changed"], json!(["title"]));
    let unknown = json!({
        "version": 2, "at": was["updated_at"], "note": null, "changed": [],
        "by": {"type": "system", "id": null, "name": null},
    });
    assert_eq!(found[1], unknown);
    assert_eq!(content(&app, id, 2).await, was);
}

crate::facts![
    each_step_of_an_article_s_life_makes_one,
    each_article_of_a_bulk_gets_one,
    an_article_that_is_moved_with_its_section_gets_one,
    what_another_system_pushes_gets_one_in_its_name,
    what_is_refused_or_only_tried_makes_none,
    what_an_article_was_before_the_first_revision_is_kept,
];
