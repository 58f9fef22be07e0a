//! What comes with an article where it is asked for.

use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{ARTICLES, read, section};

async fn counts_come_where_they_are_asked_for(stage: Stage) {
    let app = stage.with(&[("LANMU_HIT_WINDOW", "0")]).await;
    let home = section(&app).await;
    let viewed = app.admin().article("晨渡", home, json!({})).await;
    let other = app.admin().article("夜渡", home, json!({})).await;
    for _ in 0..2 {
        app.post(&format!("/v1/articles/{viewed}/hits"), json!({}))
            .await
            .ok(200);
    }
    let count = app
        .get(&format!("/v1/articles/{viewed}/hits"))
        .await
        .ok(200);
    let one = app
        .get(&format!("/v1/articles/{viewed}?include=hits"))
        .await
        .ok(200);
    assert_eq!(one["hits"], count.json);
    assert_eq!(one["hits"]["total"], 2);
    assert_eq!(
        one.header("cache-control"),
        Some("max-age=0, must-revalidate")
    );
    let list = app
        .get(&format!(
            "/v1/articles?ids={viewed},{other}&include=hits&sort=published_at"
        ))
        .await
        .ok(200);
    assert_eq!(
        list.header("cache-control"),
        Some("max-age=0, must-revalidate")
    );
    assert_eq!(list["data"][0]["hits"], count.json);
    assert_eq!(list["data"][1]["hits"]["total"], 0);
    assert_eq!(read(&app, viewed).await.json.get("hits"), None);
}

async fn bodies_come_where_they_are_asked_for(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app.admin().article("晨渡", home, json!({})).await;
    let more = json!({"body": null, "external_url": "https://x.example.com/"});
    app.admin().article("外链", home, more).await;
    for include in ["body", "body,hits", "hits,body"] {
        let list = app
            .get(&format!("/v1/articles?include={include}&sort=published_at"))
            .await
            .ok(200);
        assert_eq!(list["data"][0]["body"], read(&app, id).await["body"]);
        assert_eq!(list["data"][1].get("body"), Some(&Value::Null));
        assert_eq!(list["data"][0].get("hits").is_some(), include != "body");
    }
    let plain = app.get("/v1/articles").await.ok(200);
    assert_eq!(plain["data"][0].get("body"), None);
    for query in ["include=wat", "include=body,wat", "include=body&wat=1"] {
        app.get(&format!("/v1/articles?{query}"))
            .await
            .problem(400, "invalid_request");
    }
}

async fn an_article_that_can_not_be_is_not_found(stage: Stage) {
    let app = stage.app().await;
    for missing in [
        "0",
        "-1",
        "1.5",
        "99999999999999999999",
        "No",
        "a_b",
        "tree",
        "%E6%B8%A1",
    ] {
        app.get(&format!("/v1/articles/{missing}"))
            .await
            .problem(404, "not_found");
        app.admin()
            .get(&format!("{ARTICLES}/{missing}"))
            .await
            .problem(404, "not_found");
    }
}

crate::facts![
    counts_come_where_they_are_asked_for,
    bodies_come_where_they_are_asked_for,
    an_article_that_can_not_be_is_not_found,
];
