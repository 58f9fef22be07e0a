//! What the log says of content: before and after, dates, counts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{NOON, TestApp};
use crate::support::stage::Stage;

use super::{act, changes, events};

const ARTICLES: &str = "/v1/admin/articles";
const EARLIER: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-03-01T00:00:00Z";

fn path(id: i64) -> String {
    format!("{ARTICLES}/{id}")
}

async fn patch(app: &TestApp, id: i64, body: Value) -> Vec<Value> {
    act(app, Method::PATCH, &path(id), body, 200).await
}

async fn publish(app: &TestApp, id: i64, body: Value) -> Vec<Value> {
    let path = format!("{}/publish", path(id));
    act(app, Method::POST, &path, body, 200).await
}

/// One entry: a change of the date from one to another, and nothing else.
#[track_caller]
fn assert_date_alone(entries: &[Value], id: i64, before: &str, after: &str) {
    let event = format!("article.published_at_changed article {id}");
    assert_eq!(events(entries), [event]);
    let expected = json!({"published_at": [before, after]});
    assert_eq!(changes(&entries[0]), expected);
}

/// Two entries: the event without the date, and the change of the date.
#[track_caller]
fn assert_with_date(entries: &[Value], id: i64, event: &str, before: &str, after: &str) {
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert_eq!(events(&entries[..1]), [format!("{event} article {id}")]);
    assert!(changes(&entries[0]).get("published_at").is_none());
    assert_date_alone(&entries[1..], id, before, after);
}

/// Two entries: an article with these members was made, and published at that instant.
#[track_caller]
fn assert_made_and_published(entries: &[Value], date: &str) {
    let id = entries[0]["resource"]["id"].as_i64().expect("an id");
    let expected = [
        format!("article.created article {id}"),
        format!("article.published article {id}"),
    ];
    assert_eq!(events(entries), expected);
    let made = changes(&entries[0]);
    assert_eq!(made["title"], json!([null, "晨渡"]));
    for member in ["status", "published_at", "expires_at"] {
        assert!(made.get(member).is_none(), "{member}: {made}");
    }
    let published = json!({"status": [null, "published"], "published_at": [null, date]});
    assert_eq!(changes(&entries[1]), published);
}

async fn a_change_tells_what_was_and_what_is(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app
        .admin()
        .draft("晨渡", section, json!({"tags": ["潮汐"]}))
        .await;
    let told = patch(
        &app,
        id,
        json!({"title": "夜渡", "tags": [], "author": "林舟"}),
    )
    .await;
    assert_eq!(events(&told), [format!("article.updated article {id}")]);
    let expected = json!({
        "title": ["晨渡", "夜渡"], "tags": [["潮汐"], []], "author": [null, "林舟"],
    });
    assert_eq!(changes(&told[0]), expected);
    let path = format!("/v1/admin/sections/{section}");
    let told = act(&app, Method::PATCH, &path, json!({"name": "海港"}), 200).await;
    assert_eq!(changes(&told[0])["name"], json!(["港口", "海港"]));
    let gone = act(&app, Method::DELETE, &self::path(id), Value::Null, 204).await;
    assert_eq!(changes(&gone[0]), json!({"status": ["draft", "trashed"]}));
}

async fn a_long_body_is_cut(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let body = |end: &str| {
        let content = "字".repeat(5000) + end;
        json!({"body": {"format": "text", "content": content}})
    };
    let id = app.admin().draft("晨渡", section, body("a")).await;
    let told = patch(&app, id, body("b")).await;
    assert_eq!(events(&told), [format!("article.updated article {id}")]);
    let [before, after] = [0, 1].map(|n| changes(&told[0])["body"][n]["content"].clone());
    assert_ne!(before, after);
    for text in [before, after] {
        let text = text.as_str().expect("a text");
        assert!(text.chars().count() < 400, "{text}");
        assert!(
            text.starts_with("字字") && text.contains("5001 characters"),
            "{text}"
        );
    }
}

async fn a_first_date_is_no_event_of_its_own(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let made = json!({
        "title": "晨渡", "section_id": section, "published_at": EARLIER, "publish": {},
        "body": {"format": "text", "content": "码头的灯亮了。"},
    });
    let told = act(&app, Method::POST, ARTICLES, made.clone(), 201).await;
    assert_made_and_published(&told, EARLIER);
    for (body, date) in [
        (json!({}), NOON),
        (json!({"published_at": EARLIER}), EARLIER),
    ] {
        let id = app.admin().draft("晨渡", section, json!({})).await;
        let told = publish(&app, id, body).await;
        assert_eq!(events(&told), [format!("article.published article {id}")]);
        assert_eq!(changes(&told[0])["published_at"], json!([null, date]));
    }
    let external = "/v1/admin/external-articles/x-1";
    let told = act(&app, Method::PUT, external, made, 201).await;
    assert_made_and_published(&told, EARLIER);
    // A draft that never had a date is given one, and then another.
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let told = patch(&app, id, json!({"published_at": EARLIER})).await;
    assert_eq!(events(&told), [format!("article.updated article {id}")]);
    let told = patch(&app, id, json!({"published_at": LATER})).await;
    assert_date_alone(&told, id, EARLIER, LATER);
}

async fn a_later_date_is_an_event_of_its_own(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    let told = patch(&app, id, json!({"published_at": EARLIER})).await;
    assert_date_alone(&told, id, NOON, EARLIER);
    let told = patch(&app, id, json!({"published_at": EARLIER})).await;
    assert_eq!(events(&told), [format!("article.updated article {id}")]);
    let told = patch(&app, id, json!({"published_at": NOON, "title": "夜渡"})).await;
    assert_with_date(&told, id, "article.updated", EARLIER, NOON);
    assert_eq!(changes(&told[0]), json!({"title": ["晨渡", "夜渡"]}));
    let told = publish(&app, id, json!({"published_at": EARLIER})).await;
    assert_with_date(&told, id, "article.published", NOON, EARLIER);
    let told = publish(&app, id, json!({})).await;
    assert_eq!(events(&told), [format!("article.published article {id}")]);
    app.admin()
        .act(&format!("{}/unpublish", path(id)))
        .await
        .ok(200);
    let told = publish(&app, id, json!({"published_at": NOON})).await;
    assert_with_date(&told, id, "article.published", EARLIER, NOON);
}

async fn an_external_put_tells_a_later_date(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let put = async |more: Value, status: u16| {
        let body = json!({
            "title": "推送", "section_id": section,
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        let body = crate::support::app::merged(body, more);
        let path = "/v1/admin/external-articles/x-1";
        act(&app, Method::PUT, path, body, status).await
    };
    let told = put(json!({"publish": {}}), 201).await;
    let id = told[0]["resource"]["id"].as_i64().expect("an id");
    app.advance(60);
    for same in [
        json!({}),
        json!({"publish": {}}),
        json!({"published_at": NOON}),
    ] {
        let told = put(same.clone(), 200).await;
        assert_eq!(told.len(), 1, "{same}: {told:?}");
        assert!(changes(&told[0]).get("published_at").is_none(), "{told:?}");
    }
    let told = put(json!({"published_at": EARLIER}), 200).await;
    assert_date_alone(&told, id, NOON, EARLIER);
    let told = put(json!({"publish": {"published_at": NOON}}), 200).await;
    assert_with_date(&told, id, "article.published", EARLIER, NOON);
    let told = put(json!({"published_at": EARLIER, "title": "再推"}), 200).await;
    assert_with_date(&told, id, "article.updated", NOON, EARLIER);
}

async fn a_change_that_publishes_is_found_by_either_event(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let put = async |title: &str, more: Value, status: u16| {
        let body = json!({
            "title": title, "section_id": section,
            "body": {"format": "text", "content": "码头的灯亮了。"},
        });
        let body = crate::support::app::merged(body, more);
        let path = "/v1/admin/external-articles/x-1";
        act(&app, Method::PUT, path, body, status).await
    };
    let told = put("推送", json!({}), 201).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let id = told[0]["resource"]["id"].as_i64().expect("an id");
    let [updated, published] =
        ["updated", "published"].map(|event| format!("article.{event} article {id}"));
    let both = [updated.as_str(), published.as_str()];
    let told = put("再推", json!({"publish": {"expires_at": LATER}}), 200).await;
    assert_eq!(events(&told), both);
    assert_eq!(changes(&told[0]), json!({"title": ["推送", "再推"]}));
    let expected = json!({
        "status": ["draft", "published"], "published_at": [null, NOON],
        "expires_at": [null, LATER],
    });
    assert_eq!(changes(&told[1]), expected);
    // Published again with an end that is gone: nothing else changed.
    let told = put("再推", json!({"publish": {}}), 200).await;
    assert_eq!(events(&told), [published.as_str()]);
    assert_eq!(changes(&told[0]), json!({"expires_at": [LATER, null]}));
    let dated = json!({"publish": {"published_at": EARLIER}});
    let told = put("三推", dated, 200).await;
    assert_eq!(events(&told[..2]), both);
    assert_eq!(changes(&told[0]), json!({"title": ["再推", "三推"]}));
    assert_eq!(changes(&told[1]), json!({}));
    assert_date_alone(&told[2..], id, NOON, EARLIER);
}

async fn a_corrected_count_tells_what_it_was_and_why(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let id = app.admin().article("晨渡", section, json!({})).await;
    app.post(&format!("/v1/articles/{id}/hits"), json!({}))
        .await
        .ok(200);
    let hits = format!("{}/hits", path(id));
    let body = json!({"baseline": 500, "reason": "旧系统"});
    let told = act(&app, Method::PUT, &hits, body, 200).await;
    assert_eq!(events(&told), [format!("hits.baseline_set article {id}")]);
    let expected = json!({
        "baseline": [0, 500], "total": [1, 501], "reason": [null, "旧系统"],
    });
    assert_eq!(changes(&told[0]), expected);
    let reset = format!("{hits}/reset");
    let told = act(&app, Method::POST, &reset, json!({"reason": "误计"}), 200).await;
    assert_eq!(events(&told), [format!("hits.reset article {id}")]);
    let expected = json!({
        "baseline": [500, 0], "adjusted": [0, -1], "total": [501, 0], "reason": [null, "误计"],
    });
    assert_eq!(changes(&told[0]), expected);
    let told = act(&app, Method::DELETE, &hits, Value::Null, 204).await;
    assert_eq!(events(&told), [format!("hits.reset article {id}")]);
    assert_eq!(changes(&told[0]), json!({}));
}

crate::facts![
    a_change_tells_what_was_and_what_is,
    a_long_body_is_cut,
    a_first_date_is_no_event_of_its_own,
    a_later_date_is_an_event_of_its_own,
    an_external_put_tells_a_later_date,
    a_change_that_publishes_is_found_by_either_event,
    a_corrected_count_tells_what_it_was_and_why,
];
