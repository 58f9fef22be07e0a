//! Revisions are listed and read.

use diesel::prelude::*;
use lanmu::db::schema::revisions;
use serde_json::json;

use crate::support::stage::Stage;

use super::{content, patch, path, revision_path, section, versions};

async fn the_list_is_read_by_page_and_by_cursor(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    for n in 2..=5 {
        patch(&app, id, json!({"title": format!("晨渡{n}")})).await;
    }
    let list = format!("{}/revisions", path(id));
    let admin = app.admin();
    let page = admin.get(&format!("{list}?limit=2&page=2")).await.ok(200);
    assert_eq!(page.each("version"), [3, 2]);
    let told = &page["page"];
    assert_eq!(
        (&told["total"], &told["total_pages"], &told["number"]),
        (&json!(5), &json!(3), &json!(2))
    );
    let next = format!("<{list}?limit=2&page=3>; rel=\"next\"");
    assert!(page.header("link").expect("Link").contains(&next));
    // A cursor goes on where the page ended, whatever is saved meanwhile.
    let first = admin.get(&format!("{list}?limit=2")).await.ok(200);
    assert_eq!(first.each("version"), [5, 4]);
    patch(&app, id, json!({"title": "夜渡"})).await;
    let mut found = Vec::new();
    let mut cursor = first["page"]["next_cursor"].clone();
    while let Some(text) = cursor.as_str() {
        let page = format!("{list}?limit=2&cursor={text}");
        let page = admin.get(&page).await.ok(200);
        found.extend(page.each("version"));
        cursor = page["page"]["next_cursor"].clone();
    }
    assert_eq!(found, [3, 2, 1]);
    assert_eq!(versions(&app, id).await, [6, 5, 4, 3, 2, 1]);
}

async fn a_revision_shows_the_article_as_it_was(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let body = json!({"format": "markdown", "content": "船 **归**"});
    let id = app
        .admin()
        .article("晨渡", home, json!({"body": body}))
        .await;
    let mut shown = vec![app.admin().get(&path(id)).await.ok(200).json];
    for change in [
        json!({"title": "夜渡", "source": {"name": "青屿日报"}}),
        json!({"body": null, "external_url": "https://a.example/1"}),
        json!({"expires_at": "2026-03-01T00:00:00Z", "slug": "night-ferry"}),
    ] {
        app.advance(60);
        shown.push(patch(&app, id, change).await.json);
    }
    for (version, article) in (1..).zip(shown) {
        assert_eq!(content(&app, id, version).await, article);
    }
    let whole = app.admin().get(&revision_path(id, 2)).await.ok(200);
    assert_eq!(whole["version"], 2);
    assert_eq!(whole["changed"], json!(["source", "title"]));
    assert_eq!(whole.header("cache-control"), Some("no-store"));
    // It is not the article: its version is none to write on.
    assert_eq!(whole.header("etag"), None);
}

async fn what_is_not_there_is_not_found(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    let other = app.admin().draft("夜渡", home, json!({})).await;
    patch(&app, other, json!({"title": "午渡"})).await;
    let base = format!("{}/revisions", path(id));
    for version in [
        "2",
        "99",
        "0",
        "-1",
        "01x",
        "latest",
        "1.0",
        "%31%20",
        "9223372036854775808",
    ] {
        let path = format!("{base}/{version}");
        for path in [path.clone(), format!("{path}/diff")] {
            app.admin().get(&path).await.problem(404, "not_found");
        }
        let restore = app.admin().act(&format!("{path}/restore")).await;
        restore.problem(404, "not_found");
    }
    for base in [
        "/v1/admin/articles/99/revisions",
        "/v1/admin/articles/x/revisions",
    ] {
        for path in [
            base.to_owned(),
            format!("{base}/1"),
            format!("{base}/1/diff"),
        ] {
            app.admin().get(&path).await.problem(404, "not_found");
        }
    }
}

async fn those_of_an_article_that_is_deleted_for_good_are_gone(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().draft("晨渡", home, json!({})).await;
    app.admin().delete(&path(id)).await.ok(204);
    assert_eq!(versions(&app, id).await, [2, 1]);
    let purge = format!("{}?permanent=true", path(id));
    app.admin().delete(&purge).await.ok(204);
    let base = format!("{}/revisions", path(id));
    for path in [base.clone(), format!("{base}/1"), format!("{base}/1/diff")] {
        app.admin().get(&path).await.problem(404, "not_found");
    }
    let restore = app.admin().act(&format!("{base}/1/restore")).await;
    restore.problem(404, "not_found");
    let left = revisions::table.count().get_result(&mut app.connect());
    assert_eq!(left, Ok(0_i64));
}

crate::facts![
    the_list_is_read_by_page_and_by_cursor,
    a_revision_shows_the_article_as_it_was,
    what_is_not_there_is_not_found,
    those_of_an_article_that_is_deleted_for_good_are_gone,
];
