//! Series by hours, days and months.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{EVERY_VIEW, article, batch, published, results, views};

/// Two articles of the section `harbour`, old enough for every fact.
pub async fn fleet(app: &TestApp) -> [i64; 2] {
    let harbour = json!({"slug": "harbour"});
    let section = app.admin().section("港口", harbour).await;
    let below = json!({"parent_id": section});
    let below = app.admin().section("泊位", below).await;
    [
        published(app, "晨渡", section, "2001-01-01T00:00:00Z").await,
        published(app, "夜渡", below, "2001-01-01T00:00:00Z").await,
    ]
}

/// The slots of a series and their views.
pub async fn series(app: &TestApp, path: &str) -> Vec<(String, i64)> {
    let unit = ["hour", "day", "month"];
    let answer = app.get(path).await.ok(200);
    let items = answer["data"].as_array().expect("a list").iter();
    items
        .map(|item| {
            let slot = unit.iter().find_map(|unit| item[unit].as_str());
            let hits = item["hits"].as_i64().expect("a number");
            (slot.expect("a slot").to_owned(), hits)
        })
        .collect()
}

async fn months_are_the_sums_of_their_days(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let ids = fleet(&app).await;
    for (clock, number) in [
        ("2025-09-30T15:59:59Z", 1),
        ("2025-09-30T16:00:00Z", 2),
        ("2025-12-31T15:59:59Z", 3),
        ("2025-12-31T16:00:00Z", 4),
        ("2026-01-31T04:00:00Z", 5),
        ("2026-02-28T16:00:00Z", 6),
    ] {
        app.set_clock(clock);
        views(&app, ids[0], number).await;
        views(&app, ids[1], 1).await;
        if number % 2 == 0 {
            app.fold().await;
        }
    }
    let whole = [
        ("2025-09", 1),
        ("2025-10", 2),
        ("2025-11", 0),
        ("2025-12", 3),
        ("2026-01", 9),
        ("2026-02", 0),
        ("2026-03", 6),
    ];
    for folded in [false, true] {
        if folded {
            app.fold().await;
        }
        for (whose, others) in [
            (format!("article={}", ids[0]), 0),
            ("section=harbour".to_owned(), 1),
            (String::new(), 1),
        ] {
            let path = format!("/v1/hits/monthly?from=2025-09&to=2026-03&{whose}");
            let path = path.trim_end_matches('&');
            let months = series(&app, path).await;
            let expected: Vec<(String, i64)> = whole
                .iter()
                .map(|(month, hits)| {
                    // January has two days with views of the other article.
                    let days = [*hits > 0, *month == "2026-01"];
                    let days: i64 = days.iter().map(|day| i64::from(*day)).sum();
                    ((*month).to_owned(), hits + others * days)
                })
                .collect();
            assert_eq!(months, expected, "{path}");
            let path = format!("/v1/hits/daily?from=2025-09-01&to=2026-03-31&{whose}");
            let days = series(&app, path.trim_end_matches('&')).await;
            assert_eq!(days.len(), 212);
            let mut sums: BTreeMap<String, i64> = BTreeMap::new();
            for (day, hits) in days {
                *sums.entry(day[..7].to_owned()).or_default() += hits;
            }
            assert_eq!(months, sums.into_iter().collect::<Vec<_>>(), "{path}");
        }
        let last = series(&app, "/v1/hits/monthly").await;
        assert_eq!(last.len(), 12);
        assert_eq!(last[0], ("2025-04".to_owned(), 0));
        assert_eq!(last[11], ("2026-03".to_owned(), 7));
    }
}

async fn hits_told_late_land_on_their_day_and_hour(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let first = views(&app, id, 1);
    first.await;
    // The day has been folded before what belongs to it is told.
    app.fold().await;
    app.set_clock("2026-02-07T04:00:00Z");
    let at = [
        "2026-01-31T04:00:00Z",
        "2026-01-31T15:59:59.999Z",
        "2026-02-05T03:59:59Z",
        "2026-02-05T04:59:59Z",
        "2026-02-05T05:00:00Z",
        "2026-02-07T03:59:59Z",
        "2026-02-07T04:05:00Z",
    ];
    let items: Vec<Value> = (0..)
        .zip(at)
        .map(|(n, at)| json!({"article_id": id, "hit_id": format!("l{n}"), "at": at}))
        .collect();
    assert_eq!(results(&batch(&app, json!(items)).await), ["counted"; 7]);
    for _ in 0..2 {
        let path = "/v1/hits/daily?from=2026-01-31&to=2026-02-07";
        let days: Vec<i64> = series(&app, path).await.into_iter().map(|d| d.1).collect();
        assert_eq!(days, [3, 0, 0, 0, 0, 3, 0, 2]);
        let hours = series(&app, &format!("/v1/hits/hourly?article={id}")).await;
        let told: Vec<(&str, i64)> = hours
            .iter()
            .filter(|(_, hits)| *hits > 0)
            .map(|(hour, hits)| (hour.as_str(), *hits))
            .collect();
        let expected = [
            ("2026-02-05T05:00:00Z", 1),
            ("2026-02-07T03:00:00Z", 1),
            // What comes from a clock that is ahead is of now.
            ("2026-02-07T04:00:00Z", 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(hours[0].0, "2026-02-05T05:00:00Z");
        app.fold().await;
    }
}

async fn hours_of_a_section_are_those_of_what_is_public(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let ids = fleet(&app).await;
    let apart = app.admin().section("集市", json!({})).await;
    let other = published(&app, "早市", apart, "2001-01-01T00:00:00Z").await;
    views(&app, ids[0], 1).await;
    views(&app, ids[1], 2).await;
    app.fold().await;
    views(&app, ids[1], 4).await;
    views(&app, other, 8).await;
    let now = |whose: &str| {
        let (app, path) = (&app, format!("/v1/hits/hourly?hours=1{whose}"));
        async move { series(app, &path).await[0].1 }
    };
    for _ in 0..2 {
        assert_eq!(now("").await, 15);
        assert_eq!(now("&section=harbour").await, 7);
        assert_eq!(now("&section=2").await, 6);
        assert_eq!(now(&format!("&article={}", ids[0])).await, 1);
        app.fold().await;
    }
    let trashed = format!("/v1/admin/articles/{}", ids[1]);
    app.admin().delete(&trashed).await.ok(204);
    assert_eq!(now("").await, 9);
    assert_eq!(now("&section=harbour").await, 1);
    assert_eq!(now("&section=2").await, 0);
}

async fn the_hours_asked_for_are_few(stage: Stage) {
    let app = stage.app().await;
    for query in ["hours=0", "hours=49", "hours=", "hours=-1", "hours=1.5"] {
        let refused = app.get(&format!("/v1/hits/hourly?{query}")).await;
        let refused = refused.problem(400, "invalid_request");
        assert_eq!(refused.faults()[0].0, "hours", "{query}");
    }
    for (query, parameter) in [
        ("from=2026-02&to=2026-01", "from"),
        ("from=2026-13", "from"),
        ("from=2026-1", "from"),
        ("to=2026-01-01", "to"),
        ("from=2016-01&to=2026-01", "from"),
    ] {
        let refused = app.get(&format!("/v1/hits/monthly?{query}")).await;
        let refused = refused.problem(400, "invalid_request");
        assert_eq!(refused.faults()[0].0, parameter, "{query}");
    }
    let long = series(&app, "/v1/hits/monthly?from=2016-02&to=2026-01").await;
    assert_eq!(long.len(), 120);
    assert_eq!(series(&app, "/v1/hits/hourly?hours=1").await.len(), 1);
}

crate::facts![
    months_are_the_sums_of_their_days,
    hits_told_late_land_on_their_day_and_hour,
    hours_of_a_section_are_those_of_what_is_public,
    the_hours_asked_for_are_few,
];
