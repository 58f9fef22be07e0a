//! A follower is told of what becomes public, of what changes, and of what goes.

use reqwest::Method;
use serde_json::json;

use super::replica::{Replica, delivered, short};
use crate::support::stage::Stage;

async fn the_first_pass_is_everything_public_and_nothing_else(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let hidden = admin.section("暗室", json!({"visible": false})).await;
    let shown = admin
        .article("晨渡", port, json!({"also_in": [hidden]}))
        .await;
    let gone = admin.article("旧渡", port, json!({})).await;
    admin.draft("草稿", port, json!({})).await;
    admin.article("暗渡", hidden, json!({})).await;
    let later = json!({"publish": {"published_at": "2026-02-01T00:00:00Z"}});
    admin.draft("明日", port, later).await;
    admin
        .act(&format!("/v1/admin/articles/{gone}/unpublish"))
        .await
        .ok(200);

    let mut replica = Replica::default();
    let told = replica.follow(&app, 1).await;
    let told: Vec<String> = told.iter().map(short).collect();
    let wanted = [
        format!("upsert section {port}"),
        format!("upsert article {shown}"),
    ];
    assert_eq!(told, wanted);
    assert_eq!(replica.content, delivered(&app).await);
    assert_eq!(replica.content.articles[&shown]["also_in"], json!([]));
    assert_eq!(replica.hear(&app).await, [""; 0]);
}

async fn what_was_never_public_is_never_told(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let mut replica = Replica::default();
    replica.hear(&app).await;
    let draft = admin.draft("草稿", port, json!({})).await;
    let one = format!("/v1/admin/articles/{draft}");
    admin.patch(&one, json!({"title": "再稿"})).await.ok(200);
    admin.delete(&one).await.ok(204);
    admin.delete(&format!("{one}?permanent=true")).await.ok(204);
    let hidden = admin.section("暗室", json!({"visible": false})).await;
    admin.article("暗渡", hidden, json!({})).await;
    assert_eq!(replica.hear(&app).await, [""; 0]);
}

async fn each_step_of_an_article_is_told_once(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let id = admin.draft("晨渡", port, json!({})).await;
    let one = format!("/v1/admin/articles/{id}");
    let mut replica = Replica::default();
    assert_eq!(replica.hear(&app).await, [format!("upsert section {port}")]);
    let (upsert, delete) = (
        format!("upsert article {id}"),
        format!("delete article {id}"),
    );
    for (action, told) in [
        ("publish", Some(&upsert)),
        ("unpublish", Some(&delete)),
        ("publish", Some(&upsert)),
    ] {
        admin.act(&format!("{one}/{action}")).await.ok(200);
        let heard = replica.hear(&app).await;
        assert_eq!(
            heard,
            told.into_iter().cloned().collect::<Vec<_>>(),
            "{action}"
        );
    }
    admin.patch(&one, json!({"title": "夜渡"})).await.ok(200);
    admin.patch(&one, json!({"title": "昼渡"})).await.ok(200);
    assert_eq!(replica.hear(&app).await, [upsert]);
    assert_eq!(replica.content.articles[&id]["title"], "昼渡");
    admin.delete(&one).await.ok(204);
    assert_eq!(replica.hear(&app).await, [delete.as_str()]);
    admin.delete(&format!("{one}?permanent=true")).await.ok(204);
    assert_eq!(replica.hear(&app).await, [delete]);
    // Who comes now has nothing to forget.
    let mut new = Replica::default();
    assert_eq!(new.hear(&app).await, [format!("upsert section {port}")]);
}

async fn hiding_and_showing_a_section_tells_of_every_article_below(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let pier = admin.section("渡口", json!({"parent_id": port})).await;
    let town = admin.section("城里", json!({})).await;
    let below = admin.article("晨渡", pier, json!({})).await;
    let beside = admin
        .article("集市", town, json!({"also_in": [pier]}))
        .await;
    let far = admin.article("夜市", town, json!({})).await;
    let mut replica = Replica::default();
    replica.hear(&app).await;

    let one = format!("/v1/admin/sections/{port}");
    admin.patch(&one, json!({"visible": false})).await.ok(200);
    let mut heard = replica.hear(&app).await;
    heard.sort();
    let mut wanted = vec![
        format!("delete article {below}"),
        format!("delete section {port}"),
        format!("delete section {pier}"),
        format!("upsert article {beside}"),
    ];
    wanted.sort();
    assert_eq!(heard, wanted);
    assert_eq!(replica.content.articles[&beside]["also_in"], json!([]));
    assert_eq!(replica.content, delivered(&app).await);

    admin.patch(&one, json!({"visible": true})).await.ok(200);
    let heard = replica.hear(&app).await;
    assert!(
        !heard.contains(&format!("upsert article {far}")),
        "{heard:?}"
    );
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!(replica.content, delivered(&app).await);
}

async fn a_rename_tells_of_sections_alone(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({"slug": "port"})).await;
    let pier = admin.section("渡口", json!({"parent_id": port})).await;
    admin.article("晨渡", pier, json!({})).await;
    let town = admin.section("城里", json!({})).await;
    let mut replica = Replica::default();
    replica.hear(&app).await;
    let one = format!("/v1/admin/sections/{port}");
    let change = json!({"name": "老港", "slug": "old-port"});
    admin.patch(&one, change).await.ok(200);
    let heard = replica.hear(&app).await;
    assert!(
        heard.iter().all(|told| told.contains("section")),
        "{heard:?}"
    );
    let moved = json!({"parent_id": town});
    admin.post(&format!("{one}/move"), moved).await.ok(200);
    let heard = replica.hear(&app).await;
    assert!(
        heard.iter().all(|told| told.contains("section")),
        "{heard:?}"
    );
    assert_eq!(replica.content, delivered(&app).await);
}

async fn a_deleted_section_is_told_with_what_moved(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let town = admin.section("城里", json!({})).await;
    let moved = admin.article("晨渡", port, json!({})).await;
    let mut replica = Replica::default();
    replica.hear(&app).await;
    let path = format!("/v1/admin/sections/{port}?move_to={town}");
    admin.delete(&path).await.ok(204);
    let heard = replica.hear(&app).await;
    assert!(
        heard.contains(&format!("delete section {port}")),
        "{heard:?}"
    );
    assert!(
        heard.contains(&format!("upsert article {moved}")),
        "{heard:?}"
    );
    assert_eq!(replica.content, delivered(&app).await);
}

async fn deletions_during_the_first_pass_are_told(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    let mut ids = Vec::new();
    for title in ["一", "二", "三"] {
        ids.push(admin.article(title, port, json!({})).await);
    }
    let mut replica = Replica::default();
    // The section and the first article.
    replica.step(&app, 2).await;
    for id in &ids[..2] {
        admin
            .delete(&format!("/v1/admin/articles/{id}"))
            .await
            .ok(204);
    }
    let heard = replica.hear(&app).await;
    assert!(
        heard.contains(&format!("delete article {}", ids[0])),
        "{heard:?}"
    );
    assert_eq!(replica.content, delivered(&app).await);
}

async fn one_kind_can_be_followed_alone(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let port = admin.section("港口", json!({})).await;
    admin.article("晨渡", port, json!({})).await;
    for (resources, count) in [("article", 1), ("section", 1), ("article,section", 2)] {
        let path = format!("/v1/changes?resources={resources}");
        let answer = app.get(&path).await.ok(200);
        assert_eq!(answer["data"].as_array().expect("a list").len(), count);
    }
}

async fn a_cursor_that_is_none_is_refused(stage: Stage) {
    let app = stage.app().await;
    app.admin().section("港口", json!({})).await;
    let ahead = "WzEsOTk5OTk5LDBd";
    for cursor in ["x", "W10", "WzIsMCwwXQ", "WzEsLTEsMF0", ahead] {
        let answer = app.get(&format!("/v1/changes?cursor={cursor}")).await;
        let answer = answer.problem(400, "invalid_request");
        assert_eq!(
            answer.faults(),
            [("cursor".to_owned(), "invalid_cursor".to_owned())]
        );
    }
    for query in ["limit=0", "limit=101", "resources=user", "page=1"] {
        let answer = app.get(&format!("/v1/changes?{query}")).await;
        answer.problem(400, "invalid_request");
    }
}

async fn caches_always_ask(stage: Stage) {
    let app = stage.app().await;
    app.admin().section("港口", json!({})).await;
    let answer = app.get("/v1/changes").await.ok(200);
    assert_eq!(
        answer.header("cache-control"),
        Some("max-age=0, must-revalidate")
    );
    let tag = answer.header("etag").expect("a tag").to_owned();
    let again = app.request(Method::GET, "/v1/changes");
    again.header("if-none-match", &tag).send().await.ok(304);
}

crate::facts![
    the_first_pass_is_everything_public_and_nothing_else,
    what_was_never_public_is_never_told,
    each_step_of_an_article_is_told_once,
    hiding_and_showing_a_section_tells_of_every_article_below,
    a_rename_tells_of_sections_alone,
    a_deleted_section_is_told_with_what_moved,
    deletions_during_the_first_pass_are_told,
    one_kind_can_be_followed_alone,
    a_cursor_that_is_none_is_refused,
    caches_always_ask,
];
