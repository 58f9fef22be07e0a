//! An article is changed.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::merged;
use crate::support::stage::Stage;

use super::{PATIENT, create, everything, id, managed, patch, path, read, section};

async fn a_patch_changes_what_it_names(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("告示", json!({})).await;
    let given = merged(
        everything(),
        json!({"section_id": home, "also_in": [other]}),
    );
    let before = create(&app, given).await.ok(201);
    app.advance(60);
    let after = patch(&app, id(&before), json!({"title": "夜渡", "author": null}))
        .await
        .ok(200);
    let changes = json!({
        "title": "夜渡", "author": null, "updated_at": "2026-01-31T04:01:00Z", "version": 2
    });
    assert_eq!(after.json, merged(before.json.clone(), changes));
    assert_eq!(after.header("etag"), Some("\"2\""));
    assert_eq!(managed(&app, id(&before)).await.json, after.json);
}

async fn a_patch_merges_objects_and_replaces_lists(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let given = merged(everything(), json!({"section_id": home}));
    let id = id(&create(&app, given).await.ok(201));
    let after = patch(
        &app,
        id,
        json!({
            "source": {"url": null}, "cover": {"alt": "晴天", "width": null},
            "seo": {"title": null}, "tags": ["雨"], "attachments": []
        }),
    )
    .await
    .ok(200);
    assert_eq!(after["source"], json!({"name": "青屿日报", "url": null}));
    assert_eq!(
        after["cover"],
        json!({"url": "https://img.example.com/dawn.jpg", "alt": "晴天", "width": null, "height": 675})
    );
    assert_eq!(
        after["seo"],
        json!({"title": null, "description": "头班船的故事"})
    );
    assert_eq!(after["tags"], json!(["雨"]));
    assert_eq!(after["attachments"], json!([]));
    let after = patch(&app, id, json!({"seo": {"description": null}}))
        .await
        .ok(200);
    assert!(matches!(
        &after["seo"],
        Value::Null | Value::Object(_) if after["seo"]["title"].is_null()
    ));
}

async fn null_empties_every_optional_member(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let other = app.admin().section("告示", json!({})).await;
    let given = merged(
        everything(),
        json!({"section_id": home, "also_in": [other]}),
    );
    let before = create(&app, given.clone()).await.ok(201);
    let mut body = given;
    let members = body.as_object_mut().expect("an object");
    for kept in ["title", "slug", "section_id"] {
        members.remove(kept);
    }
    for value in members.values_mut() {
        *value = Value::Null;
    }
    let after = patch(&app, id(&before), body).await.ok(200);
    let bare = create(&app, json!({"title": "清晨的渡口", "section_id": home}))
        .await
        .ok(201);
    let own = json!({"id": before["id"], "slug": "dawn-ferry", "version": 2});
    assert_eq!(after.json, merged(bare.json.clone(), own));
    for member in ["title", "slug", "section_id"] {
        let answer = patch(&app, id(&before), json!({member: null})).await;
        let faults = answer.problem(422, "validation_failed").faults();
        assert_eq!(faults[0].0, format!("/{member}"));
    }
}

async fn an_empty_patch_changes_no_member(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let given = merged(everything(), json!({"section_id": home}));
    let before = create(&app, given).await.ok(201);
    let mut after = patch(&app, id(&before), json!({})).await.ok(200).json;
    after["version"] = before["version"].clone();
    assert_eq!(after, before.json);
}

async fn a_merge_patch_has_a_media_type_of_its_own(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for (media_type, status) in [
        ("application/merge-patch+json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json-patch+json", 415),
        ("text/plain", 415),
    ] {
        let request = app.admin().request(Method::PATCH, &path(id)).await;
        let request = request.header("if-match", "*");
        request
            .body(media_type, r#"{"author": "林舟"}"#)
            .send()
            .await
            .ok(status);
    }
}

async fn a_patch_needs_the_version_that_it_changes(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let bare = app.admin().request(Method::PATCH, &path(id)).await;
    bare.json(&json!({"author": "林舟"}))
        .send()
        .await
        .problem(428, "precondition_required");
    let send = async |tag: &str| {
        let body = json!({"author": "林舟"});
        let admin = app.admin();
        admin.write_if(tag, Method::PATCH, &path(id), body).await
    };
    for tag in ["\"2\"", "W/\"2\"", "\"\"", "\"x\""] {
        send(tag).await.problem(412, "version_mismatch");
    }
    assert_eq!(managed(&app, id).await["version"], 1);
    for (version, tag) in [(2, "\"1\""), (3, "W/\"2\""), (4, "*"), (5, "\"7\", \"4\"")] {
        assert_eq!(send(tag).await.ok(200)["version"], version, "{tag}");
    }
    app.admin()
        .patch(&path(987_654), json!({}))
        .await
        .problem(404, "not_found");
}

async fn a_version_is_compared_letter_by_letter(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for tag in ["\"01\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"1-gz\""] {
        let admin = app.admin();
        admin
            .write_if(tag, Method::PATCH, &path(id), json!({"author": "林舟"}))
            .await
            .problem(412, "version_mismatch");
    }
}

async fn every_write_heeds_the_version(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = section(&app).await;
    let more = json!({"external_id": "cms-1"});
    let id = app.admin().draft("晨渡", section, more).await;
    let external = |id: &str| format!("/v1/admin/external-articles/{id}");
    let body =
        json!({"title": "夜渡", "section_id": section, "external_url": "https://x.example.com/"});
    let writes = [
        (Method::PUT, external("cms-1"), body.clone()),
        (Method::POST, format!("{}/publish", path(id)), Value::Null),
        (Method::POST, format!("{}/unpublish", path(id)), Value::Null),
        (Method::DELETE, path(id), Value::Null),
        (Method::POST, format!("{}/restore", path(id)), Value::Null),
    ];
    for (version, (method, path, body)) in (1..).zip(writes) {
        let wrong = format!("\"{}\"", version + 1);
        admin
            .write_if(&wrong, method.clone(), &path, body.clone())
            .await
            .problem(412, "version_mismatch");
        let right = format!("W/\"{version}\"");
        let answer = admin.write_if(&right, method, &path, body).await;
        assert!(answer.status < 300, "{path}: {answer}");
        assert_eq!(managed(&app, id).await["version"], version + 1);
    }
    admin
        .write_if("*", Method::PUT, &external("cms-2"), body)
        .await
        .problem(412, "version_mismatch");
}

async fn of_two_changes_at_once_one_wins(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let admin = app.admin();
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let article = path(id);
    let writes = (0..6).map(|n| {
        let body = json!({"author": format!("林{n}")});
        admin.write_if("\"1\"", Method::PATCH, &article, body)
    });
    let answers = join_all(writes).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
    let won = answers.iter().find(|answer| answer.status == 200);
    assert_eq!(managed(&app, id).await.json, won.expect("one won").json);
}

async fn an_editor_is_always_shown_the_article(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for tag in ["\"1\"", "W/\"1\"", "\"2\"", "*"] {
        let request = app.admin().request(Method::GET, &path(id)).await;
        let answer = request.header("if-none-match", tag).send().await.ok(200);
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

async fn a_reader_is_told_that_nothing_changed(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app
        .admin()
        .article("晨渡", section, json!({"tags": ["潮汐"]}))
        .await;
    app.admin().article("夜渡", section, json!({})).await;
    for path in [
        format!("/v1/articles/{id}"),
        "/v1/articles".to_owned(),
        format!("/v1/articles/{id}/neighbors"),
        format!("/v1/articles/{id}/related"),
        format!("/v1/articles/{id}/qr.svg"),
        "/v1/archive".to_owned(),
        "/v1/tags".to_owned(),
    ] {
        let first = app.get(&path).await.ok(200);
        let tag = first.header("etag").expect("a tag");
        assert!(
            tag.starts_with('"') && tag.ends_with('"'),
            "{path}: a strong tag"
        );
        for condition in [tag, "*", &format!("\"x\", {tag}")] {
            let request = app.request(Method::GET, &path);
            let again = request
                .header("if-none-match", condition)
                .send()
                .await
                .ok(304);
            for name in ["etag", "cache-control", "vary"] {
                assert_eq!(again.header(name), first.header(name), "{path}: {name}");
            }
        }
        // Only If-None-Match is honoured.
        for (name, value) in [
            ("if-match", "\"x\""),
            ("if-modified-since", "Sat, 31 Jan 2099 04:00:00 GMT"),
            ("if-none-match", "\"x\""),
        ] {
            app.request(Method::GET, &path)
                .header(name, value)
                .send()
                .await
                .ok(200);
        }
        let head = app.request(Method::HEAD, &path).send().await.ok(200);
        assert_eq!(head.header("etag"), Some(tag));
        assert!(head.body.is_empty());
    }
    let before = read(&app, id).await;
    assert_eq!(
        before.header("last-modified"),
        Some("Sat, 31 Jan 2026 04:00:00 GMT")
    );
    app.advance(60);
    patch(&app, id, json!({"author": "林舟"})).await.ok(200);
    let after = read(&app, id).await;
    assert_ne!(after.header("etag"), before.header("etag"));
    assert_eq!(
        after.header("last-modified"),
        Some("Sat, 31 Jan 2026 04:01:00 GMT")
    );
}

async fn a_new_section_takes_the_article_along(stage: Stage) {
    let app = stage.app().await;
    let from = section(&app).await;
    let to = app
        .admin()
        .section("告示", json!({"slug": "notices"}))
        .await;
    let id = app.admin().article("晨渡", from, json!({})).await;
    patch(&app, id, json!({"section_id": to})).await.ok(200);
    assert!(app.walk("/v1/articles?section=harbour").await.is_empty());
    assert_eq!(app.walk("/v1/articles?section=notices").await, [id]);
    let article = read(&app, id).await;
    assert_eq!(article["section"]["slug"], "notices");
    assert_eq!(article["breadcrumb"][1]["slug"], "notices");
    let answer = patch(&app, id, json!({"section_id": 987_654})).await;
    assert_eq!(
        answer.problem(422, "validation_failed").faults()[0].0,
        "/section_id"
    );
}

crate::facts![
    a_patch_changes_what_it_names,
    a_patch_merges_objects_and_replaces_lists,
    null_empties_every_optional_member,
    an_empty_patch_changes_no_member,
    a_merge_patch_has_a_media_type_of_its_own,
    a_patch_needs_the_version_that_it_changes,
    a_version_is_compared_letter_by_letter,
    every_write_heeds_the_version,
    of_two_changes_at_once_one_wins,
    an_editor_is_always_shown_the_article,
    a_reader_is_told_that_nothing_changed,
    a_new_section_takes_the_article_along,
];
