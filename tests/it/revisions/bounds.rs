//! Who may read revisions and bring them back.

use reqwest::Method;
use serde_json::json;

use crate::support::stage::Stage;

use super::{act, act_with, path, revision_path, section, token, version};

async fn an_author_brings_its_own_drafts_back(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let token = token(&app, "author", json!([home])).await;
    let body = json!({"title": "晨渡", "section_id": home, "external_url": "https://a.example/1"});
    let made = app.with(&token, Method::POST, super::ARTICLES).json(&body);
    let id = made.send().await.ok(201)["id"].as_i64().expect("an id");
    super::patch(&app, id, json!({"title": "夜渡"})).await;
    let restore = format!("{}/restore", revision_path(id, 1));
    let answer = act_with(&app, &token, &restore).await.ok(200);
    assert_eq!(
        (&answer["title"], &answer["version"]),
        (&json!("晨渡"), &json!(3))
    );
    act(&app, id, "publish", json!({})).await;
    let refused = act_with(&app, &token, &restore).await;
    refused.problem(403, "forbidden");
    // It still sees what became of it.
    let list = format!("{}/revisions", path(id));
    let seen = app.get_with(&token, &list).await.ok(200);
    assert_eq!(seen.each("version"), [4, 3, 2, 1]);
    assert_eq!(version(&app, id).await, 4);
}

async fn what_is_somebody_else_s_is_not_known_of(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("山野", json!({})).await;
    let draft = app.admin().draft("晨渡", home, json!({})).await;
    let public = app.admin().article("夜渡", home, json!({})).await;
    for (role, within) in [("author", home), ("editor", other)] {
        let token = token(&app, role, json!([within])).await;
        for (id, status, code) in [(draft, 404, "not_found"), (public, 403, "forbidden")] {
            let one = revision_path(id, 1);
            for path in [
                format!("{}/revisions", path(id)),
                one.clone(),
                format!("{one}/diff"),
            ] {
                app.get_with(&token, &path).await.problem(status, code);
            }
            let restore = act_with(&app, &token, &format!("{one}/restore")).await;
            restore.problem(status, code);
        }
    }
}

async fn who_reads_does_not_bring_back(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let viewer = token(&app, "viewer", json!(null)).await;
    let (_, key) = app.api_key(&["content:read"], json!({})).await;
    let one = revision_path(id, 1);
    for token in [viewer, key] {
        for path in [
            format!("{}/revisions", path(id)),
            one.clone(),
            format!("{one}/diff"),
        ] {
            app.get_with(&token, &path).await.ok(200);
        }
        let restore = act_with(&app, &token, &format!("{one}/restore")).await;
        restore.problem(403, "forbidden");
    }
    for path in [
        format!("{}/revisions", path(id)),
        one.clone(),
        format!("{one}/diff"),
    ] {
        app.get(&path).await.problem(401, "unauthorized");
    }
    assert_eq!(version(&app, id).await, 1);
}

async fn what_is_public_needs_the_publish_permission(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().article("晨渡", home, json!({})).await;
    let (_, writer) = app.api_key(&["content:write"], json!({})).await;
    let scopes = ["content:write", "content:publish"];
    let (_, publisher) = app.api_key(&scopes, json!({})).await;
    let restore = format!("{}/restore", revision_path(id, 1));
    let refused = act_with(&app, &writer, &restore).await;
    refused.problem(403, "forbidden");
    act_with(&app, &publisher, &restore).await.ok(200);
}

async fn nobody_gets_an_article_into_a_section_of_others_by_it(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("山野", json!({})).await;
    let id = app.admin().draft("晨渡", other, json!({})).await;
    super::patch(&app, id, json!({"section_id": home})).await;
    let editor = token(&app, "editor", json!([home])).await;
    let restore = format!("{}/restore", revision_path(id, 1));
    let refused = act_with(&app, &editor, &restore).await;
    refused.problem(403, "forbidden");
    assert_eq!(version(&app, id).await, 2);
}

crate::facts![
    an_author_brings_its_own_drafts_back,
    what_is_somebody_else_s_is_not_known_of,
    who_reads_does_not_bring_back,
    what_is_public_needs_the_publish_permission,
    nobody_gets_an_article_into_a_section_of_others_by_it,
];
