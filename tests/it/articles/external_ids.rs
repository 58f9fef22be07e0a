//! Articles that another system pushes.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{NOON, merged};
use crate::support::stage::Stage;

use super::{ARTICLES, PATIENT, create, everything, id, managed, patch, path, put, read, section};

async fn another_system_creates_and_replaces(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let external_id = "cms:2026.0131~a_b-1";
    let mut given = merged(everything(), json!({"section_id": home, "publish": {}}));
    given
        .as_object_mut()
        .expect("an object")
        .remove("external_id");
    let made = put(&app, external_id, given).await.ok(201);
    assert_eq!(made["external_id"], external_id);
    assert_eq!(made["status"], "published");
    assert_eq!(made.header("location"), Some(path(id(&made)).as_str()));
    read(&app, id(&made)).await;

    app.advance(60);
    let body = json!({
        "title": "夜渡", "section_id": home, "external_url": "https://x.example.com/", "publish": {}
    });
    let replaced = put(&app, external_id, body).await.ok(200);
    for kept in [
        "id",
        "slug",
        "published_at",
        "created_at",
        "created_by",
        "external_id",
    ] {
        assert_eq!(replaced[kept], made[kept], "{kept}");
    }
    assert_eq!(replaced["title"], "夜渡");
    assert_eq!(replaced["version"], 2);
    assert_eq!(replaced.header("etag"), Some("\"2\""));
    for null in [
        "subtitle",
        "short_title",
        "summary",
        "source",
        "author",
        "editor",
        "cover",
        "canonical_url",
        "seo",
        "pinned_until",
        "expires_at",
        "body",
    ] {
        assert_eq!(replaced[null], Value::Null, "{null}");
    }
    for empty in ["keywords", "tags", "attachments", "legacy_urls", "also_in"] {
        assert_eq!(replaced[empty], json!([]), "{empty}");
    }
    assert_eq!(replaced["featured"], false);
    let article = read(&app, id(&made)).await;
    assert_eq!(
        (&article["title"], &article["body"]),
        (&json!("夜渡"), &Value::Null)
    );
    assert_eq!(app.get("/v1/tags").await["data"], json!([]));
}

async fn a_replaced_article_stays_in_its_state(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let body = || json!({"title": "晨渡", "section_id": home, "body": {"format": "text", "content": "船"}});
    let draft = put(&app, "a", body()).await.ok(201);
    assert_eq!(draft["status"], "draft");
    assert_eq!(put(&app, "a", body()).await.ok(200)["status"], "draft");
    let published = put(&app, "a", merged(body(), json!({"publish": {}})))
        .await
        .ok(200);
    assert_eq!(published["published_at"], NOON);
    app.advance(60);
    let again = put(&app, "a", body()).await.ok(200);
    assert_eq!(
        (&again["status"], &again["published_at"]),
        (&json!("published"), &json!(NOON))
    );
    read(&app, id(&draft)).await;
    let bodiless = json!({"title": "晨渡", "section_id": home});
    let answer = put(&app, "a", bodiless).await;
    assert_eq!(
        answer.problem(422, "validation_failed").faults()[0].0,
        "/body"
    );
    app.admin()
        .act(&format!("{}/unpublish", path(id(&draft))))
        .await
        .ok(200);
    assert_eq!(put(&app, "a", body()).await.ok(200)["status"], "archived");
    let ahead = json!({"publish": {"published_at": "2026-02-01T00:00:00Z"}});
    let scheduled = put(&app, "a", merged(body(), ahead)).await.ok(200);
    assert_eq!(scheduled["status"], "scheduled");
}

async fn a_replacement_may_bring_a_new_slug(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let body = |slug: Value| {
        json!({
            "title": "晨渡", "section_id": home, "slug": slug, "publish": {},
            "external_url": "https://x.example.com/"
        })
    };
    put(&app, "a", body(json!("ferry"))).await.ok(201);
    assert_eq!(
        put(&app, "a", body(Value::Null)).await.ok(200)["slug"],
        "ferry"
    );
    assert_eq!(
        put(&app, "a", body(json!("dawn"))).await.ok(200)["slug"],
        "dawn"
    );
    assert_eq!(
        app.leads_to("/v1/articles/ferry").await,
        "/v1/articles/dawn"
    );
}

async fn an_external_id_belongs_to_one_article(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let body = |more: Value| merged(json!({"title": "晨渡", "section_id": home}), more);
    let first = put(&app, "cms-1", body(json!({}))).await.ok(201);
    let second = create(&app, body(json!({"external_id": "cms-2"})))
        .await
        .ok(201);
    let taken = body(json!({"external_id": "cms-1"}));
    create(&app, taken).await.problem(409, "external_id_taken");
    patch(&app, id(&second), json!({"external_id": "cms-1"}))
        .await
        .problem(409, "external_id_taken");
    let replaced = put(&app, "cms-2", body(json!({"external_id": "cms-2"})))
        .await
        .ok(200);
    assert_eq!(replaced["id"], second["id"]);
    let answer = put(&app, "cms-2", body(json!({"external_id": "cms-1"}))).await;
    assert_eq!(
        answer.problem(422, "validation_failed").faults()[0].0,
        "/external_id"
    );
    patch(&app, id(&first), json!({"external_id": null}))
        .await
        .ok(200);
    patch(&app, id(&second), json!({"external_id": "cms-1"}))
        .await
        .ok(200);
}

async fn an_external_id_has_its_characters(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let body = || json!({"title": "晨渡", "section_id": home});
    put(&app, &"a".repeat(200), body()).await.ok(201);
    for bad in ["a%20b", "a%2Fb", "%E6%B8%A1", "a@b", &"a".repeat(201)] {
        put(&app, bad, body()).await.problem(404, "not_found");
    }
    for bad in ["a b", "a/b", "渡", &"a".repeat(201)] {
        let answer = create(&app, merged(body(), json!({"external_id": bad}))).await;
        assert_eq!(
            answer.problem(422, "validation_failed").faults()[0].0,
            "/external_id"
        );
    }
}

async fn pushes_at_once_make_one_article(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let home = section(&app).await;
    let body = json!({"title": "晨渡", "section_id": home});
    let answers = join_all((0..8).map(|_| put(&app, "cms-1", body.clone()))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let replaced = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((made, replaced), (1, 7));
    assert_eq!(app.admin().get(ARTICLES).await["page"]["total"], 1);
}

async fn a_pushed_article_in_the_trash_is_not_published(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let body = json!({
        "title": "晨渡", "section_id": home, "external_url": "https://x.example.com/", "publish": {}
    });
    let made = put(&app, "cms-1", body.clone()).await.ok(201);
    app.admin().delete(&path(id(&made))).await.ok(204);
    put(&app, "cms-1", body)
        .await
        .problem(409, "invalid_transition");
    assert_eq!(managed(&app, id(&made)).await["status"], "trashed");
}

crate::facts![
    another_system_creates_and_replaces,
    a_replaced_article_stays_in_its_state,
    a_replacement_may_bring_a_new_slug,
    an_external_id_belongs_to_one_article,
    an_external_id_has_its_characters,
    pushes_at_once_make_one_article,
    a_pushed_article_in_the_trash_is_not_published,
];
