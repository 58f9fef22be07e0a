//! An article is deleted for good.

use serde_json::json;

use crate::support::stage::Stage;

use super::{patch, path, read, section};

async fn only_what_is_in_the_trash_is_deleted_for_good(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let more = json!({"slug": "ferry", "external_id": "cms-1", "tags": ["潮汐"]});
    let id = app.admin().article("晨渡", home, more.clone()).await;
    patch(&app, id, json!({"slug": "dawn"})).await.ok(200);
    let forever = format!("{}?permanent=true", path(id));
    app.admin()
        .delete(&forever)
        .await
        .problem(409, "invalid_transition");
    read(&app, id).await;
    app.admin().delete(&path(id)).await.ok(204);
    app.admin().delete(&forever).await.ok(204);
    app.admin().delete(&forever).await.problem(404, "not_found");
    app.admin().get(&path(id)).await.problem(404, "not_found");
    for reference in [id.to_string(), "ferry".to_owned(), "dawn".to_owned()] {
        app.get(&format!("/v1/articles/{reference}"))
            .await
            .problem(404, "not_found");
    }
    let again = app.admin().article("晨渡", home, more).await;
    assert!(again > id);
    assert_eq!(
        app.walk("/v1/articles?tag=%E6%BD%AE%E6%B1%90").await,
        [again]
    );
}

async fn the_id_of_a_deleted_article_is_never_used_again(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let mut last = 0;
    for _ in 0..3 {
        let id = app.admin().draft("晨渡", home, json!({})).await;
        assert!(id > last);
        app.admin().delete(&path(id)).await.ok(204);
        let forever = format!("{}?permanent=true", path(id));
        app.admin().delete(&forever).await.ok(204);
        last = id;
    }
}

crate::facts![
    only_what_is_in_the_trash_is_deleted_for_good,
    the_id_of_a_deleted_article_is_never_used_again,
];
