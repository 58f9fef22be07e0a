//! Who makes links, for how long, and what that leaves.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::databases;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{a_draft, assert_gone, link, making, one, place, shown, token_of};

async fn a_link_is_shown_with_its_end(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let made = app.admin().act(&making(id)).await.ok(201);
    assert_eq!(made["expires_at"], "2026-02-01T04:00:00Z");
    assert_eq!(made["url"], place(&token_of(&made)));
    assert_eq!(made.json.as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    for name in ["location", "etag"] {
        assert_eq!(made.header(name), None);
    }
    // The address is a path here, whole.
    let url = made["url"].as_str().expect("an address");
    app.get(url).await.ok(200);
}

async fn the_address_and_the_time_are_settings(stage: Stage) {
    let url = "https://www.example.com/preview?of={token}#top";
    let settings = [("LANMU_PREVIEW_URL", url), ("LANMU_PREVIEW_HOURS", "720")];
    let app = stage.with(&settings).await;
    let id = a_draft(&app).await;
    let made = app.admin().act(&making(id)).await.ok(201);
    assert_eq!(made["expires_at"], "2026-03-02T04:00:00Z");
    let token = token_of(&made);
    assert_eq!(made["url"], url.replace("{token}", &token));
    shown(&app, &token).await;
}

async fn the_end_may_be_asked_for(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    for (asked, end) in [
        ("2026-01-31T12:00:01+08:00", "2026-01-31T04:00:01Z"),
        ("2026-01-31T04:00:01.999Z", "2026-01-31T04:00:01Z"),
        ("2026-03-02T04:00:00Z", "2026-03-02T04:00:00Z"),
        ("", "2026-02-01T04:00:00Z"),
    ] {
        let body = json!({"expires_at": asked});
        let made = app.admin().post(&making(id), body).await.ok(201);
        assert_eq!(made["expires_at"], end, "{asked}");
        shown(&app, &token_of(&made)).await;
    }
    for body in [json!({}), json!({"expires_at": null})] {
        let made = app.admin().post(&making(id), body).await.ok(201);
        assert_eq!(made["expires_at"], "2026-02-01T04:00:00Z");
    }
}

async fn an_end_that_is_past_or_far_is_refused(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let good = link(&app, id).await;
    for (asked, code) in [
        ("2026-01-31T04:00:00Z", "out_of_range"),
        ("2026-01-31T04:00:00.999Z", "out_of_range"),
        ("2026-01-30T04:00:00Z", "out_of_range"),
        ("0001-01-02T00:00:00Z", "out_of_range"),
        ("2026-03-02T04:00:01Z", "out_of_range"),
        ("9999-12-30T00:00:00Z", "out_of_range"),
        ("2026-02-01", "invalid"),
        ("tomorrow", "invalid"),
    ] {
        let body = json!({"expires_at": asked});
        let refused = app.admin().post(&making(id), body).await;
        let refused = refused.problem(422, "validation_failed");
        let told = vec![("/expires_at".to_owned(), code.to_owned())];
        assert_eq!(refused.faults(), told, "{asked}");
    }
    // What was refused has ended nothing.
    shown(&app, &good).await;
}

async fn whoever_writes_the_draft_makes_the_link(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let other = app.admin().section("山野", json!({})).await;
    let token = async |email: &'static str, role: &'static str, sections: Value| {
        app.account(email, role, json!({"sections": sections}))
            .await;
        app.sign_in(email, SECRET).await.access
    };
    let author = token("a@example.com", "author", json!([section])).await;
    let colleague = token("c@example.com", "author", json!([section])).await;
    let editor = token("e@example.com", "editor", json!([section])).await;
    let stranger = token("s@example.com", "editor", json!([other])).await;
    let viewer = token("v@example.com", "viewer", Value::Null).await;
    let (_, reads) = app.api_key(&["content:read"], json!({})).await;
    let (_, writes) = app.api_key(&["content:write"], json!({})).await;
    let draft = json!({"title": "晨渡", "section_id": section});
    let made = app.with(&author, Method::POST, super::ARTICLES);
    let made = made.json(&draft).send().await.ok(201);
    let id = made["id"].as_i64().expect("an id");
    let make = async |token: &str| app.with(token, Method::POST, &making(id)).send().await;
    for who in [&author, &editor, &writes] {
        let link = token_of(&make(who).await.ok(201));
        assert_eq!(shown(&app, &link).await["id"], id);
    }
    for who in [&colleague, &stranger] {
        make(who).await.problem(404, "not_found");
    }
    for who in [&viewer, &reads] {
        make(who).await.problem(403, "forbidden");
    }
    // Also what is in review, which its author can't change.
    let submit = app.with(&author, Method::POST, &format!("{}/submit", one(id)));
    submit.send().await.ok(200);
    make(&author).await.ok(201);
    let good = link(&app, id).await;
    let stale = app.with(&editor, Method::POST, &making(id));
    let stale = stale.header("if-match", "\"1\"").send().await;
    stale.problem(412, "version_mismatch");
    let anonymous = app.request(Method::POST, &making(id)).send().await;
    anonymous.problem(401, "unauthorized");
    shown(&app, &good).await;
}

async fn there_is_none_of_what_is_in_the_trash(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    app.admin().delete(&one(id)).await.ok(204);
    let before = databases::rows(&mut app.connect());
    let refused = app.admin().act(&making(id)).await;
    refused.problem(409, "invalid_transition");
    let missing = app.admin().act(&making(987_654_321)).await;
    missing.problem(404, "not_found");
    assert!(databases::rows(&mut app.connect()) == before);
}

async fn the_audit_log_tells_of_it_without_the_token(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let made = app.admin().act(&making(id)).await.ok(201);
    let request = made.header("x-request-id").expect("an id");
    let told = app.told(request).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["event"], "article.preview_made");
    assert_eq!(told[0]["resource"], json!({"type": "article", "id": id}));
    assert_eq!(told[0]["changes"], json!([]));
    // Who reads it leaves no trace.
    let before = databases::rows(&mut app.connect());
    shown(&app, &token_of(&made)).await;
    assert!(databases::rows(&mut app.connect()) == before);
}

async fn a_link_changes_nothing_that_readers_or_editors_see(stage: Stage) {
    let app = stage.app().await;
    let id = a_draft(&app).await;
    let more = json!({"tags": ["渡船"]});
    let public = app.admin().article("夜渡", 1, more).await;
    let seen = async || {
        let mut seen = Vec::new();
        for path in [
            "/v1/site",
            "/v1/sections?include=articles&articles_limit=5",
            "/v1/sections/tree",
            "/v1/sections/port",
            "/v1/sections/port/hits",
            "/v1/articles?include=hits",
            "/v1/articles?section=port",
            "/v1/archive",
            "/v1/tags",
            "/v1/hits/top?window=all",
            "/v1/hits/daily?from=2026-01-31&to=2026-01-31",
            &format!("/v1/articles/{public}/neighbors"),
            &format!("/v1/articles/{public}/related"),
            &format!("/v1/hits?article_ids={id},{public}"),
        ] {
            let answer = app.get(path).await.ok(200);
            seen.push((answer.header("etag").map(ToOwned::to_owned), answer.json));
        }
        app.get(&format!("/v1/articles/{id}")).await.ok(404);
        for path in [
            one(id),
            one(public),
            "/v1/admin/articles".to_owned(),
            "/v1/admin/hits".to_owned(),
        ] {
            seen.push((None, app.admin().get(&path).await.ok(200).json));
        }
        seen
    };
    let before = seen().await;
    for article in [id, public] {
        let token = link(&app, article).await;
        for _ in 0..3 {
            shown(&app, &token).await;
        }
    }
    assert_eq!(seen().await, before);
    assert_gone(&app, &id.to_string()).await;
}

crate::facts![
    a_link_is_shown_with_its_end,
    the_address_and_the_time_are_settings,
    the_end_may_be_asked_for,
    an_end_that_is_past_or_far_is_refused,
    whoever_writes_the_draft_makes_the_link,
    there_is_none_of_what_is_in_the_trash,
    the_audit_log_tells_of_it_without_the_token,
    a_link_changes_nothing_that_readers_or_editors_see,
];
