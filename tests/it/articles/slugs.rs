//! Slugs of articles: made, given, old.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::stage::Stage;

use super::{PATIENT, create, managed, patch, section};

async fn a_title_makes_the_slug(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    for (title, slug) in [
        ("清晨渡口", "qing-chen-du-kou"),
        ("清晨渡口", "qing-chen-du-kou-2"),
        ("清晨渡口！", "qing-chen-du-kou-3"),
        ("北岸 Harbour Café (7)", "bei-an-harbour-cafe-7"),
        ("绿船", "lv-chuan"),
    ] {
        let id = app.admin().draft(title, section, json!({})).await;
        assert_eq!(managed(&app, id).await["slug"], slug);
    }
}

async fn a_made_slug_is_never_an_id_nor_reserved(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    for title in [
        "12",
        "２０２６",
        "2026-01-31",
        "Tree",
        "？！",
        "🚢",
        "渡".repeat(300).as_str(),
    ] {
        let id = app.admin().article(title, section, json!({})).await;
        let article = managed(&app, id).await;
        let slug = article["slug"].as_str().expect("a slug");
        assert!(slug != "tree" && slug.len() <= 120, "{slug}");
        assert!(slug.bytes().any(|b| !b.is_ascii_digit()), "{slug}");
        assert_eq!(app.get(&format!("/v1/articles/{slug}")).await["id"], id);
    }
}

async fn articles_made_at_once_get_slugs_of_their_own(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let section = section(&app).await;
    let body = json!({"title": "晨渡", "section_id": section});
    let made = join_all((0..12).map(|_| create(&app, body.clone()))).await;
    let mut slugs: Vec<String> = made
        .into_iter()
        .map(|answer| answer.ok(201)["slug"].as_str().expect("a slug").to_owned())
        .collect();
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), 12);
}

async fn a_taken_or_bad_slug_is_refused(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let first = app
        .admin()
        .draft("晨渡", section, json!({"slug": "ferry"}))
        .await;
    let other = app.admin().draft("夜渡", section, json!({})).await;
    let body = |slug: &str| json!({"title": "午渡", "section_id": section, "slug": slug});
    create(&app, body("ferry")).await.problem(409, "slug_taken");
    patch(&app, other, json!({"slug": "ferry"}))
        .await
        .problem(409, "slug_taken");
    patch(&app, first, json!({"slug": "ferry"})).await.ok(200);
    for slug in ["tree", "7", "Ferry", "a_b", "a b", "渡", &"a".repeat(121)] {
        for answer in [
            create(&app, body(slug)).await,
            patch(&app, other, json!({"slug": slug})).await,
        ] {
            let faults = answer.problem(422, "validation_failed").faults();
            assert_eq!(faults[0].0, "/slug", "{slug}");
        }
    }
    // Sections have slugs of their own.
    create(&app, body("harbour")).await.ok(201);
}

async fn an_old_slug_leads_to_the_live_one(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app
        .admin()
        .article("晨渡", section, json!({"slug": "first"}))
        .await;
    for slug in ["second", "third"] {
        patch(&app, id, json!({"slug": slug})).await.ok(200);
    }
    for old in ["first", "second"] {
        for rest in [
            "",
            "?include=hits",
            "/neighbors",
            "/related?limit=5&page=1",
            "/qr.svg",
            "/hits",
        ] {
            assert_eq!(
                app.leads_to(&format!("/v1/articles/{old}{rest}")).await,
                format!("/v1/articles/third{rest}")
            );
        }
    }
    patch(&app, id, json!({"slug": "first"})).await.ok(200);
    assert_eq!(app.get("/v1/articles/first").await.ok(200)["id"], id);
    assert_eq!(
        app.leads_to("/v1/articles/third").await,
        "/v1/articles/first"
    );
}

async fn a_live_slug_beats_an_old_one(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let first = app
        .admin()
        .article("晨渡", section, json!({"slug": "ferry"}))
        .await;
    patch(&app, first, json!({"slug": "dawn-ferry"}))
        .await
        .ok(200);
    let second = app
        .admin()
        .article("夜渡", section, json!({"slug": "ferry"}))
        .await;
    assert_eq!(app.get("/v1/articles/ferry").await.ok(200)["id"], second);
    patch(&app, second, json!({"slug": "night-ferry"}))
        .await
        .ok(200);
    assert_eq!(
        app.leads_to("/v1/articles/ferry").await,
        "/v1/articles/night-ferry"
    );
}

async fn a_title_does_not_change_the_slug(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let id = app.admin().draft("晨渡", section, json!({})).await;
    let after = patch(&app, id, json!({"title": "夜渡"})).await.ok(200);
    assert_eq!(
        (&after["title"], &after["slug"]),
        (&json!("夜渡"), &json!("chen-du"))
    );
}

crate::facts![
    a_title_makes_the_slug,
    a_made_slug_is_never_an_id_nor_reserved,
    articles_made_at_once_get_slugs_of_their_own,
    a_taken_or_bad_slug_is_refused,
    an_old_slug_leads_to_the_live_one,
    a_live_slug_beats_an_old_one,
    a_title_does_not_change_the_slug,
];
