//! In which order a list runs.

use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{LIST, MANAGED, days, ids, on_day, refused, reversed, section};

async fn each_sort_runs_both_ways_with_ties_by_id(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let make = async |title: &str, day: u8| {
        let more = json!({"published_at": format!("2026-01-{day:02}T00:00:00Z")});
        app.admin().article(title, section, more).await
    };
    let one = make("Beta", 3).await;
    let two = make("Alpha", 1).await;
    app.advance(1);
    let three = make("Beta", 2).await;
    let four = make("Gamma", 3).await;
    app.advance(1);
    let path = format!("{MANAGED}/{two}");
    app.admin()
        .patch(&path, json!({"author": "林舟"}))
        .await
        .ok(200);
    for (sort, order, managed_only) in [
        ("published_at", [two, three, one, four], false),
        ("updated_at", [one, three, four, two], false),
        ("title", [two, one, three, four], false),
        ("created_at", [one, two, three, four], true),
    ] {
        for base in [LIST, MANAGED] {
            if base == LIST && managed_only {
                assert_eq!(
                    refused(&app, &format!("{base}?sort={sort}")).await,
                    ["sort"]
                );
                continue;
            }
            for (sort, order) in [
                (sort.to_owned(), order.to_vec()),
                (format!("-{sort}"), reversed(&order)),
            ] {
                let path = format!("{base}?sort={sort}");
                assert_eq!(ids(&app, &path).await, order, "{path}");
                assert_eq!(app.walk(&format!("{path}&limit=1")).await, order, "{path}");
            }
        }
    }
    assert_eq!(ids(&app, LIST).await, [four, one, three, two]);
    for bad in [
        "wat",
        "%2Btitle",
        "--title",
        "title,updated_at",
        "Title",
        "id",
    ] {
        assert_eq!(refused(&app, &format!("{LIST}?sort={bad}")).await, ["sort"]);
    }
}

async fn chinese_titles_sort_by_pinyin(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    // an, bei, chao, chuan, du, gang, ma, qing, ye, zhou
    let titles = [
        "安平码头",
        "北岸",
        "潮汐",
        "船坞",
        "渡口",
        "港湾",
        "码头",
        "清晨",
        "夜航",
        "舟山",
    ];
    let mut expected = vec![0; titles.len()];
    for index in [8, 3, 0, 9, 5, 1, 7, 2, 6, 4] {
        expected[index] = app.admin().article(titles[index], section, json!({})).await;
    }
    for base in [LIST, MANAGED] {
        assert_eq!(ids(&app, &format!("{base}?sort=title")).await, expected);
        assert_eq!(
            ids(&app, &format!("{base}?sort=-title")).await,
            reversed(&expected)
        );
    }
}

async fn latin_titles_sort_as_readers_expect(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let titles = [
        "anchor",
        "Anchor",
        "ångstrom",
        "Boat",
        "boats",
        "École",
        "Zebra",
    ];
    let mut expected = vec![0; titles.len()];
    for index in [6, 4, 2, 0, 5, 3, 1] {
        expected[index] = app.admin().article(titles[index], section, json!({})).await;
    }
    assert_eq!(ids(&app, &format!("{LIST}?sort=title")).await, expected);
}

async fn a_section_has_an_order_of_its_own(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let news = admin.section("要闻", json!({"slug": "news"})).await;
    let town = admin
        .section("镇里", json!({"slug": "town", "parent_id": news}))
        .await;
    let pin = |until: &str| json!({"pinned_until": until});
    let low = on_day(&app, news, 1, pin("2026-01-31T06:00:00Z")).await;
    let high = on_day(&app, news, 2, pin("2026-01-31T05:00:00Z")).await;
    let past = on_day(&app, news, 3, pin("2026-01-31T03:59:59Z")).await;
    let below = on_day(&app, town, 4, pin("2026-01-31T06:00:00Z")).await;
    let plain = on_day(&app, news, 6, json!({})).await;
    let newest = on_day(&app, town, 7, json!({})).await;
    let order = async |section: &str, more: &str| {
        ids(&app, &format!("{LIST}?section={section}{more}")).await
    };
    let pinned = [high, low, newest, plain, below, past];
    assert_eq!(order("news", "").await, pinned);
    assert_eq!(order("news", "&sort=section_order").await, pinned);
    assert_eq!(order("town", "").await, [below, newest]);
    let by_date = [newest, plain, below, past, high, low];
    assert_eq!(order("news", "&sort=-published_at").await, by_date);
    assert_eq!(
        order("news", "&sort=published_at").await,
        reversed(&by_date)
    );
    assert_eq!(ids(&app, LIST).await, by_date);
    app.set_clock("2026-01-31T05:00:00Z");
    assert_eq!(
        order("news", "").await,
        [low, newest, plain, below, past, high]
    );
    app.set_clock("2026-01-31T06:00:00Z");
    assert_eq!(order("news", "").await, by_date);
    assert_eq!(order("town", "").await, [newest, below]);
}

async fn a_sections_order_has_pages_only(stage: Stage) {
    let app = stage.app().await;
    let made = days(&app, 7).await;
    for (id, until) in [
        (made[2], "2026-01-31T05:00:00Z"),
        (made[0], "2026-01-31T06:00:00Z"),
    ] {
        let path = format!("{MANAGED}/{id}");
        app.admin()
            .patch(&path, json!({"pinned_until": until}))
            .await
            .ok(200);
    }
    let path = format!("{LIST}?section=harbour&limit=2");
    let mut seen = Vec::new();
    for page in 1..=4 {
        let answer = app.get(&format!("{path}&page={page}")).await.ok(200);
        assert_eq!(answer["page"]["next_cursor"], Value::Null);
        assert_eq!(answer.link("next").is_some(), page < 4);
        assert_eq!(answer["page"]["total_pages"], 4);
        seen.extend(answer.ids());
    }
    let [first, second, third, fourth, fifth, sixth, seventh] = made[..] else {
        unreachable!("seven were made")
    };
    assert_eq!(seen, [third, first, seventh, sixth, fifth, fourth, second]);
    let by_date = app.get(&format!("{path}&sort=-published_at")).await.ok(200);
    let cursor = by_date["page"]["next_cursor"].as_str().expect("a cursor");
    assert_eq!(
        refused(&app, &format!("{path}&cursor={cursor}")).await,
        ["cursor"]
    );
}

crate::facts![
    each_sort_runs_both_ways_with_ties_by_id,
    chinese_titles_sort_by_pinyin,
    latin_titles_sort_as_readers_expect,
    a_section_has_an_order_of_its_own,
    a_sections_order_has_pages_only,
];
