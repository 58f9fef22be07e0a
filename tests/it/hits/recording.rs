//! What recording a hit takes, and what becomes of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::stage::Stage;

use super::{
    EVERY_VIEW, article, batch, count, hit_rows, ledger, number, result, results, view, views,
    windows,
};

async fn a_counted_hit_is_in_the_next_read(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for expected in 1..=3 {
        let hit = view(&app, id).send().await.ok(200);
        assert_eq!(
            hit.json,
            json!({"article_id": id, "result": "counted", "total": expected, "today": expected})
        );
        assert_eq!(number(&count(&app, id).await, "total"), expected);
    }
    let read = count(&app, id).await;
    assert_eq!(
        read.json,
        json!({
            "article_id": id, "total": 3, "today": 3, "last_7_days": 3, "last_30_days": 3,
            "as_of": NOON, "visitors": {"today": 1, "last_7_days": 1, "last_30_days": 1},
        })
    );
    let with_hits = app.get(&format!("/v1/articles/{id}?include=hits")).await;
    assert_eq!(with_hits["hits"], read.json);
}

async fn an_article_that_nobody_viewed_has_zeros(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(
        count(&app, id).await.json,
        json!({
            "article_id": id, "total": 0, "today": 0, "last_7_days": 0, "last_30_days": 0,
            "as_of": null, "visitors": {"today": 0, "last_7_days": 0, "last_30_days": 0},
        })
    );
}

async fn a_hit_is_sent_with_or_without_a_body(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let body = r#"{"client": "web", "hit_id": "HIT"}"#;
    for request in [
        view(&app, id),
        view(&app, id).header("content-type", "application/json"),
        view(&app, id).header("content-type", "application/octet-stream"),
        view(&app, id).body("application/json", "{}"),
        view(&app, id).body("application/json", body.replace("HIT", "j")),
        view(&app, id).body("text/plain", body.replace("HIT", "t")),
        view(&app, id).body("text/plain;charset=UTF-8", body.replace("HIT", "u")),
        view(&app, id).json(&json!({"client": null, "hit_id": null})),
    ] {
        assert_eq!(result(request).await, "counted");
    }
    for client in ["web", "h5", "app", "mini", "other"] {
        let request = view(&app, id).json(&json!({"client": client}));
        assert_eq!(result(request).await, "counted");
    }
    assert_eq!(number(&count(&app, id).await, "total"), 13);
}

async fn an_answered_hit_outlives_the_node(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    views(&app, id, 4).await;
    app.stop().await;
    let later = stage.app().await;
    assert_eq!(windows(&later, id).await, [4, 4, 4]);
}

async fn reading_never_counts(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for path in [
        format!("/v1/articles/{id}"),
        format!("/v1/articles/{id}?include=hits"),
        format!("/v1/articles/{id}/hits"),
        format!("/v1/articles/{id}/neighbors"),
        "/v1/articles?include=body,hits".to_owned(),
        format!("/v1/hits?article_ids={id}"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            app.request(method, &path).send().await.ok(200);
        }
    }
    assert_eq!(number(&ledger(&app, id).await, "received"), 0);
}

async fn an_article_that_is_not_public_takes_no_hits(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let shown = admin.section("码头", json!({})).await;
    let hidden = admin.section("内部", json!({"visible": false})).await;
    let below = admin
        .section("内部航线", json!({"parent_id": hidden}))
        .await;
    let ahead = json!({"publish": {"published_at": "2026-02-01T00:00:00Z"}});
    let brief = json!({"publish": {"expires_at": "2026-01-31T04:01:00Z"}});
    let scheduled = admin.article("明日起航", shown, ahead).await;
    let expired = admin.article("限时渡轮", shown, brief).await;
    let archived = admin.article("旧航班", shown, json!({})).await;
    let trashed = admin.article("误发", shown, json!({})).await;
    admin
        .act(&format!("/v1/admin/articles/{archived}/unpublish"))
        .await
        .ok(200);
    admin
        .delete(&format!("/v1/admin/articles/{trashed}"))
        .await
        .ok(204);
    let ids = [
        admin.draft("草稿", shown, json!({})).await,
        scheduled,
        expired,
        archived,
        trashed,
        admin.article("暗港", hidden, json!({})).await,
        admin.article("更深的暗港", below, json!({})).await,
        987_654_321,
    ];
    app.advance(60);
    let before = hit_rows(&app);
    for id in ids {
        view(&app, id).send().await.problem(404, "not_found");
        app.get(&format!("/v1/articles/{id}/hits"))
            .await
            .problem(404, "not_found");
    }
    app.post("/v1/articles/nowhere-to-be-found/hits", json!({}))
        .await
        .problem(404, "not_found");
    let items: Vec<Value> = ids
        .iter()
        .map(|id| json!({"article_id": id, "hit_id": "x", "at": "2020-01-01T00:00:00Z"}))
        .collect();
    assert_eq!(results(&batch(&app, json!(items)).await), ["not_found"; 8]);
    assert_eq!(hit_rows(&app), before);
}

async fn an_old_slug_takes_hits(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}");
    app.admin()
        .patch(&path, json!({"slug": "morning-ferry"}))
        .await
        .ok(200);
    app.admin()
        .patch(&path, json!({"slug": "dawn-ferry"}))
        .await
        .ok(200);
    for slug in ["morning-ferry", "dawn-ferry"] {
        let hit = app
            .post(&format!("/v1/articles/{slug}/hits"), json!({}))
            .await
            .ok(200);
        assert_eq!(hit["article_id"], id);
    }
    let moved = app.get("/v1/articles/morning-ferry/hits").await.ok(308);
    assert_eq!(
        moved.header("location"),
        Some("/v1/articles/dawn-ferry/hits")
    );
    assert_eq!(number(&count(&app, id).await, "total"), 2);
}

async fn a_hit_leaves_the_article_as_it_is(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let (managed, public) = (
        format!("/v1/admin/articles/{id}"),
        format!("/v1/articles/{id}"),
    );
    let before = (app.admin().get(&managed).await, app.get(&public).await);
    app.advance(90);
    views(&app, id, 2).await;
    let after = (app.admin().get(&managed).await, app.get(&public).await);
    for header in ["etag", "last-modified"] {
        assert_eq!(before.1.header(header), after.1.header(header));
        assert!(after.1.header(header).is_some());
    }
    assert_eq!(before.0.header("etag"), after.0.header("etag"));
    assert_eq!(before.0.json, after.0.json);
    assert_eq!(before.1.json, after.1.json);
}

async fn time_alone_opens_and_closes_an_article_to_hits(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("港口", json!({})).await;
    let spell = json!({"publish": {
        "published_at": "2026-01-31T05:00:00Z", "expires_at": "2026-01-31T06:00:00Z",
    }});
    let id = app.admin().article("限时渡轮", section, spell).await;
    for (clock, status) in [
        ("2026-01-31T04:59:59.999Z", 404),
        ("2026-01-31T05:00:00Z", 200),
        ("2026-01-31T05:59:59.999Z", 200),
        ("2026-01-31T06:00:00Z", 404),
    ] {
        app.set_clock(clock);
        view(&app, id).send().await.ok(status);
        app.get(&format!("/v1/articles/{id}/hits")).await.ok(status);
        let listed = app.get(&format!("/v1/hits?article_ids={id}")).await.ok(200);
        assert_eq!(listed.each("article_id").len(), usize::from(status == 200));
    }
    assert_eq!(number(&ledger(&app, id).await, "counted"), 2);
}

crate::facts![
    a_counted_hit_is_in_the_next_read,
    an_article_that_nobody_viewed_has_zeros,
    a_hit_is_sent_with_or_without_a_body,
    an_answered_hit_outlives_the_node,
    reading_never_counts,
    an_article_that_is_not_public_takes_no_hits,
    an_old_slug_takes_hits,
    a_hit_leaves_the_article_as_it_is,
    time_alone_opens_and_closes_an_article_to_hits,
];
