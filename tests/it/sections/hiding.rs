//! A section is hidden and shown, with all below it.

use diesel::prelude::*;
use futures_util::future::join_all;
use lanmu::articles::store::{ArticleRow, DetailsRow};
use lanmu::db::schema::{article_details, articles};
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{
    PATIENT, article_count, create, delete, harbour, is_found, managed, move_to, patch, shown,
};

async fn hiding_a_section_hides_all_below_it(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    let mut inside = Vec::new();
    for section in [h.town, h.pier] {
        let more = json!({"also_in": [h.notices], "tags": ["潮汐"]});
        inside.push(admin.article("晨渡", section, more).await);
    }
    let outside = admin
        .article("夜渡", h.fleet, json!({"also_in": [h.pier]}))
        .await;
    patch(&app, h.town, json!({"visible": false})).await.ok(200);

    assert_eq!(shown(&app).await, ["news", "news/fleet", "notices"]);
    for reference in [h.town.to_string(), h.pier.to_string(), "pier".to_owned()] {
        for path in [
            format!("/v1/sections/{reference}"),
            format!("/v1/sections/{reference}/hits"),
            format!("/v1/articles?section={reference}"),
            format!("/v1/archive?section={reference}"),
            format!("/v1/tags?section={reference}"),
        ] {
            app.get(&path).await.problem(404, "not_found");
        }
    }
    for id in &inside {
        assert!(!is_found(&app, *id).await);
        for rest in ["/neighbors", "/related", "/qr.svg", "/hits"] {
            app.get(&format!("/v1/articles/{id}{rest}"))
                .await
                .problem(404, "not_found");
        }
    }
    assert!(is_found(&app, outside).await);
    let article = app.get(&format!("/v1/articles/{outside}")).await;
    assert_eq!(article["also_in"], json!([]));
    assert_eq!(app.walk("/v1/articles").await, [outside]);
    assert!(app.walk("/v1/articles?section=notices").await.is_empty());
    assert_eq!(app.get("/v1/tags").await["data"], json!([]));
    assert_eq!(article_count(&app, h.news).await, 1);
    let site = app.get("/v1/site").await.ok(200);
    assert_eq!(
        (&site["article_count"], &site["section_count"]),
        (&json!(1), &json!(3))
    );

    patch(&app, h.town, json!({"visible": true})).await.ok(200);
    assert_eq!(shown(&app).await.len(), 5);
    for id in &inside {
        assert!(is_found(&app, *id).await);
    }
    let article = app.get(&format!("/v1/articles/{outside}")).await;
    assert_eq!(article["also_in"][0]["id"], h.pier);
    assert_eq!(article_count(&app, h.news).await, 3);
    assert_eq!(app.get("/v1/tags").await["data"][0]["article_count"], 2);
}

async fn a_section_is_shown_when_all_above_it_are(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    for id in [h.news, h.town] {
        patch(&app, id, json!({"visible": false})).await.ok(200);
    }
    let article = app.admin().article("晨渡", h.pier, json!({})).await;
    for (id, then) in [(h.town, false), (h.news, true)] {
        patch(&app, id, json!({"visible": true})).await.ok(200);
        assert_eq!(is_found(&app, article).await, then);
    }
    assert_eq!(managed(&app, h.pier).await["visible"], true);
}

async fn a_section_is_hidden_and_shown_by_where_it_stands(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let article = app.admin().article("晨渡", h.pier, json!({})).await;
    patch(&app, h.notices, json!({"visible": false}))
        .await
        .ok(200);
    move_to(&app, h.town, json!({"parent_id": h.notices}))
        .await
        .ok(200);
    assert!(!is_found(&app, article).await);
    app.get("/v1/sections/pier").await.problem(404, "not_found");
    move_to(&app, h.pier, json!({"parent_id": h.news}))
        .await
        .ok(200);
    assert!(is_found(&app, article).await);
    let made = create(
        &app,
        json!({"name": "内部", "parent_id": h.notices, "slug": "inner"}),
    );
    made.await.ok(201);
    app.get("/v1/sections/inner")
        .await
        .problem(404, "not_found");
}

/// So many copies of the article in the database, which relisting finds.
fn multiply(app: &TestApp, id: i64, copies: i64) {
    let mut conn = app.connect();
    let (row, details): (ArticleRow, DetailsRow) = articles::table
        .inner_join(article_details::table)
        .filter(articles::id.eq(id))
        .select((ArticleRow::as_select(), DetailsRow::as_select()))
        .first(&mut conn)
        .expect("the article");
    for n in 1..=copies {
        let copy = ArticleRow {
            slug: format!("{}-copy-{n}", row.slug),
            ..row.clone()
        };
        let article_id: i64 = diesel::insert_into(articles::table)
            .values(&copy)
            .returning(articles::id)
            .get_result(&mut conn)
            .expect("a copy");
        let details = DetailsRow {
            article_id,
            ..details.clone()
        };
        diesel::insert_into(article_details::table)
            .values(&details)
            .execute(&mut conn)
            .expect("its details");
    }
}

async fn however_many_articles_a_section_has_all_follow_it(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let id = app.admin().article("晨渡", h.pier, json!({})).await;
    multiply(&app, id, 1100);
    for (visible, count) in [(false, 0), (true, 1101)] {
        patch(&app, h.town, json!({"visible": visible}))
            .await
            .ok(200);
        assert_eq!(article_count(&app, h.news).await, count);
    }
    move_to(&app, h.town, json!({"parent_id": h.notices}))
        .await
        .ok(200);
    assert_eq!(article_count(&app, h.news).await, 0);
    assert_eq!(article_count(&app, h.notices).await, 1101);
    delete(&app, h.pier, &format!("?move_to={}", h.fleet))
        .await
        .ok(204);
    assert_eq!(article_count(&app, h.notices).await, 0);
    assert_eq!(article_count(&app, h.fleet).await, 1101);
    let moved = app
        .admin()
        .get(&format!("/v1/admin/articles?section={}", h.fleet))
        .await;
    assert_eq!(moved.ok(200)["page"]["total"], 1101);
}

async fn hiding_while_publishing_leaves_nothing_in_sight(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    let section = app.admin().section("要闻", json!({})).await;
    for _ in 0..5 {
        let id = app.admin().draft("晨渡", section, json!({})).await;
        let publish = format!("/v1/admin/articles/{id}/publish");
        let admin = app.admin();
        let answers = join_all([
            admin.post(&publish, json!({})),
            admin.post(&publish, json!({})),
        ]);
        let (answers, hidden) =
            futures_util::future::join(answers, patch(&app, section, json!({"visible": false})))
                .await;
        hidden.ok(200);
        for answer in answers {
            answer.ok(200);
        }
        assert!(!is_found(&app, id).await);
        patch(&app, section, json!({"visible": true})).await.ok(200);
        assert!(is_found(&app, id).await);
    }
}

crate::facts![
    hiding_a_section_hides_all_below_it,
    a_section_is_shown_when_all_above_it_are,
    a_section_is_hidden_and_shown_by_where_it_stands,
    however_many_articles_a_section_has_all_follow_it,
    hiding_while_publishing_leaves_nothing_in_sight,
];
