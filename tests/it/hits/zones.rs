//! Hours and days in zones whose clocks are changed: nothing is left out, and nothing told twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Offset, Utc};
use chrono_tz::Tz;
use lanmu::db::Timestamp;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::series::{fleet, series};
use super::{EVERY_VIEW, batch, published, results, views};

/// Where clocks are changed, and an instant well after that within 48 hours.
const CHANGES: [(&str, &str); 9] = [
    ("Europe/Berlin", "2026-03-30T10:20:00Z"),
    ("Europe/Berlin", "2025-10-27T10:20:00Z"),
    ("America/New_York", "2026-03-09T16:59:59Z"),
    ("America/New_York", "2025-11-03T02:00:00Z"),
    ("Asia/Kathmandu", "2026-01-31T04:14:59Z"),
    ("Australia/Lord_Howe", "2026-04-06T01:10:00Z"),
    ("Australia/Lord_Howe", "2025-10-05T15:59:00Z"),
    ("Pacific/Apia", "2011-12-31T20:15:00Z"),
    ("Asia/Shanghai", "2026-01-31T04:00:00Z"),
];

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.millis()).expect("in range")
}

fn offset(zone: Tz, at: Timestamp) -> i64 {
    i64::from(
        utc(at)
            .with_timezone(&zone)
            .offset()
            .fix()
            .local_minus_utc(),
    )
}

fn local_day(zone: Tz, at: Timestamp) -> NaiveDate {
    utc(at).with_timezone(&zone).date_naive()
}

/// The last so many hours, found minute by minute: one begins wherever the site's clocks show a full
/// hour, or are changed.
fn hours(zone: Tz, now: Timestamp, number: usize) -> Vec<Timestamp> {
    let minute = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(60_000));
    let mut minute = minute.expect("in range");
    let mut found = Vec::new();
    while found.len() < number {
        let before = minute.plus_seconds(-60);
        let is_changed = offset(zone, before) != offset(zone, minute);
        let local = minute.millis() / 1000 + offset(zone, minute);
        if is_changed || local.rem_euclid(3600) == 0 {
            found.push(minute);
        }
        minute = before;
    }
    found.reverse();
    found
}

/// Hits of the last 7 days, more and more of them: every 100 minutes some, the last of them now. Sent
/// by batches; those of the present sent as such.
async fn spread(app: &TestApp, ids: &[i64]) -> Vec<Timestamp> {
    let now = app.now();
    let mut all = Vec::new();
    for step in 0..=100_i64 {
        let at = now
            .plus_seconds(-step * 6000)
            .max(now.plus_seconds(-7 * 86_400));
        for copy in 0..=step % 3 {
            let id = ids[usize::try_from(step).expect("small") % ids.len()];
            all.push((id, at, format!("s{step}-{copy}")));
        }
    }
    let items: Vec<Value> = all
        .iter()
        .map(|(id, at, hit_id)| json!({"article_id": id, "hit_id": hit_id, "at": at.to_string()}))
        .collect();
    assert!(items.len() <= 500);
    let sent = batch(app, json!(items)).await;
    assert!(results(&sent).iter().all(|result| *result == "counted"));
    all.into_iter().map(|(_, at, _)| at).collect()
}

async fn hours_have_no_gap_where_clocks_are_changed(stage: Stage) {
    for (name, now) in CHANGES {
        let zone: Tz = name.parse().expect("a zone");
        let app = stage.with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", name)]).await;
        let section = app.admin().section("港口", json!({})).await;
        let id = published(&app, "晨渡", section, "2001-01-01T00:00:00Z").await;
        app.set_clock(now);
        let hits = spread(&app, &[id]).await;
        let starts = hours(zone, app.now(), 48);
        let mut expected: BTreeMap<Timestamp, i64> = starts.iter().map(|at| (*at, 0)).collect();
        for at in &hits {
            if let Some((_, number)) = expected.range_mut(..=*at).next_back() {
                *number += 1;
            }
        }
        let expected: Vec<(String, i64)> = expected
            .into_iter()
            .map(|(hour, number)| (hour.to_string(), number))
            .collect();
        for folded in [false, true] {
            if folded {
                app.fold().await;
            }
            for whose in [format!("article={id}"), format!("section={section}")] {
                let told = series(&app, &format!("/v1/hits/hourly?{whose}")).await;
                assert_eq!(told, expected, "{name} {now} {whose} folded: {folded}");
            }
            let last = series(&app, &format!("/v1/hits/hourly?article={id}&hours=5")).await;
            assert_eq!(last, expected[43..], "{name} {now}");
        }
        app.stop().await;
    }
}

async fn days_have_no_gap_where_clocks_are_changed(stage: Stage) {
    for (name, now) in CHANGES {
        let zone: Tz = name.parse().expect("a zone");
        let app = stage.with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", name)]).await;
        let section = app.admin().section("港口", json!({})).await;
        let id = published(&app, "晨渡", section, "2001-01-01T00:00:00Z").await;
        app.set_clock(now);
        let hits = spread(&app, &[id]).await;
        let today = local_day(zone, app.now());
        let days = (0..30).map(|back| today - Days::new(29 - back));
        let expected: Vec<(String, i64)> = days
            .map(|day| {
                let of_day = hits.iter().filter(|at| local_day(zone, **at) == day);
                (day.to_string(), i64::try_from(of_day.count()).expect("few"))
            })
            .collect();
        for folded in [false, true] {
            if folded {
                app.fold().await;
            }
            for whose in [format!("article={id}"), format!("section={section}")] {
                let told = series(&app, &format!("/v1/hits/daily?{whose}")).await;
                assert_eq!(told, expected, "{name} {now} {whose} folded: {folded}");
            }
        }
        app.stop().await;
    }
}

async fn a_day_that_was_skipped_is_there_with_zero(stage: Stage) {
    let app = stage
        .with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", "Pacific/Apia")])
        .await;
    let id = fleet(&app).await[0];
    // Samoa went from the end of 29 December 2011 to the beginning of the 31st.
    for clock in ["2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z"] {
        app.set_clock(clock);
        views(&app, id, 1).await;
    }
    let path = format!("/v1/hits/daily?article={id}&from=2011-12-28&to=2012-01-01");
    for _ in 0..2 {
        let told = series(&app, &path).await;
        let days: Vec<(&str, i64)> = told.iter().map(|(day, n)| (day.as_str(), *n)).collect();
        let expected = [
            ("2011-12-28", 0),
            ("2011-12-29", 1),
            ("2011-12-30", 0),
            ("2011-12-31", 1),
            ("2012-01-01", 0),
        ];
        assert_eq!(days, expected);
        app.fold().await;
    }
}

async fn an_hour_that_comes_twice_is_told_twice(stage: Stage) {
    let app = stage
        .with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", "America/New_York")])
        .await;
    let id = fleet(&app).await[0];
    for (clock, number) in [
        ("2025-11-02T04:59:59Z", 1),
        ("2025-11-02T05:00:00Z", 2),
        ("2025-11-02T06:00:00Z", 3),
        ("2025-11-02T06:59:59Z", 1),
        ("2025-11-02T07:00:00Z", 5),
    ] {
        app.set_clock(clock);
        views(&app, id, number).await;
    }
    let told = series(&app, &format!("/v1/hits/hourly?article={id}&hours=4")).await;
    let hours: Vec<(&str, i64)> = told.iter().map(|(hour, n)| (hour.as_str(), *n)).collect();
    let expected = [
        ("2025-11-02T04:00:00Z", 1),
        ("2025-11-02T05:00:00Z", 2),
        ("2025-11-02T06:00:00Z", 4),
        ("2025-11-02T07:00:00Z", 5),
    ];
    assert_eq!(hours, expected);
}

async fn an_hour_may_be_half_an_hour(stage: Stage) {
    let app = stage
        .with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", "Australia/Lord_Howe")])
        .await;
    let id = fleet(&app).await[0];
    // At 02:00 on 5 April 2026 the clocks go back to 01:30.
    for (clock, number) in [
        ("2026-04-04T14:00:00Z", 1),
        ("2026-04-04T14:30:00Z", 2),
        ("2026-04-04T14:59:59Z", 4),
        ("2026-04-04T15:00:00Z", 8),
        ("2026-04-04T15:29:59Z", 16),
        ("2026-04-04T15:30:00Z", 32),
    ] {
        app.set_clock(clock);
        views(&app, id, number).await;
    }
    for _ in 0..2 {
        let told = series(&app, &format!("/v1/hits/hourly?article={id}&hours=3")).await;
        let hours: Vec<(&str, i64)> = told.iter().map(|(hour, n)| (hour.as_str(), *n)).collect();
        let expected = [
            ("2026-04-04T14:00:00Z", 7),
            ("2026-04-04T15:00:00Z", 24),
            ("2026-04-04T15:30:00Z", 32),
        ];
        assert_eq!(hours, expected);
        app.fold().await;
    }
}

async fn an_hour_may_begin_at_a_quarter(stage: Stage) {
    // Its clocks are 5 hours and 45 minutes ahead.
    let app = stage
        .with(&[EVERY_VIEW, ("LANMU_TIME_ZONE", "Asia/Kathmandu")])
        .await;
    let id = fleet(&app).await[0];
    for clock in ["2026-01-31T04:14:59Z", "2026-01-31T04:15:00Z"] {
        app.set_clock(clock);
        views(&app, id, 1).await;
    }
    let told = series(&app, &format!("/v1/hits/hourly?article={id}&hours=2")).await;
    let expected = [
        ("2026-01-31T03:15:00Z".to_owned(), 1),
        ("2026-01-31T04:15:00Z".to_owned(), 1),
    ];
    assert_eq!(told, expected);
}

crate::facts![
    hours_have_no_gap_where_clocks_are_changed,
    days_have_no_gap_where_clocks_are_changed,
    a_day_that_was_skipped_is_there_with_zero,
    an_hour_that_comes_twice_is_told_twice,
    an_hour_may_be_half_an_hour,
    an_hour_may_begin_at_a_quarter,
];
