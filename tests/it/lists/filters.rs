//! What a list lets through.

use serde_json::json;

use crate::support::app::NOON;
use crate::support::stage::Stage;

use super::{LIST, MANAGED, at, days, filtered, ids, list, on_day, refused, section};

async fn a_section_filter_takes_in_what_is_below(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let news = admin.section("要闻", json!({"slug": "news"})).await;
    let town = admin
        .section("镇里", json!({"slug": "town", "parent_id": news}))
        .await;
    let notices = admin.section("告示", json!({"slug": "notices"})).await;
    let one = on_day(&app, news, 1, json!({})).await;
    let two = on_day(&app, town, 2, json!({})).await;
    let three = on_day(&app, notices, 3, json!({"also_in": [town]})).await;
    let four = on_day(&app, notices, 4, json!({"also_in": [news]})).await;
    let five = on_day(&app, notices, 5, json!({})).await;
    for (reference, all, direct) in [
        (news, vec![one, two, three, four], vec![one, four]),
        (town, vec![two, three], vec![two, three]),
        (notices, vec![three, four, five], vec![three, four, five]),
    ] {
        let filter = format!("section={reference}");
        assert_eq!(filtered(&app, &filter).await, all);
        assert_eq!(
            filtered(&app, &format!("{filter}&subsections=true")).await,
            all
        );
        assert_eq!(
            filtered(&app, &format!("{filter}&subsections=false")).await,
            direct
        );
    }
    assert_eq!(
        filtered(&app, "section=news").await,
        [one, two, three, four]
    );
    for missing in ["no-such", "987654"] {
        for path in [LIST, "/v1/archive", "/v1/tags"] {
            app.get(&format!("{path}?section={missing}"))
                .await
                .problem(404, "not_found");
        }
    }
}

async fn texts_are_compared_whole(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let source = |name: &str| json!({"name": name});
    let one = on_day(
        &app,
        section,
        1,
        json!({"tags": ["潮汐", "AB"], "keywords": ["渡船"], "author": "林舟",
               "source": source("青屿日报")}),
    )
    .await;
    let two = on_day(
        &app,
        section,
        2,
        json!({"tags": ["潮", "ab"], "keywords": ["潮汐", "100%"], "author": "O'Neil & \"Co\"",
               "source": source("青屿")}),
    )
    .await;
    let three = on_day(&app, section, 3, json!({"tags": ["100%"], "author": "林"})).await;
    for (filter, expected) in [
        ("tag=潮汐", vec![one]),
        ("tag=潮", vec![two]),
        ("tag=AB", vec![one]),
        ("tag=ab", vec![two]),
        ("tag=10_%25", vec![]),
        ("tag=100%25", vec![three]),
        ("keyword=渡船", vec![one]),
        ("keyword=潮汐", vec![two]),
        ("keyword=100%25", vec![two]),
        ("keyword=AB", vec![]),
        ("source=青屿日报", vec![one]),
        ("source=青屿", vec![two]),
        ("source=日报", vec![]),
        ("author=林舟", vec![one]),
        ("author=林", vec![three]),
        ("author=O'Neil+%26+%22Co%22", vec![two]),
        ("author=%25", vec![]),
        ("tag=潮汐&author=林舟&source=青屿日报", vec![one]),
        ("tag=潮汐&author=林", vec![]),
    ] {
        assert_eq!(filtered(&app, filter).await, expected, "{filter}");
    }
}

async fn a_language_is_compared_in_its_canonical_form(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let chinese = on_day(&app, section, 1, json!({})).await;
    let english = on_day(&app, section, 2, json!({"lang": "EN-gb"})).await;
    for (lang, expected) in [
        ("zh-CN", vec![chinese]),
        ("ZH-cn", vec![chinese]),
        ("en-GB", vec![english]),
        ("en-gb", vec![english]),
        ("fr", vec![]),
    ] {
        assert_eq!(filtered(&app, &format!("lang={lang}")).await, expected);
    }
    assert_eq!(
        refused(&app, "/v1/articles?lang=no_language!").await,
        ["lang"]
    );
}

async fn featured_and_pinned_divide_the_list(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let plain = on_day(&app, section, 1, json!({})).await;
    let featured = on_day(&app, section, 2, json!({"featured": true})).await;
    let pinned = on_day(
        &app,
        section,
        3,
        json!({"pinned_until": "2026-01-31T05:00:00Z"}),
    )
    .await;
    let once = on_day(&app, section, 4, json!({"pinned_until": NOON})).await;
    assert_eq!(filtered(&app, "featured=true").await, [featured]);
    assert_eq!(
        filtered(&app, "featured=false").await,
        [plain, pinned, once]
    );
    assert_eq!(filtered(&app, "pinned=true").await, [pinned]);
    assert_eq!(
        filtered(&app, "pinned=false").await,
        [plain, featured, once]
    );
    app.set_clock("2026-01-31T04:59:59.999Z");
    assert_eq!(filtered(&app, "pinned=true").await, [pinned]);
    app.set_clock("2026-01-31T05:00:00Z");
    assert!(filtered(&app, "pinned=true").await.is_empty());
}

async fn days_are_the_sites_and_inclusive(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let mut ids = Vec::new();
    for instant in [
        "2026-01-09T15:59:59.999Z",
        "2026-01-09T16:00:00Z",
        "2026-01-10T15:59:59.999Z",
        "2026-01-10T16:00:00Z",
    ] {
        ids.push(at(&app, section, instant).await);
    }
    for (filter, expected) in [
        ("published_from=2026-01-10", &ids[1..]),
        ("published_to=2026-01-10", &ids[..3]),
        (
            "published_from=2026-01-10&published_to=2026-01-10",
            &ids[1..3],
        ),
        ("published_from=2026-01-11&published_to=2026-01-10", &[]),
        ("published_from=2026-01-12", &[]),
        ("published_to=2026-01-08", &[]),
    ] {
        assert_eq!(filtered(&app, filter).await, expected, "{filter}");
    }
}

async fn an_instant_begins_inclusive_and_ends_exclusive(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let mut ids = Vec::new();
    for instant in [
        "2026-01-10T07:59:59.999Z",
        "2026-01-10T08:00:00Z",
        "2026-01-10T08:00:00.001Z",
    ] {
        ids.push(at(&app, section, instant).await);
    }
    for (filter, expected) in [
        ("published_from=2026-01-10T08:00:00Z", &ids[1..]),
        ("published_to=2026-01-10T08:00:00Z", &ids[..1]),
        ("published_from=2026-01-10T16:00:00%2B08:00", &ids[1..]),
        ("published_to=2026-01-10T03:00:00-05:00", &ids[..1]),
        ("published_to=2026-01-10T08:00:00.001Z", &ids[..2]),
        (
            "published_from=2026-01-10T08:00:00Z&published_to=2026-01-10T08:00:00.001Z",
            &ids[1..2],
        ),
    ] {
        assert_eq!(filtered(&app, filter).await, expected, "{filter}");
    }
    for bad in [
        "2026-02-30",
        "2026-1-1",
        "20260110",
        "2026-01-10T08:00:00",
        "now",
        "10",
    ] {
        for name in ["published_from", "published_to"] {
            assert_eq!(refused(&app, &format!("{LIST}?{name}={bad}")).await, [name]);
        }
    }
}

async fn a_day_is_as_long_as_the_clocks_make_it(stage: Stage) {
    let new_york = stage.with(&[("LANMU_TIME_ZONE", "America/New_York")]).await;
    let section = section(&new_york).await;
    let mut ids = Vec::new();
    // The clocks go forward on 2025-03-09 and back on 2025-11-02.
    for instant in [
        "2025-03-09T04:59:59Z",
        "2025-03-09T05:00:00Z",
        "2025-03-10T03:59:59Z",
        "2025-03-10T04:00:00Z",
        "2025-11-02T03:59:59Z",
        "2025-11-02T04:00:00Z",
        "2025-11-03T04:59:59Z",
        "2025-11-03T05:00:00Z",
    ] {
        ids.push(at(&new_york, section, instant).await);
    }
    for (day, expected) in [("2025-03-09", &ids[1..3]), ("2025-11-02", &ids[5..7])] {
        let filter = format!("published_from={day}&published_to={day}");
        assert_eq!(filtered(&new_york, &filter).await, expected, "{day}");
    }
}

async fn a_day_without_midnight_begins_when_it_can(stage: Stage) {
    // In Cairo, 2025-04-25 began at one o'clock, which was 2025-04-24T22:00:00Z.
    let cairo = stage.with(&[("LANMU_TIME_ZONE", "Africa/Cairo")]).await;
    let section = section(&cairo).await;
    let before = at(&cairo, section, "2025-04-24T21:59:59.999Z").await;
    let first = at(&cairo, section, "2025-04-24T22:00:00Z").await;
    assert_eq!(filtered(&cairo, "published_from=2025-04-25").await, [first]);
    assert_eq!(filtered(&cairo, "published_to=2025-04-24").await, [before]);
}

async fn ids_are_a_filter_like_others(stage: Stage) {
    let app = stage.app().await;
    let made = days(&app, 4).await;
    let draft = app.admin().draft("草稿", 1, json!({})).await;
    let asked = format!("{},987654,{},{draft},{}", made[2], made[0], made[2]);
    let found = list(&app, &format!("{LIST}?ids={asked}")).await;
    assert_eq!(found.ids(), [made[2], made[0]]);
    assert_eq!(found["page"]["total"], 2);
    let page = app.get(&format!("{LIST}?ids={asked}&limit=1&page=2")).await;
    assert_eq!(page.ok(200).ids(), [made[0]]);
    let managed = ids(&app, &format!("{MANAGED}?ids={asked}&sort=title")).await;
    assert_eq!(managed.len(), 3);
    let many = |n: i64| {
        (1..=n)
            .map(|id| id.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        ids(&app, &format!("{LIST}?ids={}", many(100))).await.len(),
        4
    );
    let long = (0..100).map(|n| (9_007_199_254_740_991_i64 - n).to_string());
    let long = long.collect::<Vec<_>>().join(",");
    assert!(ids(&app, &format!("{LIST}?ids={long}")).await.is_empty());
    for bad in [
        many(101),
        "a".to_owned(),
        "0".to_owned(),
        "1,,2".to_owned(),
        "1.5".to_owned(),
    ] {
        assert_eq!(
            refused(&app, &format!("{LIST}?ids={bad}")).await,
            ["ids"],
            "{bad}"
        );
    }
}

crate::facts![
    a_section_filter_takes_in_what_is_below,
    texts_are_compared_whole,
    a_language_is_compared_in_its_canonical_form,
    featured_and_pinned_divide_the_list,
    days_are_the_sites_and_inclusive,
    an_instant_begins_inclusive_and_ends_exclusive,
    a_day_is_as_long_as_the_clocks_make_it,
    a_day_without_midnight_begins_when_it_can,
    ids_are_a_filter_like_others,
];
