//! What time alone does.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use crate::support::app::{NOON, TestApp};
use crate::support::databases;
use crate::support::stage::Stage;

use super::{
    ARTICLES, STATES, TOMORROW, act, in_state, is_read, managed, pair, patch, path, publish,
    section, status,
};

/// Where readers may meet the first article of a [`pair`]: each place, and whether it is there.
async fn sightings(app: &TestApp, id: i64, other: i64) -> BTreeMap<String, bool> {
    let mut seen = BTreeMap::new();
    for path in [
        format!("/v1/articles/{id}"),
        "/v1/articles/ferry".to_owned(),
        format!("/v1/articles/{id}?include=hits"),
        format!("/v1/articles/{id}/neighbors"),
        format!("/v1/articles/{id}/related"),
        format!("/v1/articles/{id}/qr.svg"),
        format!("/v1/articles/{id}/hits"),
        format!("/v1/hits/daily?from=2026-01-31&to=2026-01-31&article={id}"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = app.request(method.clone(), &path).send().await;
            assert!(matches!(answer.status, 200 | 404), "{path}: {answer}");
            seen.insert(format!("{method} {path}"), answer.status == 200);
        }
    }
    for query in [
        String::new(),
        "?section=harbour".to_owned(),
        "?section=harbour&subsections=false".to_owned(),
        "?tag=渡船".to_owned(),
        "?sort=title&include=body,hits".to_owned(),
        "?sort=-updated_at&count=none".to_owned(),
        "?published_from=2026-01-01".to_owned(),
        format!("?ids={id}"),
    ] {
        let path = format!("/v1/articles{query}");
        let answer = app.get(&path).await.ok(200);
        if let Some(total) = answer["page"]["total"].as_u64() {
            assert_eq!(total, answer.ids().len() as u64, "{path}");
        }
        seen.insert(path, answer.ids().contains(&id));
    }
    let neighbors = app
        .get(&format!("/v1/articles/{other}/neighbors"))
        .await
        .ok(200);
    seen.insert("neighbour".to_owned(), neighbors["next"]["id"] == id);
    let related = app
        .get(&format!("/v1/articles/{other}/related"))
        .await
        .ok(200);
    seen.insert("relative".to_owned(), related.ids().contains(&id));
    let archive = app.get("/v1/archive").await.ok(200);
    seen.insert("archive".to_owned(), archive["data"][0]["year"] == 2026);
    let tags = app.get("/v1/tags").await.ok(200);
    seen.insert("tags".to_owned(), tags.text().contains("渡船"));
    let hits = app
        .get(&format!("/v1/hits?article_ids={other},{id}"))
        .await
        .ok(200);
    seen.insert("hits".to_owned(), hits.each("article_id").contains(&id));
    let top = app.get("/v1/hits/top?window=all").await.ok(200);
    seen.insert("top".to_owned(), top.text().contains("ferry"));
    let site = app.get("/v1/site").await.ok(200);
    seen.insert("site".to_owned(), site["article_count"] == 2);
    seen.insert("site's hits".to_owned(), site["hit_count"] == 7);
    let sums = app.get("/v1/sections/harbour/hits").await.ok(200);
    seen.insert("section's hits".to_owned(), sums["total"] == 7);
    let one = app.get("/v1/sections/harbour").await.ok(200).json;
    let listed = app.get("/v1/sections?include=articles").await.ok(200);
    let tree = app.get("/v1/sections/tree").await.ok(200);
    for (name, section) in [
        ("section", &one),
        ("section in list", &listed["data"][0]),
        ("section in tree", &tree["data"][0]),
    ] {
        seen.insert(name.to_owned(), section["article_count"] == 2);
        let newest = section["last_published_at"].as_str().expect("a date");
        seen.insert(format!("{name}, newest"), newest.starts_with("2026"));
    }
    let newest = listed["data"][0]["articles"].to_string();
    seen.insert("section's articles".to_owned(), newest.contains("ferry"));
    seen
}

#[track_caller]
fn all_agree(seen: &BTreeMap<String, bool>, expected: bool) {
    let others: Vec<&String> = seen
        .iter()
        .filter(|(_, is_there)| **is_there != expected)
        .map(|(place, _)| place)
        .collect();
    assert!(others.is_empty(), "not {expected}: {others:?}");
}

async fn a_schedule_opens_everywhere_at_its_instant(stage: Stage) {
    let app = stage.app().await;
    let at = "2026-01-31T04:10:00Z";
    let (id, other) = pair(&app, json!({"published_at": at})).await;
    all_agree(&sightings(&app, id, other).await, false);
    assert_eq!(status(&app, id).await, "scheduled");
    app.set_clock("2026-01-31T04:09:59.999Z");
    all_agree(&sightings(&app, id, other).await, false);
    let before = databases::rows(&mut app.connect());
    app.set_clock(at);
    all_agree(&sightings(&app, id, other).await, true);
    assert_eq!(databases::rows(&mut app.connect()), before);
    let article = managed(&app, id).await;
    assert_eq!(
        (&article["status"], &article["version"]),
        (&json!("published"), &json!(1))
    );
}

async fn an_end_closes_everywhere_at_its_instant(stage: Stage) {
    let app = stage.app().await;
    let end = "2026-01-31T04:10:00Z";
    let (id, other) = pair(&app, json!({"expires_at": end})).await;
    all_agree(&sightings(&app, id, other).await, true);
    app.set_clock("2026-01-31T04:09:59.999Z");
    all_agree(&sightings(&app, id, other).await, true);
    let before = databases::rows(&mut app.connect());
    app.set_clock(end);
    all_agree(&sightings(&app, id, other).await, false);
    assert_eq!(databases::rows(&mut app.connect()), before);
    let article = managed(&app, id).await;
    assert_eq!(
        (&article["status"], &article["version"]),
        (&json!("archived"), &json!(1))
    );
}

async fn what_is_not_public_is_found_nowhere(stage: Stage) {
    let app = stage.app().await;
    let (id, other) = pair(&app, json!({})).await;
    all_agree(&sightings(&app, id, other).await, true);
    for action in ["unpublish", "publish", "trash", "restore", "publish"] {
        match action {
            "trash" => app.admin().delete(&path(id)).await.ok(204),
            action => act(&app, id, action).await.ok(200),
        };
        all_agree(&sightings(&app, id, other).await, action == "publish");
    }
    let section = app.get("/v1/sections/harbour").await["id"]
        .as_i64()
        .expect("an id");
    for visible in [false, true] {
        let path = format!("/v1/admin/sections/{section}");
        app.admin()
            .patch(&path, json!({"visible": visible}))
            .await
            .ok(200);
        assert_eq!(is_read(&app, id).await, visible);
    }
    all_agree(&sightings(&app, id, other).await, true);
}

async fn what_is_not_public_takes_no_hits(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    for state in STATES.into_iter().filter(|state| *state != "published") {
        let id = in_state(&app, section, state).await;
        if state == "expired" {
            app.advance(60);
        }
        app.post(&format!("/v1/articles/{id}/hits"), json!({}))
            .await
            .problem(404, "not_found");
        let batch = json!({"hits": [{"article_id": id, "hit_id": "a"}]});
        let answer = app.post("/v1/hits", batch).await.ok(200);
        assert_eq!(answer["data"][0]["result"], "not_found", "{state}");
    }
}

async fn an_old_slug_leads_nowhere_but_to_what_is_public(stage: Stage) {
    let app = stage.app().await;
    let dates =
        json!({"published_at": "2026-01-31T04:10:00Z", "expires_at": "2026-01-31T04:20:00Z"});
    let (id, _) = pair(&app, dates).await;
    patch(&app, id, json!({"slug": "dawn"})).await.ok(200);
    for (now, is_there) in [
        ("2026-01-31T04:09:59Z", false),
        ("2026-01-31T04:10:00Z", true),
        ("2026-01-31T04:20:00Z", false),
    ] {
        app.set_clock(now);
        for rest in ["", "/neighbors", "/related", "/qr.svg", "/hits"] {
            let path = format!("/v1/articles/ferry{rest}");
            if is_there {
                assert_eq!(
                    app.leads_to(&path).await,
                    format!("/v1/articles/dawn{rest}")
                );
            } else {
                app.get(&path).await.problem(404, "not_found");
            }
        }
    }
}

async fn what_was_scheduled_and_taken_back_stays_away(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let back = in_state(&app, section, "scheduled").await;
    let trashed = in_state(&app, section, "scheduled").await;
    let restored = in_state(&app, section, "scheduled").await;
    act(&app, back, "unpublish").await.ok(200);
    for id in [trashed, restored] {
        app.admin().delete(&path(id)).await.ok(204);
    }
    act(&app, restored, "restore").await.ok(200);
    app.set_clock("2026-02-02T00:00:00Z");
    for (id, state) in [(back, "draft"), (trashed, "trashed"), (restored, "draft")] {
        assert_eq!(status(&app, id).await, state);
        assert!(!is_read(&app, id).await);
    }
    assert!(app.walk("/v1/articles").await.is_empty());
}

async fn what_has_expired_comes_back_by_publishing_only(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = in_state(&app, section, "expired").await;
    app.advance(60);
    for body in [
        json!({"title": "夜渡"}),
        json!({"expires_at": TOMORROW}),
        json!({"expires_at": null}),
        json!({"published_at": TOMORROW}),
        json!({"published_at": NOON}),
    ] {
        let after = patch(&app, id, body).await.ok(200);
        assert_eq!(after["status"], "archived");
        assert!(!is_read(&app, id).await);
    }
    let again = publish(&app, id, json!({})).await.ok(200);
    assert_eq!(
        (&again["status"], &again["published_at"]),
        (&json!("published"), &json!(NOON))
    );
    assert!(is_read(&app, id).await);
}

async fn what_time_has_published_is_taken_back_to_the_archive(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = in_state(&app, section, "scheduled").await;
    app.set_clock(TOMORROW);
    let after = act(&app, id, "unpublish").await.ok(200);
    let (state, date) = (&after["status"], &after["published_at"]);
    assert_eq!((state, date), (&json!("archived"), &json!(TOMORROW)));
}

async fn a_schedule_may_end_too(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let dates =
        json!({"published_at": "2026-01-31T04:10:00Z", "expires_at": "2026-01-31T04:20:00Z"});
    let id = app
        .admin()
        .article("晨渡", section, json!({"publish": dates}))
        .await;
    for (now, state) in [
        ("2026-01-31T04:09:59Z", "scheduled"),
        ("2026-01-31T04:10:00Z", "published"),
        ("2026-01-31T04:19:59Z", "published"),
        ("2026-01-31T04:20:00Z", "archived"),
        ("2027-01-31T04:20:00Z", "archived"),
    ] {
        app.set_clock(now);
        assert_eq!(status(&app, id).await, state, "{now}");
        assert_eq!(is_read(&app, id).await, state == "published");
        let list = app
            .admin()
            .get(&format!("{ARTICLES}?status={state}"))
            .await
            .ok(200);
        assert_eq!(list.ids(), [id]);
        assert_eq!(list["data"][0]["status"], state);
    }
}

async fn no_answer_of_before_passes_for_the_present(stage: Stage) {
    let app = stage.app().await;
    let (id, _) = pair(&app, json!({"published_at": "2026-01-31T04:10:00Z"})).await;
    let ask = async |path: &str, tag: Option<&str>| {
        let request = app.admin().request(Method::GET, path).await;
        match tag {
            Some(tag) => request.header("if-none-match", tag).send().await,
            None => request.send().await,
        }
    };
    for path in [
        path(id),
        "/v1/articles".to_owned(),
        "/v1/sections/harbour".to_owned(),
    ] {
        app.set_clock(NOON);
        let before = ask(&path, None).await.ok(200);
        let tag = before.header("etag").expect("a tag").to_owned();
        app.set_clock("2026-01-31T04:10:00Z");
        let after = ask(&path, Some(&tag)).await.ok(200);
        assert_ne!(after.json, before.json, "{path}");
    }
}

crate::facts![
    a_schedule_opens_everywhere_at_its_instant,
    an_end_closes_everywhere_at_its_instant,
    what_is_not_public_is_found_nowhere,
    what_is_not_public_takes_no_hits,
    an_old_slug_leads_nowhere_but_to_what_is_public,
    what_was_scheduled_and_taken_back_stays_away,
    what_has_expired_comes_back_by_publishing_only,
    what_time_has_published_is_taken_back_to_the_archive,
    a_schedule_may_end_too,
    no_answer_of_before_passes_for_the_present,
];
