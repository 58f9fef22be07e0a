//! The top list and the daily series.

use serde_json::{Value, json};

use crate::support::app::{NOON, TestApp};
use crate::support::stage::Stage;

use super::{EVERY_VIEW, article, published, views};

/// Articles with views at different times; the last is in a section of its own.
async fn fleet(app: &TestApp) -> [i64; 5] {
    let admin = app.admin();
    let sea = admin.section("海", json!({"slug": "sea"})).await;
    let bay = admin
        .section("湾", json!({"slug": "bay", "parent_id": sea}))
        .await;
    let land = admin.section("陆", json!({"slug": "land"})).await;
    let long_ago = published(app, "甲", sea, "2020-01-01T00:00:00Z").await;
    let weeks_ago = published(app, "乙", bay, "2020-01-02T00:00:00Z").await;
    let days_ago = published(app, "丙", bay, "2020-01-03T00:00:00Z").await;
    let today = published(app, "丁", land, "2020-01-04T00:00:00Z").await;
    let never = published(app, "戊", land, "2020-01-05T00:00:00Z").await;
    for (clock, article, number) in [
        ("2025-12-22T04:00:00Z", long_ago, 3),
        ("2026-01-11T04:00:00Z", weeks_ago, 2),
        ("2026-01-26T04:00:00Z", days_ago, 2),
        (NOON, today, 1),
    ] {
        app.set_clock(clock);
        views(app, article, number).await;
    }
    [long_ago, weeks_ago, days_ago, today, never]
}

async fn top(app: &TestApp, query: &str) -> Vec<(i64, i64, i64)> {
    let answer = app.get(&format!("/v1/hits/top?{query}")).await.ok(200);
    let items = answer["data"].as_array().expect("a list").clone();
    let number = |value: &Value| value.as_i64().expect("a number");
    items
        .iter()
        .map(|item| {
            (
                number(&item["rank"]),
                number(&item["article"]["id"]),
                number(&item["hits"]),
            )
        })
        .collect()
}

async fn the_top_list_ranks_by_views_in_the_window(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, weeks_ago, days_ago, today, _] = fleet(&app).await;
    assert_eq!(top(&app, "window=today").await, [(1, today, 1)]);
    assert_eq!(
        top(&app, "window=last_7_days").await,
        [(1, days_ago, 2), (2, today, 1)]
    );
    // Among equals the newest is first.
    assert_eq!(
        top(&app, "window=last_30_days").await,
        [(1, days_ago, 2), (2, weeks_ago, 2), (3, today, 1)]
    );
    assert_eq!(
        top(&app, "window=all").await,
        [
            (1, long_ago, 3),
            (2, days_ago, 2),
            (3, weeks_ago, 2),
            (4, today, 1)
        ]
    );
    assert_eq!(
        top(&app, "window=all&limit=2").await,
        [(1, long_ago, 3), (2, days_ago, 2)]
    );
}

async fn the_top_list_may_be_a_sections(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, weeks_ago, days_ago, today, _] = fleet(&app).await;
    assert_eq!(
        top(&app, "window=all&section=sea").await,
        [(1, long_ago, 3), (2, days_ago, 2), (3, weeks_ago, 2)]
    );
    assert_eq!(
        top(&app, "window=last_30_days&section=bay").await,
        [(1, days_ago, 2), (2, weeks_ago, 2)]
    );
    assert_eq!(top(&app, "window=all&section=3").await, [(1, today, 1)]);
    app.get("/v1/hits/top?section=nowhere")
        .await
        .problem(404, "not_found");
}

async fn the_top_list_leaves_out_what_is_not_public(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, weeks_ago, days_ago, today, _] = fleet(&app).await;
    app.admin()
        .act(&format!("/v1/admin/articles/{long_ago}/unpublish"))
        .await
        .ok(200);
    app.admin()
        .patch("/v1/admin/sections/2", json!({"visible": false}))
        .await
        .ok(200);
    assert_eq!(top(&app, "window=all").await, [(1, today, 1)]);
    assert_eq!(top(&app, "window=last_30_days").await, [(1, today, 1)]);
    app.get("/v1/hits/top?section=bay")
        .await
        .problem(404, "not_found");
    let sea = app.get("/v1/hits/top?section=sea").await.ok(200);
    assert_eq!((&sea["data"], &sea["as_of"]), (&json!([]), &Value::Null));
    app.admin()
        .patch("/v1/admin/sections/2", json!({"visible": true}))
        .await
        .ok(200);
    assert_eq!(
        top(&app, "window=all&section=sea").await,
        [(1, days_ago, 2), (2, weeks_ago, 2)]
    );
}

async fn the_top_list_of_all_time_counts_baselines(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, .., never] = fleet(&app).await;
    app.admin()
        .put(
            &format!("/v1/admin/articles/{never}/hits"),
            json!({"baseline": 50, "reason": "旧站"}),
        )
        .await
        .ok(200);
    assert_eq!(
        top(&app, "window=all&limit=2").await,
        [(1, never, 50), (2, long_ago, 3)]
    );
    assert!(
        top(&app, "window=last_30_days")
            .await
            .iter()
            .all(|(_, id, _)| *id != never)
    );
}

async fn the_top_list_turns_at_midnight(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [.., today, _] = fleet(&app).await;
    app.set_clock("2026-01-31T15:59:59Z");
    assert_eq!(top(&app, "window=today").await, [(1, today, 1)]);
    app.set_clock("2026-01-31T16:00:00Z");
    assert!(top(&app, "window=today").await.is_empty());
}

async fn the_top_list_refuses_what_it_does_not_know(stage: Stage) {
    let app = stage.app().await;
    let refused = app
        .get("/v1/hits/top?window=year&limit=101&page=2&section=A%20B")
        .await
        .problem(400, "invalid_request");
    let mut told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
    told.sort();
    assert_eq!(told, ["limit", "page", "section", "window"]);
}

async fn days_without_a_view_are_there_with_zero(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [long_ago, _, days_ago, ..] = fleet(&app).await;
    let daily = |query: String| {
        let app = &app;
        async move {
            let answer = app.get(&format!("/v1/hits/daily?{query}")).await.ok(200);
            (answer.each("hits"), answer)
        }
    };
    let span = "from=2026-01-25&to=2026-02-01";
    let (hits, site) = daily(span.to_owned()).await;
    assert_eq!(hits, [0, 2, 0, 0, 0, 0, 1, 0]);
    assert_eq!(
        site["data"][0],
        json!({"day": "2026-01-25", "hits": 0, "visitors": null})
    );
    assert_eq!(site["data"][7]["day"], "2026-02-01");
    assert_eq!(site["as_of"], NOON);
    let (hits, _) = daily(format!("{span}&article={days_ago}")).await;
    assert_eq!(hits, [0, 2, 0, 0, 0, 0, 0, 0]);
    let (hits, of_section) = daily(format!("{span}&section=sea")).await;
    assert_eq!(hits, [0, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(of_section["as_of"], "2026-01-26T04:00:00Z");
    let (hits, _) = daily(format!("{span}&article={long_ago}")).await;
    assert_eq!(hits, [0; 8]);
    let (hits, _) = daily("from=2025-12-22&to=2025-12-22".to_owned()).await;
    assert_eq!(hits, [3]);
    let (hits, recent) = daily(String::new()).await;
    assert_eq!(hits.iter().sum::<i64>(), 5);
    let last = recent["data"].as_array().and_then(|days| days.last());
    assert_eq!(
        last,
        Some(&json!({"day": "2026-01-31", "hits": 1, "visitors": null}))
    );
}

async fn a_series_leaves_out_what_is_not_public(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let [_, _, days_ago, ..] = fleet(&app).await;
    app.admin()
        .delete(&format!("/v1/admin/articles/{days_ago}"))
        .await
        .ok(204);
    let site = app
        .get("/v1/hits/daily?from=2026-01-26&to=2026-01-26")
        .await
        .ok(200);
    assert_eq!(site.each("hits"), [0]);
    for query in [
        format!("article={days_ago}"),
        "article=987654321".to_owned(),
        "article=nowhere".to_owned(),
        "section=987654321".to_owned(),
        "section=nowhere".to_owned(),
    ] {
        app.get(&format!("/v1/hits/daily?{query}"))
            .await
            .problem(404, "not_found");
    }
}

async fn a_series_has_a_sensible_span(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    for (query, parameter) in [
        ("from=2026-02-01&to=2026-01-31", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-1-1", "from"),
        ("from=20260101", "from"),
        ("from=2026-01-01T00:00:00Z", "from"),
        ("from=0000-01-01", "from"),
        ("from=yesterday", "from"),
        ("from=", "from"),
        ("to=2025-02-29", "to"),
        ("to=10000-01-01", "to"),
        ("to=-0001-01-01", "to"),
        ("to=2026-01-31&to=2026-01-31", "to"),
        ("from=1900-01-01&to=2026-01-31", "from"),
        ("from=1900-01-01", "from"),
        ("article=1&section=1", "section"),
        ("article=A%20B", "article"),
        ("section=A%20B", "section"),
        ("days=3", "days"),
    ] {
        let refused = app
            .get(&format!("/v1/hits/daily?{query}"))
            .await
            .problem(400, "invalid_request");
        assert_eq!(refused.faults()[0].0, parameter, "{query}");
    }
    for query in [
        "from=0001-01-01&to=0001-01-02",
        "from=9998-12-30&to=9998-12-31",
        "to=0001-01-02",
        "from=9998-12-31",
    ] {
        let answer = app
            .get(&format!("/v1/hits/daily?{query}&article={id}"))
            .await
            .ok(200);
        let days = answer["data"].as_array().expect("days");
        assert!(
            days.iter().all(|day| day["day"]
                .as_str()
                .is_some_and(|day| day.len() == 10 && day.as_bytes()[4] == b'-')),
            "{answer}"
        );
    }
}

crate::facts![
    the_top_list_ranks_by_views_in_the_window,
    the_top_list_may_be_a_sections,
    the_top_list_leaves_out_what_is_not_public,
    the_top_list_of_all_time_counts_baselines,
    the_top_list_turns_at_midnight,
    the_top_list_refuses_what_it_does_not_know,
    days_without_a_view_are_there_with_zero,
    a_series_leaves_out_what_is_not_public,
    a_series_has_a_sensible_span,
];
