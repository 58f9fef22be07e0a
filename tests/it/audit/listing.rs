//! The log, listed and filtered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{ADMIN, NOON, TestApp};
use crate::support::databases;
use crate::support::people::{AUDIT, SECRET};
use crate::support::stage::Stage;

use super::events;

const MADE: &str = "event=section.created";

async fn sections(app: &TestApp, number: usize) {
    for _ in 0..number {
        app.admin().section("港口", json!({})).await;
    }
}

async fn found(app: &TestApp, query: &str) -> Vec<String> {
    let path = format!("{AUDIT}?limit=100&{query}");
    events(&app.entries(&path).await)
}

async fn an_entry_has_its_members(stage: Stage) {
    let app = stage.app().await;
    let id = app
        .admin()
        .section("港口", json!({"slug": "harbour"}))
        .await;
    let told = app.entries(&format!("{AUDIT}?{MADE}")).await;
    let mut entry = told[0].clone();
    let members = entry.as_object_mut().expect("an object");
    let request_id = members.remove("request_id").expect("an id");
    assert!(request_id.as_str().is_some_and(|id| !id.is_empty()));
    assert!(members.remove("id").is_some_and(|id| id.is_i64()));
    let changes = members.remove("changes").expect("changes");
    let slug = json!({"member": "slug", "before": null, "after": "harbour"});
    assert!(
        changes.as_array().expect("a list").contains(&slug),
        "{changes}"
    );
    assert_eq!(
        entry,
        json!({
            "at": NOON, "event": "section.created", "address": "127.0.0.1",
            "actor": {"type": "account", "id": 1, "name": ADMIN},
            "resource": {"type": "section", "id": id},
        })
    );
}

async fn the_newest_entries_are_first(stage: Stage) {
    let app = stage.app().await;
    sections(&app, 5).await;
    let expected: Vec<String> = (1..=5)
        .rev()
        .map(|id| format!("section.created section {id}"))
        .collect();
    assert_eq!(found(&app, MADE).await, expected);
    let all = app
        .admin()
        .get(&format!("{AUDIT}?{MADE}&limit=2&page=2"))
        .await
        .ok(200);
    assert_eq!(
        events(all["data"].as_array().expect("a list")),
        expected[2..4]
    );
    assert_eq!(
        (&all["page"]["total"], &all["page"]["total_pages"]),
        (&json!(5), &json!(3))
    );
    let ids = app
        .admin()
        .get(&format!("{AUDIT}?{MADE}"))
        .await
        .ok(200)
        .ids();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    for limit in 1..7 {
        assert_eq!(
            app.walk(&format!("{AUDIT}?{MADE}&limit={limit}")).await,
            ids
        );
    }
}

async fn a_cursor_is_not_moved_by_new_entries(stage: Stage) {
    let app = stage.app().await;
    sections(&app, 5).await;
    let first = app
        .admin()
        .get(&format!("{AUDIT}?{MADE}&limit=2"))
        .await
        .ok(200);
    let cursor = first["page"]["next_cursor"]
        .as_str()
        .expect("a cursor")
        .to_owned();
    let next = format!("{MADE}&limit=2&cursor={cursor}");
    let page = async || {
        let found = app.admin().get(&format!("{AUDIT}?{next}")).await.ok(200);
        assert_eq!(found["page"]["total"], Value::Null);
        found.ids()
    };
    let before = page().await;
    sections(&app, 3).await;
    assert_eq!(page().await, before);
    let counted = format!("{AUDIT}?{next}&count=exact");
    assert_eq!(app.admin().get(&counted).await.ok(200)["page"]["total"], 8);
}

async fn entries_are_filtered(stage: Stage) {
    let app = stage.app().await;
    sections(&app, 2).await;
    let user = app
        .account("a@example.com", "editor", json!({"sections": [1]}))
        .await;
    let (key, secret) = app.api_key(&["content:write"], json!({})).await;
    let token = app.sign_in("a@example.com", SECRET).await.access;
    for (token, id) in [(&token, "by-account"), (&secret, "by-key")] {
        let request = app.with(token, Method::POST, "/v1/admin/articles");
        let body = json!({"title": "晨渡", "section_id": 1});
        let request = request.header("x-request-id", id).json(&body);
        request.send().await.ok(201);
    }
    let by_account = "article.created article 1".to_owned();
    let by_key = "article.created article 2".to_owned();
    for (query, expected) in [
        (
            "event=article.created".to_owned(),
            vec![by_key.clone(), by_account.clone()],
        ),
        (
            format!("actor=api_key&actor_id={key}"),
            vec![by_key.clone()],
        ),
        ("actor=api_key".to_owned(), vec![by_key.clone()]),
        ("actor=api_key&actor_id=987".to_owned(), vec![]),
        (
            format!("event=article.created&actor=account&actor_id={user}"),
            vec![by_account.clone()],
        ),
        (
            "resource=article".to_owned(),
            vec![by_key.clone(), by_account.clone()],
        ),
        (
            "resource=article&resource_id=1".to_owned(),
            vec![by_account.clone()],
        ),
        ("request_id=by-key".to_owned(), vec![by_key]),
        ("request_id=by-account&resource=section".to_owned(), vec![]),
        ("request_id=by".to_owned(), vec![]),
        (
            "resource=section&resource_id=2".to_owned(),
            vec!["section.created section 2".to_owned()],
        ),
        ("event=article.deleted".to_owned(), vec![]),
        (
            format!("resource=user&resource_id={user}"),
            vec![format!("user.created user {user}")],
        ),
    ] {
        assert_eq!(found(&app, &query).await, expected, "{query}");
        let page = app
            .admin()
            .get(&format!("{AUDIT}?{query}&limit=1"))
            .await
            .ok(200);
        assert_eq!(page["page"]["total"], expected.len(), "{query}");
        let walked = app.walk(&format!("{AUDIT}?{query}&limit=1")).await;
        assert_eq!(walked.len(), expected.len(), "{query}");
    }
}

/// The site's day begins at 16:00 UTC.
async fn days_are_the_sites(stage: Stage) {
    let app = stage.app().await;
    for at in [
        "2026-01-30T15:59:59Z",
        "2026-01-30T16:00:00Z",
        "2026-01-31T15:59:59Z",
        "2026-01-31T16:00:00Z",
    ] {
        app.set_clock(at);
        sections(&app, 1).await;
    }
    for (query, expected) in [
        ("from=2026-01-31", vec![4, 3, 2]),
        ("to=2026-01-30", vec![1]),
        ("to=2026-01-31", vec![3, 2, 1]),
        ("from=2026-01-31&to=2026-01-31", vec![3, 2]),
        ("from=2026-02-01", vec![4]),
        ("from=2026-02-02", vec![]),
        ("from=2026-01-30T16:00:00Z", vec![4, 3, 2]),
        ("from=2026-01-31T00:00:00%2B08:00", vec![4, 3, 2]),
        ("from=2026-01-30T16:00:01Z", vec![4, 3]),
        ("to=2026-01-31T15:59:59Z", vec![2, 1]),
    ] {
        let expected: Vec<String> = expected
            .iter()
            .map(|id| format!("section.created section {id}"))
            .collect();
        assert_eq!(
            found(&app, &format!("{MADE}&{query}")).await,
            expected,
            "{query}"
        );
    }
}

async fn wrong_filters_are_refused_all_at_once(stage: Stage) {
    let app = stage.app().await;
    let query = "event=x&actor=user&actor_id=0&resource=hits&resource_id=x&request_id=\
                 &address=1.2.3&from=yesterday&to=2026-02-30&limit=0&wat=1";
    let answer = app.admin().get(&format!("{AUDIT}?{query}")).await;
    let answer = answer.problem(400, "invalid_request");
    let mut places: Vec<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
    places.sort();
    let expected = [
        "actor",
        "actor_id",
        "address",
        "event",
        "from",
        "limit",
        "request_id",
        "resource",
        "resource_id",
        "to",
        "wat",
    ];
    assert_eq!(places, expected);
    for (query, place) in [
        ("actor_id=1", "actor_id"),
        ("resource_id=1", "resource_id"),
        ("event=article.created&event=article.updated", "event"),
    ] {
        let answer = app.admin().get(&format!("{AUDIT}?{query}")).await;
        let answer = answer.problem(400, "invalid_request");
        assert_eq!(answer.faults()[0].0, place, "{query}");
    }
}

async fn entries_can_not_be_changed(stage: Stage) {
    let app = stage.app().await;
    sections(&app, 1).await;
    let before = databases::rows(&mut app.connect());
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let request = app.admin().request(method.clone(), AUDIT).await;
        let answer = request
            .header("if-match", "*")
            .json(&json!({}))
            .send()
            .await;
        let answer = answer.problem(405, "method_not_allowed");
        let allow = answer.header("allow").unwrap_or_default();
        assert!(
            allow.contains("GET") && !allow.contains(method.as_str()),
            "{allow}"
        );
        let request = app.admin().request(method, &format!("{AUDIT}/1")).await;
        request.send().await.problem(404, "not_found");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

crate::facts![
    an_entry_has_its_members,
    the_newest_entries_are_first,
    a_cursor_is_not_moved_by_new_entries,
    entries_are_filtered,
    days_are_the_sites,
    wrong_filters_are_refused_all_at_once,
    entries_can_not_be_changed,
];
