//! What publishing needs.

use serde_json::{Value, json};

use crate::support::app::{NOON, merged};
use crate::support::databases;
use crate::support::stage::Stage;

use super::{ARTICLES, TOMORROW, fault, is_read, managed, patch, publish, section, status};

async fn publishing_needs_a_body_or_a_link(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let bare = json!({"body": null});
    let id = app.admin().draft("晨渡", section, bare.clone()).await;
    assert_eq!(fault(publish(&app, id, json!({})).await), "/body");
    assert_eq!(
        fault(publish(&app, id, json!({"published_at": TOMORROW})).await),
        "/body"
    );
    assert_eq!(status(&app, id).await, "draft");
    let link = json!({"external_url": "https://x.example.com/"});
    patch(&app, id, link.clone()).await.ok(200);
    publish(&app, id, json!({})).await.ok(200);
    let linked = app
        .admin()
        .article("外链", section, merged(bare, link))
        .await;
    assert!(is_read(&app, linked).await);
}

async fn an_end_comes_after_the_beginning(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    for (begin, end) in [
        (TOMORROW, "2026-01-31T23:59:59Z"),
        (TOMORROW, TOMORROW),
        (NOON, "2026-01-31T12:00:00+08:00"),
    ] {
        let dates = json!({"published_at": begin, "expires_at": end});
        assert_eq!(fault(publish(&app, id, dates.clone()).await), "/expires_at");
        let made = json!({
            "title": "晨渡", "section_id": section, "publish": dates,
            "external_url": "https://x.example.com/"
        });
        let answer = app.admin().post(ARTICLES, made.clone()).await;
        assert_eq!(fault(answer), "/publish/expires_at");
        let answer = app
            .admin()
            .put("/v1/admin/external-articles/cms-1", made)
            .await;
        assert_eq!(fault(answer), "/publish/expires_at");
    }
    let past = json!({"expires_at": "2026-01-31T03:59:59Z"});
    assert_eq!(fault(publish(&app, id, past.clone()).await), "/expires_at");
    assert_eq!(status(&app, id).await, "draft");
    publish(&app, id, json!({})).await.ok(200);
    assert_eq!(fault(patch(&app, id, past).await), "/expires_at");
    assert!(is_read(&app, id).await);
}

async fn a_bad_publish_leaves_nothing_behind(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let put = "/v1/admin/external-articles/cms-1";
    let good = json!({
        "title": "晨渡", "section_id": section, "tags": ["潮汐"], "slug": "ferry",
        "body": {"format": "text", "content": "船离岸了。"}, "publish": {}
    });
    app.admin().put(put, good.clone()).await.ok(201);
    let before = databases::rows(&mut app.connect());
    for more in [
        json!({"publish": {"published_at": "now"}}),
        json!({"publish": {"published_at": TOMORROW, "expires_at": NOON}}),
        json!({"body": null}),
        json!({"section_id": 987_654}),
        json!({"title": " "}),
        json!({"also_in": [987_654]}),
    ] {
        let bad = merged(
            good.clone(),
            merged(json!({"slug": "other", "tags": ["雨"]}), more),
        );
        app.admin().post(ARTICLES, bad.clone()).await.ok(422);
        app.admin().put(put, bad).await.ok(422);
    }
    let misshapen = merged(good.clone(), json!({"publish": {"at": NOON}}));
    app.admin()
        .post(ARTICLES, misshapen)
        .await
        .problem(400, "invalid_body");
    app.admin()
        .post(ARTICLES, good)
        .await
        .problem(409, "slug_taken");
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn making_may_publish(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let body = |publish: Value| {
        json!({
            "title": "晨渡", "section_id": section, "publish": publish,
            "body": {"format": "text", "content": "船离岸了。"}
        })
    };
    for (publish, state, date) in [
        (json!({}), "published", json!(NOON)),
        (
            json!({"published_at": TOMORROW}),
            "scheduled",
            json!(TOMORROW),
        ),
        (
            json!({"published_at": "2019-01-01T00:00:00Z"}),
            "published",
            json!("2019-01-01T00:00:00Z"),
        ),
        (Value::Null, "draft", Value::Null),
    ] {
        let made = app.admin().post(ARTICLES, body(publish)).await.ok(201);
        assert_eq!(
            (&made["status"], &made["published_at"]),
            (&json!(state), &date)
        );
        assert_eq!(made["version"], 1);
        let id = made["id"].as_i64().expect("an id");
        assert_eq!(is_read(&app, id).await, state == "published");
    }
}

async fn a_change_of_a_public_article_is_live_at_once(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app
        .admin()
        .article("晨渡", section, json!({"tags": ["潮汐"]}))
        .await;
    app.advance(60);
    patch(&app, id, json!({"title": "夜渡", "tags": ["雨"]}))
        .await
        .ok(200);
    let article = app.get(&format!("/v1/articles/{id}")).await.ok(200);
    assert_eq!(
        (&article["title"], &article["published_at"]),
        (&json!("夜渡"), &json!(NOON))
    );
    assert_eq!(article["updated_at"], "2026-01-31T04:01:00Z");
    assert!(app.walk("/v1/articles?tag=潮汐").await.is_empty());
    assert_eq!(app.walk("/v1/articles?tag=雨").await, [id]);
}

async fn a_change_keeps_publishs_conditions(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let public = app.admin().article("晨渡", section, json!({})).await;
    let ahead = json!({"publish": {"published_at": TOMORROW}});
    let scheduled = app.admin().article("明日", section, ahead).await;
    for id in [public, scheduled] {
        let before = managed(&app, id).await;
        for (body, at) in [
            (json!({"body": null}), "/body"),
            (json!({"body": {"format": "text", "content": " "}}), "/body"),
            (json!({"title": null}), "/title"),
            (json!({"section_id": null}), "/section_id"),
            (json!({"section_id": 987_654}), "/section_id"),
            (json!({"expires_at": "2020-01-01T00:00:00Z"}), "/expires_at"),
        ] {
            assert_eq!(fault(patch(&app, id, body).await), at);
        }
        assert_eq!(managed(&app, id).await.json, before.json);
        let link = json!({"body": null, "external_url": "https://x.example.com/"});
        patch(&app, id, link).await.ok(200);
        assert_eq!(
            fault(patch(&app, id, json!({"external_url": null})).await),
            "/body"
        );
    }
    let draft = app.admin().draft("草稿", section, json!({})).await;
    patch(&app, draft, json!({"body": null})).await.ok(200);
}

async fn a_change_of_the_date_may_schedule_or_publish(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    for (date, then) in [
        (TOMORROW, "scheduled"),
        ("2026-01-31T03:00:00Z", "published"),
        ("2026-01-31T04:00:01Z", "scheduled"),
        (NOON, "published"),
    ] {
        let after = patch(&app, id, json!({"published_at": date})).await.ok(200);
        assert_eq!(
            (&after["status"], &after["published_at"]),
            (&json!(then), &json!(date))
        );
        assert_eq!(is_read(&app, id).await, then == "published");
    }
    let draft = app.admin().draft("草稿", section, json!({})).await;
    let after = patch(&app, draft, json!({"published_at": "2020-01-01T00:00:00Z"}))
        .await
        .ok(200);
    assert_eq!(after["status"], "draft");
    let after = publish(&app, draft, json!({})).await.ok(200);
    assert_eq!(after["published_at"], "2020-01-01T00:00:00Z");
}

crate::facts![
    publishing_needs_a_body_or_a_link,
    an_end_comes_after_the_beginning,
    a_bad_publish_leaves_nothing_behind,
    making_may_publish,
    a_change_of_a_public_article_is_live_at_once,
    a_change_keeps_publishs_conditions,
    a_change_of_the_date_may_schedule_or_publish,
];
