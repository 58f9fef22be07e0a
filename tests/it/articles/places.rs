//! Where an article stands, and what stands beside it.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{managed, patch, read, section};

async fn an_article_stands_in_other_sections_too(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let above = admin.section("镇里", json!({"slug": "town"})).await;
    let below = admin
        .section("街巷", json!({"slug": "lanes", "parent_id": above}))
        .await;
    let notices = admin.section("告示", json!({"slug": "notices"})).await;
    let id = admin
        .article("晨渡", home, json!({"also_in": [notices, below, notices]}))
        .await;
    assert_eq!(managed(&app, id).await["also_in"], json!([notices, below]));
    let article = read(&app, id).await;
    assert_eq!(
        article["also_in"],
        json!([
            {"id": notices, "slug": "notices", "name": "告示", "path": "notices"},
            {"id": below, "slug": "lanes", "name": "街巷", "path": "town/lanes"}
        ])
    );
    assert_eq!(article["section"]["id"], home);
    for slug in ["harbour", "town", "lanes", "notices"] {
        assert_eq!(
            app.walk(&format!("/v1/articles?section={slug}")).await,
            [id]
        );
    }
    let direct = app.get("/v1/articles?section=town&subsections=false").await;
    assert!(direct.ids().is_empty());
    patch(&app, id, json!({"also_in": [below]})).await.ok(200);
    assert!(app.walk("/v1/articles?section=notices").await.is_empty());
    for (bad, at) in [
        (json!([home]), "/also_in/0"),
        (json!([below, 987_654]), "/also_in/1"),
    ] {
        let answer = patch(&app, id, json!({"also_in": bad})).await;
        assert_eq!(answer.problem(422, "validation_failed").faults()[0].0, at);
    }
}

async fn a_hidden_other_section_hides_it_only_there(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let inner = admin
        .section("内部", json!({"slug": "inner", "visible": false}))
        .await;
    let notices = admin.section("告示", json!({"slug": "notices"})).await;
    let id = admin
        .article("晨渡", home, json!({"also_in": [inner, notices]}))
        .await;
    assert_eq!(managed(&app, id).await["also_in"], json!([inner, notices]));
    assert_eq!(read(&app, id).await["also_in"][0]["id"], notices);
    assert_eq!(app.walk("/v1/articles?section=harbour").await, [id]);
    app.get("/v1/articles?section=inner")
        .await
        .problem(404, "not_found");
    admin
        .patch(
            &format!("/v1/admin/sections/{home}"),
            json!({"visible": false}),
        )
        .await
        .ok(200);
    app.get(&format!("/v1/articles/{id}"))
        .await
        .problem(404, "not_found");
    assert!(app.walk("/v1/articles?section=notices").await.is_empty());
}

/// Ids of the articles before and after; 0 where there is none.
async fn beside(app: &TestApp, id: i64) -> (i64, i64) {
    let answer = app
        .get(&format!("/v1/articles/{id}/neighbors"))
        .await
        .ok(200);
    let id = |member: &str| match &answer[member] {
        Value::Null => 0,
        article => article["id"].as_i64().expect("an id"),
    };
    (id("previous"), id("next"))
}

async fn neighbours_stand_before_and_after_in_the_section(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("告示", json!({})).await;
    let below = admin.section("泊位", json!({"parent_id": home})).await;
    let at = |day: u8| json!({"published_at": format!("2026-01-{day:02}T00:00:00Z")});
    let third = admin.article("三", home, at(20)).await;
    let first = admin.article("一", home, at(1)).await;
    let second = admin.article("二", home, at(10)).await;
    let fourth = admin.article("四", home, at(20)).await;
    admin.article("别处", other, at(11)).await;
    admin.article("下面", below, at(12)).await;
    let ahead = json!({"published_at": "2026-02-01T00:00:00Z"});
    admin.article("明日", home, ahead).await;
    admin.draft("草稿", home, at(13)).await;
    for (id, expected) in [
        (first, (0, second)),
        (second, (first, third)),
        (third, (second, fourth)),
        (fourth, (third, 0)),
    ] {
        assert_eq!(beside(&app, id).await, expected);
    }
    let neighbors = app.get(&format!("/v1/articles/{first}/neighbors")).await;
    let summary = &app.get(&format!("/v1/articles?ids={second}")).await["data"][0];
    assert_eq!(&neighbors["next"], summary);
}

async fn an_article_alone_has_no_neighbours(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().article("晨渡", home, json!({})).await;
    let answer = app
        .get(&format!("/v1/articles/{id}/neighbors"))
        .await
        .ok(200);
    assert_eq!(answer.json, json!({"previous": null, "next": null}));
    for missing in ["987654", "no-such"] {
        app.get(&format!("/v1/articles/{missing}/neighbors"))
            .await
            .problem(404, "not_found");
    }
}

async fn relatives_share_tags_or_the_section(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = section(&app).await;
    let other = admin.section("告示", json!({})).await;
    let inner = admin.section("内部", json!({"visible": false})).await;
    let make = async |section: i64, day: u8, tags: Value| {
        let at = format!("2026-01-{day:02}T00:00:00Z");
        let more = json!({"published_at": at, "tags": tags});
        admin.article("晨渡", section, more).await
    };
    let own = make(home, 15, json!(["潮汐", "清晨", "渡船"])).await;
    let near_old = make(home, 1, json!([])).await;
    let near_new = make(home, 20, json!(["无关"])).await;
    let one_old = make(other, 2, json!(["潮汐"])).await;
    let one_new = make(other, 3, json!(["渡船", "无关"])).await;
    let two = make(other, 1, json!(["清晨", "潮汐"])).await;
    make(other, 4, json!(["无关"])).await;
    make(inner, 5, json!(["潮汐", "清晨", "渡船"])).await;
    admin
        .draft("草稿", home, json!({"tags": ["潮汐", "清晨"]}))
        .await;
    let path = format!("/v1/articles/{own}/related");
    let related = app.get(&path).await.ok(200);
    assert_eq!(related.ids(), [two, one_new, one_old, near_new, near_old]);
    let page = app.get(&format!("{path}?limit=2&page=2")).await.ok(200);
    assert_eq!(page.ids(), [one_old, near_new]);
    assert_eq!(page["page"]["total"], 5);
    let walked = app.walk(&format!("{path}?limit=2")).await;
    assert_eq!(walked, related.ids());
    assert_eq!(
        related["data"][0],
        app.get(&format!("/v1/articles?ids={two}")).await["data"][0]
    );
}

crate::facts![
    an_article_stands_in_other_sections_too,
    a_hidden_other_section_hides_it_only_there,
    neighbours_stand_before_and_after_in_the_section,
    an_article_alone_has_no_neighbours,
    relatives_share_tags_or_the_section,
];
