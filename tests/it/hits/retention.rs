//! What becomes of counts with time: days become months, months end, totals stay.

use std::rc::Rc;

use diesel::prelude::*;
use lanmu::db::schema::{hit_days, hit_hours, hit_months};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Stage;

use super::{EVERY_VIEW, count, ledger, number, published, view, views, windows};

const FORTY_DAYS: (&str, &str) = ("LANMU_HITS_DAYS", "40");

async fn tidy(app: &TestApp) {
    lanmu::hits::tidy(&app.app).await.expect("it is tidied");
}

/// Two articles, each in a section of its own; their views began 120 days ago, with one or more on each
/// tenth day, and all are folded in. Today is 2026-05-31.
async fn history(app: &TestApp) -> [i64; 2] {
    let sea = app.admin().section("海", json!({"slug": "sea"})).await;
    let land = app.admin().section("陆", json!({"slug": "land"})).await;
    let ids = [
        published(app, "晨渡", sea, "2020-01-01T00:00:00Z").await,
        published(app, "早市", land, "2020-01-01T00:00:00Z").await,
    ];
    for step in 0..=12_usize {
        let reader = |n: usize| format!("Portal/{n}.1");
        for n in 0..=step % 4 {
            let hit = view(app, ids[0]).header("user-agent", &reader(n));
            hit.send().await.ok(200);
        }
        views(app, ids[1], 1 + step % 2).await;
        app.fold().await;
        if step < 12 {
            app.advance(10 * 86_400);
        }
    }
    ids
}

async fn series(app: &TestApp, path: &str) -> Vec<i64> {
    app.get(path).await.ok(200).each("hits")
}

/// All that is told of the articles, their sections and the site, but for the days.
async fn told(app: &TestApp, ids: [i64; 2]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut paths = vec![
        "/v1/hits/monthly".to_owned(),
        "/v1/hits/top?window=all".to_owned(),
        "/v1/hits/top?window=last_30_days".to_owned(),
    ];
    for section in ["sea", "land"] {
        paths.push(format!("/v1/hits/monthly?section={section}"));
        paths.push(format!("/v1/sections/{section}/hits"));
    }
    for id in ids {
        paths.push(format!("/v1/hits/monthly?article={id}"));
        paths.push(format!("/v1/articles/{id}/hits"));
    }
    for path in paths {
        all.push(app.get(&path).await.ok(200).json);
    }
    all.push(app.get("/v1/site").await.ok(200)["hit_count"].clone());
    all
}

/// The last 121 days of whatever it is.
async fn days(app: &TestApp, whose: &str) -> Answer {
    let path = format!("/v1/hits/daily?from=2026-01-31&to=2026-05-31&{whose}");
    app.get(path.trim_end_matches('&')).await.ok(200)
}

async fn days_become_months_and_nothing_else_changes(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, FORTY_DAYS]).await;
    let ids = history(&app).await;
    let before = told(&app, ids).await;
    let places = ["", "section=sea", "section=land"].map(ToOwned::to_owned);
    let places = places
        .into_iter()
        .chain(ids.map(|id| format!("article={id}")));
    let places: Vec<String> = places.collect();
    let mut before_days = Vec::new();
    for place in &places {
        before_days.push(days(&app, place).await);
    }
    tidy(&app).await;
    assert_eq!(told(&app, ids).await, before);
    for (place, before) in places.iter().zip(&before_days) {
        let after = days(&app, place).await;
        let (was, is) = (before.each("hits"), after.each("hits"));
        // The 80 oldest of 121 days are months now.
        assert!(was[..80].iter().sum::<i64>() > 0, "{place}");
        assert_eq!(is[..80], [0; 80], "{place}");
        assert_eq!(is[80..], was[80..], "{place}");
        let kept = |answer: &Answer| answer["data"].as_array().expect("days")[80..].to_vec();
        // Visitors are told of the days that are kept.
        assert_eq!(kept(&after), kept(before), "{place}");
    }
    assert_eq!(
        days(&app, &places[3]).await.each("visitors")[80..]
            .iter()
            .sum::<i64>(),
        11
    );
    // Once a day is enough, and twice does no harm.
    tidy(&app).await;
    assert_eq!(told(&app, ids).await, before);
}

async fn months_go_where_their_article_goes(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, FORTY_DAYS]).await;
    let [first, second] = history(&app).await;
    tidy(&app).await;
    let of = |section: &str| {
        let (app, path) = (&app, format!("/v1/hits/monthly?section={section}"));
        async move { series(app, &path).await }
    };
    let own = series(&app, &format!("/v1/hits/monthly?article={first}")).await;
    let others = series(&app, &format!("/v1/hits/monthly?article={second}")).await;
    let both: Vec<i64> = own.iter().zip(&others).map(|(a, b)| a + b).collect();
    assert_eq!(
        (of("sea").await, of("land").await),
        (own.clone(), others.clone())
    );
    let path = format!("/v1/admin/articles/{first}");
    let land = json!({"section_id": 2});
    app.admin().patch(&path, land).await.ok(200);
    assert_eq!(
        (of("sea").await, of("land").await),
        (vec![0; 12], both.clone())
    );
    let unpublish = format!("{path}/unpublish");
    app.admin().act(&unpublish).await.ok(200);
    assert_eq!(of("land").await, others);
    assert_eq!(series(&app, "/v1/hits/monthly").await, others);
    let sea = json!({"section_id": 1});
    app.admin().patch(&path, sea).await.ok(200);
    app.admin().act(&format!("{path}/publish")).await.ok(200);
    assert_eq!((of("sea").await, of("land").await), (own, others.clone()));
    assert_eq!(series(&app, "/v1/hits/monthly").await, both);
    let hidden = json!({"visible": false});
    app.admin()
        .patch("/v1/admin/sections/1", hidden)
        .await
        .ok(200);
    assert_eq!(series(&app, "/v1/hits/monthly").await, others);
    app.admin().delete(&format!("{path}/hits")).await.ok(204);
    let shown = json!({"visible": true});
    app.admin()
        .patch("/v1/admin/sections/1", shown)
        .await
        .ok(200);
    assert_eq!(of("sea").await, [0; 12]);
    assert_eq!(series(&app, "/v1/hits/monthly").await, others);
}

async fn what_is_hidden_while_days_become_months_loses_none(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, FORTY_DAYS]).await;
    let ids = history(&app).await;
    let before = told(&app, ids).await;
    let path = format!("/v1/admin/articles/{}", ids[0]);
    app.admin().act(&format!("{path}/unpublish")).await.ok(200);
    let hidden = json!({"visible": false});
    app.admin()
        .patch("/v1/admin/sections/2", hidden)
        .await
        .ok(200);
    tidy(&app).await;
    app.admin().act(&format!("{path}/publish")).await.ok(200);
    let shown = json!({"visible": true});
    app.admin()
        .patch("/v1/admin/sections/2", shown)
        .await
        .ok(200);
    let after = told(&app, ids).await;
    // The articles themselves have changed: rankings show them.
    assert_eq!(after[0], before[0]);
    assert_eq!(after[3..], before[3..]);
}

async fn months_end_and_totals_stay(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, FORTY_DAYS]).await;
    let ids = history(&app).await;
    tidy(&app).await;
    let before = told(&app, ids).await;
    let path = format!("/v1/hits/monthly?article={}", ids[0]);
    let months = series(&app, &path).await;
    let later = stage
        .with(&[EVERY_VIEW, FORTY_DAYS, ("LANMU_HITS_MONTHS", "3")])
        .await;
    later.set_clock(&app.now().to_string());
    tidy(&later).await;
    let after = told(&later, ids).await;
    let mut expected = months.clone();
    // Kept are the three months before the present one.
    expected[..8].fill(0);
    assert!(months[..8].iter().sum::<i64>() > 0, "{months:?}");
    assert_eq!(series(&later, &path).await, expected);
    let of_section = series(&later, "/v1/hits/monthly?section=sea").await;
    assert_eq!(of_section, expected);
    for (index, was) in before.iter().enumerate() {
        let is_series = was["data"][0]["month"].is_string();
        if !is_series {
            assert_eq!(&after[index], was);
        }
    }
    assert_eq!(windows(&later, ids[0]).await, windows(&app, ids[0]).await);
    assert_eq!(number(&count(&later, ids[1]).await, "total"), 19);
    let kept: i64 = hit_months::table
        .filter(hit_months::article_id.eq(ids[0]))
        .count()
        .get_result(&mut later.connect())
        .expect("a number");
    // From February to April; May still has its days.
    assert_eq!(kept, 3);
}

async fn views_go_on_after_days_became_months(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, FORTY_DAYS]).await;
    let ids = history(&app).await;
    tidy(&app).await;
    let total = number(&count(&app, ids[0]).await, "total");
    for round in 1..=50 {
        app.advance(86_400);
        views(&app, ids[0], 1).await;
        if round % 7 == 0 {
            app.fold().await;
            tidy(&app).await;
        }
    }
    app.fold().await;
    tidy(&app).await;
    assert_eq!(number(&count(&app, ids[0]).await, "total"), total + 50);
    assert_eq!(windows(&app, ids[0]).await, [1, 7, 30]);
    let monthly = series(&app, &format!("/v1/hits/monthly?article={}", ids[0])).await;
    assert_eq!(monthly.iter().sum::<i64>(), total + 50);
    assert_eq!(monthly[9..], [10, 30, 20]);
    assert_eq!(number(&ledger(&app, ids[0]).await, "total"), total + 50);
}

fn sketched(app: &TestApp) -> Vec<chrono::NaiveDate> {
    hit_days::table
        .filter(hit_days::sketch.is_not_null())
        .order(hit_days::day)
        .select(hit_days::day)
        .load(&mut app.connect())
        .expect("the days")
}

async fn sketches_end_and_visitors_stay(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("海", json!({})).await;
    let id = published(&app, "晨渡", section, "2020-01-01T00:00:00Z").await;
    for _ in 0..5 {
        for reader in 0..3 {
            let hit = view(&app, id).header("user-agent", &format!("Portal/{reader}.2"));
            hit.send().await.ok(200);
        }
        app.fold().await;
        tidy(&app).await;
        app.advance(3 * 86_400);
    }
    // The days are 31 January, 3, 6, 9 and 12 February; it is the 15th.
    let before = count(&app, id).await;
    assert_eq!(
        before["visitors"],
        json!({"today": 0, "last_7_days": 6, "last_30_days": 15})
    );
    tidy(&app).await;
    let days: Vec<String> = sketched(&app).iter().map(ToString::to_string).collect();
    assert_eq!(days, ["2026-02-09", "2026-02-12"]);
    assert_eq!(count(&app, id).await.json, before.json);
    // The oldest day that can still be told of has its sketch.
    let late = json!([{"article_id": id, "hit_id": "l", "at": "2026-02-09T04:00:00Z"}]);
    super::batch(&app, late).await;
    app.fold().await;
    let after = count(&app, id).await;
    assert_eq!(after["visitors"]["last_7_days"], 7);
}

async fn hours_end_after_two_days(stage: Stage) {
    let app: Rc<TestApp> = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("海", json!({})).await;
    let id = published(&app, "晨渡", section, "2020-01-01T00:00:00Z").await;
    let hours = || -> i64 {
        let all = hit_hours::table.count();
        all.get_result(&mut app.connect()).expect("a number")
    };
    views(&app, id, 2).await;
    app.fold().await;
    app.advance(49 * 3600);
    tidy(&app).await;
    assert_eq!(hours(), 1);
    let path = format!("/v1/hits/hourly?article={id}");
    assert_eq!(series(&app, &path).await, [0; 48]);
    app.advance(1);
    tidy(&app).await;
    assert_eq!(hours(), 0);
    assert_eq!(windows(&app, id).await, [0, 2, 2]);
    assert_eq!(number(&count(&app, id).await, "total"), 2);
    // What is told later than that needs no hour.
    let late = json!([{"article_id": id, "hit_id": "l", "at": "2026-01-31T04:00:00Z"}]);
    super::batch(&app, late).await;
    app.fold().await;
    assert_eq!(hours(), 0);
    assert_eq!(windows(&app, id).await, [0, 3, 3]);
}

crate::facts![
    days_become_months_and_nothing_else_changes,
    months_go_where_their_article_goes,
    what_is_hidden_while_days_become_months_loses_none,
    months_end_and_totals_stay,
    views_go_on_after_days_became_months,
    sketches_end_and_visitors_stay,
    hours_end_after_two_days,
];
