//! Slugs of sections: made, given, old.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::stage::Stage;

use super::{Harbour, PATIENT, SECTIONS, create, delete, harbour, patch, shown, texts};

async fn a_slug_is_made_from_the_name(stage: Stage) {
    let app = stage.app().await;
    for (name, slug) in [
        ("清晨渡口", "qing-chen-du-kou"),
        ("Harbour Café", "harbour-cafe"),
        ("北岸 Guide 7", "bei-an-guide-7"),
        ("“要闻”·速览", "yao-wen-su-lan"),
    ] {
        let made = create(&app, json!({"name": name})).await.ok(201);
        assert_eq!(made["slug"], slug);
    }
}

async fn a_made_slug_is_never_an_id_nor_reserved(stage: Stage) {
    let app = stage.app().await;
    for name in ["2026", "２０２６", "Tree", "！？"] {
        let made = create(&app, json!({"name": name})).await.ok(201);
        let slug = made["slug"].as_str().expect("a slug");
        assert!(
            slug != "tree" && slug.bytes().any(|b| !b.is_ascii_digit()),
            "{slug}"
        );
        let found = app.get(&format!("/v1/sections/{slug}")).await.ok(200);
        assert_eq!(found["id"], made["id"]);
    }
}

async fn a_long_name_makes_a_slug_of_120_at_most(stage: Stage) {
    let app = stage.app().await;
    for _ in 0..2 {
        let made = create(&app, json!({"name": "渡".repeat(200)}))
            .await
            .ok(201);
        assert!(made["slug"].as_str().expect("a slug").len() <= 120);
    }
}

async fn sections_of_one_name_are_numbered(stage: Stage) {
    let app = stage.app().await;
    for slug in ["yu-gang", "yu-gang-2", "yu-gang-3"] {
        assert_eq!(
            create(&app, json!({"name": "渔港"})).await.ok(201)["slug"],
            slug
        );
    }
}

async fn sections_made_at_once_get_slugs_of_their_own(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    app.token().await;
    let made = join_all((0..12).map(|_| create(&app, json!({"name": "渔港"})))).await;
    let mut slugs: Vec<String> = made
        .into_iter()
        .map(|answer| answer.ok(201)["slug"].as_str().expect("a slug").to_owned())
        .collect();
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), 12);
    let list = app.admin().get(SECTIONS).await.ok(200);
    assert_eq!(list.each("position"), (0..12).collect::<Vec<_>>());
}

async fn nodes_of_one_database_make_slugs_of_their_own(stage: Stage) {
    let nodes = [stage.with(&[PATIENT]).await, stage.with(&[PATIENT]).await];
    let made = join_all((0..12).map(|n| create(&nodes[n % 2], json!({"name": "渔港"})))).await;
    let mut slugs: Vec<String> = made
        .into_iter()
        .map(|answer| answer.ok(201)["slug"].as_str().expect("a slug").to_owned())
        .collect();
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), 12);
    assert_eq!(shown(&nodes[0]).await, shown(&nodes[1]).await);
}

async fn a_taken_slug_is_a_conflict(stage: Stage) {
    let app = stage.app().await;
    let first = app.admin().section("要闻", json!({"slug": "news"})).await;
    let other = app.admin().section("告示", json!({})).await;
    create(&app, json!({"name": "新闻", "slug": "news"}))
        .await
        .problem(409, "slug_taken");
    patch(&app, other, json!({"slug": "news"}))
        .await
        .problem(409, "slug_taken");
    patch(&app, first, json!({"slug": "news"})).await.ok(200);
}

async fn a_bad_slug_is_refused(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({})).await;
    for slug in [
        "tree",
        "12",
        "News",
        "a b",
        "a_b",
        "a/b",
        "é",
        "渔港",
        &"a".repeat(121),
    ] {
        for answer in [
            create(&app, json!({"name": "渔港", "slug": slug})).await,
            patch(&app, id, json!({"slug": slug})).await,
        ] {
            let faults = answer.problem(422, "validation_failed").faults();
            assert_eq!(faults[0].0, "/slug", "{slug}");
        }
    }
    patch(&app, id, json!({"slug": "a".repeat(120)}))
        .await
        .ok(200);
}

async fn an_old_slug_leads_to_the_live_one(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({"slug": "first"})).await;
    for slug in ["second", "third"] {
        patch(&app, id, json!({"slug": slug})).await.ok(200);
    }
    for old in ["first", "second"] {
        assert_eq!(
            app.leads_to(&format!("/v1/sections/{old}")).await,
            "/v1/sections/third"
        );
        assert_eq!(
            app.leads_to(&format!("/v1/sections/{old}/hits")).await,
            "/v1/sections/third/hits"
        );
    }
    assert_eq!(app.get("/v1/sections/third").await.ok(200)["id"], id);
}

async fn a_slug_that_is_taken_back_leads_nowhere(stage: Stage) {
    let app = stage.app().await;
    let id = app.admin().section("要闻", json!({"slug": "first"})).await;
    for slug in ["second", "first"] {
        patch(&app, id, json!({"slug": slug})).await.ok(200);
    }
    assert_eq!(app.get("/v1/sections/first").await.ok(200)["id"], id);
    assert_eq!(
        app.leads_to("/v1/sections/second").await,
        "/v1/sections/first"
    );
}

async fn an_old_slug_serves_in_filters(stage: Stage) {
    let app = stage.app().await;
    let Harbour { news, town, .. } = harbour(&app).await;
    let article = app.admin().article("晨渡", town, json!({})).await;
    patch(&app, news, json!({"slug": "headlines"}))
        .await
        .ok(200);
    for slug in ["news", "headlines"] {
        for filter in [
            "/v1/articles?section=",
            "/v1/admin/articles?sort=title&section=",
        ] {
            assert_eq!(app.walk(&format!("{filter}{slug}")).await, [article]);
        }
        let children = app
            .get(&format!("/v1/sections?parent={slug}"))
            .await
            .ok(200);
        assert_eq!(texts(&children, "slug"), ["town", "fleet"]);
        let archive = app
            .get(&format!("/v1/archive?section={slug}"))
            .await
            .ok(200);
        assert_eq!(archive["data"][0]["article_count"], 1);
    }
}

async fn a_live_slug_beats_an_old_one(stage: Stage) {
    let app = stage.app().await;
    let first = app.admin().section("要闻", json!({"slug": "news"})).await;
    patch(&app, first, json!({"slug": "headlines"}))
        .await
        .ok(200);
    let second = app.admin().section("新要闻", json!({"slug": "news"})).await;
    let article = app.admin().article("晨渡", second, json!({})).await;
    assert_eq!(app.get("/v1/sections/news").await.ok(200)["id"], second);
    assert_eq!(app.walk("/v1/articles?section=news").await, [article]);
    patch(&app, second, json!({"slug": "latest"})).await.ok(200);
    assert_eq!(
        app.leads_to("/v1/sections/news").await,
        "/v1/sections/latest"
    );
}

async fn an_old_slug_of_what_is_hidden_or_gone_is_not_found(stage: Stage) {
    let app = stage.app().await;
    let hidden = app.admin().section("内部", json!({"slug": "inner"})).await;
    let gone = app.admin().section("旧栏", json!({"slug": "past"})).await;
    patch(&app, hidden, json!({"slug": "inside", "visible": false}))
        .await
        .ok(200);
    patch(&app, gone, json!({"slug": "bygone"})).await.ok(200);
    delete(&app, gone, "").await.ok(204);
    for slug in ["inner", "inside", "past", "bygone"] {
        app.get(&format!("/v1/sections/{slug}"))
            .await
            .problem(404, "not_found");
        app.get(&format!("/v1/articles?section={slug}"))
            .await
            .problem(404, "not_found");
    }
}

async fn a_new_slug_renames_every_path_below(stage: Stage) {
    let app = stage.app().await;
    let Harbour { news, pier, .. } = harbour(&app).await;
    let article = app.admin().article("晨渡", pier, json!({})).await;
    patch(&app, news, json!({"slug": "headlines"}))
        .await
        .ok(200);
    assert_eq!(
        shown(&app).await,
        [
            "headlines",
            "headlines/town",
            "headlines/town/pier",
            "headlines/fleet",
            "notices"
        ]
    );
    let article = app.get(&format!("/v1/articles/{article}")).await.ok(200);
    assert_eq!(article["section"]["path"], "headlines/town/pier");
    assert_eq!(article["breadcrumb"][1]["slug"], "headlines");
}

crate::facts![
    a_slug_is_made_from_the_name,
    a_made_slug_is_never_an_id_nor_reserved,
    a_long_name_makes_a_slug_of_120_at_most,
    sections_of_one_name_are_numbered,
    sections_made_at_once_get_slugs_of_their_own,
    nodes_of_one_database_make_slugs_of_their_own,
    a_taken_slug_is_a_conflict,
    a_bad_slug_is_refused,
    an_old_slug_leads_to_the_live_one,
    a_slug_that_is_taken_back_leads_nowhere,
    an_old_slug_serves_in_filters,
    a_live_slug_beats_an_old_one,
    an_old_slug_of_what_is_hidden_or_gone_is_not_found,
    a_new_slug_renames_every_path_below,
];
