//! Articles counted by month and by tag.

use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{LIST, at, ids, on_day, section};

async fn an_archive_counts_by_the_sites_months(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let news = admin.section("要闻", json!({"slug": "news"})).await;
    let town = admin
        .section("镇里", json!({"slug": "town", "parent_id": news}))
        .await;
    assert_eq!(
        app.get("/v1/archive").await.ok(200).json,
        json!({"data": []})
    );
    at(&app, news, "2025-12-31T15:59:59.999Z").await;
    at(&app, town, "2025-12-31T16:00:00Z").await;
    at(&app, news, "2026-01-20T00:00:00Z").await;
    at(&app, news, "1999-07-01T00:00:00Z").await;
    at(&app, news, "2026-02-20T00:00:00Z").await;
    admin.draft("草稿", news, json!({})).await;
    let months = async |query: &str| {
        let answer = app.get(&format!("/v1/archive{query}")).await.ok(200);
        let data = answer["data"].as_array().expect("months").clone();
        let number = |month: &Value, name: &str| month[name].as_i64().expect("a number");
        data.iter()
            .map(|m| {
                (
                    number(m, "year"),
                    number(m, "month"),
                    number(m, "article_count"),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        months("").await,
        [(2026, 1, 2), (2025, 12, 1), (1999, 7, 1)]
    );
    assert_eq!(months("?section=news").await, months("").await);
    assert_eq!(months("?section=town").await, [(2026, 1, 1)]);
    for month in [
        ("2026-01-01", "2026-01-31", 2),
        ("2025-12-01", "2025-12-31", 1),
    ] {
        let filter = format!("published_from={}&published_to={}", month.0, month.1);
        assert_eq!(ids(&app, &format!("{LIST}?{filter}")).await.len(), month.2);
    }
}

async fn an_archive_reaches_over_centuries(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    for instant in [
        "1000-06-01T00:00:00Z",
        "1850-06-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ] {
        at(&app, section, instant).await;
    }
    let archive = app.get("/v1/archive").await.ok(200);
    assert_eq!(
        archive["data"],
        json!([
            {"year": 2026, "month": 1, "article_count": 1},
            {"year": 1850, "month": 6, "article_count": 1},
            {"year": 1000, "month": 6, "article_count": 1}
        ])
    );
}

async fn tags_are_counted(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let news = admin.section("要闻", json!({"slug": "news"})).await;
    let town = admin
        .section("镇里", json!({"slug": "town", "parent_id": news}))
        .await;
    let inner = admin.section("内部", json!({"visible": false})).await;
    assert_eq!(app.get("/v1/tags").await.ok(200).json, json!({"data": []}));
    on_day(
        &app,
        news,
        1,
        json!({"tags": ["潮汐"], "keywords": ["渡船"]}),
    )
    .await;
    on_day(&app, town, 2, json!({"tags": ["潮汐", "渡船", "潮汐"]})).await;
    on_day(&app, town, 3, json!({"tags": ["潮汐", "渡船"]})).await;
    on_day(&app, inner, 3, json!({"tags": ["潮汐"]})).await;
    admin
        .draft("草稿", news, json!({"tags": ["潮汐", "草稿"]}))
        .await;
    let tags =
        async |query: &str| app.get(&format!("/v1/tags{query}")).await.ok(200)["data"].clone();
    let count = |tag: &str, number: i64| json!({"tag": tag, "article_count": number});
    assert_eq!(tags("").await, json!([count("潮汐", 3), count("渡船", 2)]));
    let mut below = tags("?section=town")
        .await
        .as_array()
        .expect("tags")
        .clone();
    below.sort_by_key(|tag| tag["tag"].to_string());
    assert_eq!(below, [count("渡船", 2), count("潮汐", 2)]);
    assert_eq!(ids(&app, &format!("{LIST}?tag=潮汐")).await.len(), 3);
}

crate::facts![
    an_archive_counts_by_the_sites_months,
    an_archive_reaches_over_centuries,
    tags_are_counted,
];
