//! A section goes, and its contents stay.

use serde_json::json;

use crate::support::databases;
use crate::support::stage::Stage;

use super::{PATIENT, article_count, create, delete, harbour, is_found, path, shown};

async fn an_empty_section_goes(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    delete(&app, h.fleet, "").await.ok(204);
    delete(&app, h.fleet, "").await.problem(404, "not_found");
    app.admin()
        .get(&path(h.fleet))
        .await
        .problem(404, "not_found");
    assert_eq!(
        shown(&app).await,
        ["news", "news/town", "news/town/pier", "notices"]
    );
    let again = create(&app, json!({"name": "船队", "slug": "fleet"})).await;
    again.ok(201);
}

async fn a_section_that_holds_anything_stays(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    admin
        .draft("草稿", h.pier, json!({"also_in": [h.fleet]}))
        .await;
    let trashed = admin.draft("误发", h.notices, json!({})).await;
    admin
        .delete(&format!("/v1/admin/articles/{trashed}"))
        .await
        .ok(204);
    let before = databases::rows(&mut app.connect());
    for id in [h.news, h.town, h.pier, h.fleet, h.notices] {
        delete(&app, id, "").await.problem(409, "section_not_empty");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
}

async fn deleting_may_move_the_contents(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let h = harbour(&app).await;
    let own = admin
        .article("晨渡", h.town, json!({"also_in": [h.notices]}))
        .await;
    let trashed = admin.draft("误发", h.town, json!({})).await;
    admin
        .delete(&format!("/v1/admin/articles/{trashed}"))
        .await
        .ok(204);
    let also = admin
        .article("夜渡", h.fleet, json!({"also_in": [h.news, h.town]}))
        .await;
    let both = admin
        .article("午渡", h.fleet, json!({"also_in": [h.notices, h.town]}))
        .await;
    let home = admin
        .article("告示一", h.notices, json!({"also_in": [h.town]}))
        .await;
    delete(&app, h.town, &format!("?move_to={}", h.notices))
        .await
        .ok(204);

    assert_eq!(
        shown(&app).await,
        ["news", "news/fleet", "notices", "notices/pier"]
    );
    app.get("/v1/sections/town").await.problem(404, "not_found");
    for (id, section, also_in) in [
        (own, h.notices, json!([])),
        (trashed, h.notices, json!([])),
        (also, h.fleet, json!([h.news, h.notices])),
        (both, h.fleet, json!([h.notices])),
        (home, h.notices, json!([])),
    ] {
        let article = admin.get(&format!("/v1/admin/articles/{id}")).await.ok(200);
        assert_eq!(article["section_id"], section);
        assert_eq!(article["also_in"], also_in);
    }
    let mut listed = app.walk("/v1/articles?section=notices").await;
    listed.sort_unstable();
    assert_eq!(listed, [own, also, both, home]);
    assert_eq!(article_count(&app, h.notices).await, 4);
    assert_eq!(article_count(&app, h.news).await, 2);
}

async fn contents_moved_to_a_hidden_section_are_hidden(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let article = app.admin().article("晨渡", h.pier, json!({})).await;
    let inner = app.admin().section("内部", json!({"visible": false})).await;
    delete(&app, h.town, &format!("?move_to={inner}"))
        .await
        .ok(204);
    assert!(!is_found(&app, article).await);
    assert_eq!(shown(&app).await, ["news", "news/fleet", "notices"]);
}

async fn contents_move_only_where_they_can_be(stage: Stage) {
    let app = stage.app().await;
    let h = harbour(&app).await;
    let before = databases::rows(&mut app.connect());
    for target in [h.town, h.pier] {
        let answer = delete(&app, h.town, &format!("?move_to={target}")).await;
        assert_eq!(answer.status, 409, "{answer}");
    }
    for query in ["?move_to=987654", "?move_to=news", "?move_to=", "?wat=1"] {
        delete(&app, h.town, query)
            .await
            .problem(400, "invalid_request");
    }
    assert_eq!(databases::rows(&mut app.connect()), before);
    delete(&app, h.town, &format!("?move_to={}", h.news))
        .await
        .ok(204);
    assert_eq!(
        shown(&app).await,
        ["news", "news/fleet", "news/pier", "notices"]
    );
}

async fn the_id_of_a_deleted_section_is_never_used_again(stage: Stage) {
    let app = stage.app().await;
    let mut last = 0;
    for _ in 0..3 {
        let id = app.admin().section("渔港", json!({})).await;
        assert!(id > last);
        delete(&app, id, "").await.ok(204);
        last = id;
    }
}

async fn deleting_while_articles_are_made_loses_none(stage: Stage) {
    let app = stage.with(&[PATIENT]).await;
    app.token().await;
    for _ in 0..5 {
        let section = app.admin().section("渔港", json!({})).await;
        let body = json!({"title": "晨渡", "section_id": section});
        let admin = app.admin();
        let (made, deleted) = futures_util::future::join(
            admin.post("/v1/admin/articles", body),
            delete(&app, section, ""),
        )
        .await;
        match (made.status, deleted.status) {
            (201, 409) | (422, 204) => {}
            other => panic!("{other:?}"),
        }
    }
}

crate::facts![
    an_empty_section_goes,
    a_section_that_holds_anything_stays,
    deleting_may_move_the_contents,
    contents_moved_to_a_hidden_section_are_hidden,
    contents_move_only_where_they_can_be,
    the_id_of_a_deleted_section_is_never_used_again,
    deleting_while_articles_are_made_loses_none,
];
