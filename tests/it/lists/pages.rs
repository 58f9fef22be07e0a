//! A list page by page.

use lanmu::articles::text::title_key;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{LIST, MANAGED, days, ids, refused, reversed, section};

async fn a_walk_sees_every_article_once(stage: Stage) {
    let app = stage.app().await;
    let made = days(&app, 7).await;
    for base in [LIST, MANAGED] {
        for limit in [1, 2, 3, 6, 7, 8] {
            let path = format!("{base}?sort=-published_at&limit={limit}");
            assert_eq!(app.walk(&path).await, reversed(&made), "{path}");
            let mut paged = Vec::new();
            let mut next = Some(path);
            while let Some(path) = next {
                let answer = app.admin().get(&path).await.ok(200);
                paged.extend(answer.ids());
                next = answer.link("next");
            }
            assert_eq!(paged, reversed(&made));
        }
    }
}

async fn a_walk_outlives_what_is_added(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let add = async |articles: &[(&str, u8)]| {
        for (title, day) in articles {
            let more = json!({"published_at": format!("2026-01-{day:02}T00:00:00Z")});
            app.admin().article(title, section, more).await;
            app.advance(1);
        }
    };
    add(&[
        ("码头", 10),
        ("潮汐", 11),
        ("渡口", 11),
        ("船坞", 12),
        ("渡口", 13),
    ])
    .await;
    for base in [LIST, MANAGED] {
        for sort in ["published_at", "updated_at", "title"] {
            for direction in ["", "-"] {
                let path = format!("{base}?sort={direction}{sort}");
                let before = ids(&app, &path).await;
                let first = app.admin().get(&format!("{path}&limit=2")).await.ok(200);
                let cursor = first["page"]["next_cursor"].as_str().expect("a cursor");
                add(&[("安平", 1), ("舟山", 30), ("渡口", 11)]).await;
                let rest = app.walk(&format!("{path}&limit=2&cursor={cursor}")).await;
                let seen = [first.ids(), rest].concat();
                for id in before {
                    let times = seen.iter().filter(|other| **other == id).count();
                    assert_eq!(times, 1, "{path}: {id} in {seen:?}");
                }
            }
        }
    }
}

async fn the_envelope_tells_where_the_page_stands(stage: Stage) {
    let app = stage.app().await;
    let made = days(&app, 5).await;
    for (query, page, ids, more) in [
        ("", [20, 1, 5, 1], &made[..], false),
        ("&limit=2", [2, 1, 5, 3], &made[..2], true),
        ("&limit=2&page=3", [2, 3, 5, 3], &made[4..], false),
        ("&limit=5", [5, 1, 5, 1], &made[..], false),
        ("&limit=2&page=9", [2, 9, 5, 3], &[], false),
        (
            "&limit=2&count=exact&page=2",
            [2, 2, 5, 3],
            &made[2..4],
            true,
        ),
        ("&tag=none", [20, 1, 0, 0], &[], false),
    ] {
        for base in [LIST, MANAGED] {
            let path = format!("{base}?sort=published_at{query}");
            let answer = app.admin().get(&path).await.ok(200);
            assert_eq!(answer.ids(), ids, "{path}");
            let told = ["limit", "number", "total", "total_pages"];
            assert_eq!(
                told.map(|name| answer["page"][name].as_i64()),
                page.map(Some),
                "{path}"
            );
            assert_eq!(answer["page"]["next_cursor"].is_string(), more, "{path}");
        }
    }
    let uncounted = app.get(&format!("{LIST}?count=none&limit=2")).await.ok(200);
    for name in ["total", "total_pages"] {
        assert_eq!(uncounted["page"].get(name), Some(&Value::Null));
    }
    assert_eq!(uncounted["page"]["number"], 1);
    assert!(uncounted["page"]["next_cursor"].is_string());
}

async fn a_page_by_cursor_is_counted_on_request(stage: Stage) {
    let app = stage.app().await;
    let made = days(&app, 5).await;
    for base in [LIST, MANAGED] {
        let path = format!("{base}?sort=published_at&limit=2");
        let first = app.admin().get(&path).await.ok(200);
        let cursor = first["page"]["next_cursor"].as_str().expect("a cursor");
        for (count, total, pages) in [
            ("", Value::Null, Value::Null),
            ("&count=none", Value::Null, Value::Null),
            ("&count=exact", json!(5), json!(3)),
        ] {
            let path = format!("{path}&cursor={cursor}{count}");
            let answer = app.admin().get(&path).await.ok(200);
            assert_eq!(answer.ids(), made[2..4]);
            let page = &answer["page"];
            assert_eq!(
                (&page["number"], &page["total"], &page["total_pages"]),
                (&Value::Null, &total, &pages)
            );
        }
        let both = format!("{path}&cursor={cursor}&page=1");
        assert_eq!(refused(&app, &both).await, ["cursor"]);
    }
}

async fn links_lead_to_the_other_pages(stage: Stage) {
    let app = stage.app().await;
    let made = days(&app, 7).await;
    for base in [LIST, MANAGED] {
        let path = format!("{base}?tag=潮汐&sort=published_at&limit=2&count=exact");
        let pages: Vec<&[i64]> = made.chunks(2).collect();
        for number in 1..=4 {
            let answer = app
                .admin()
                .get(&format!("{path}&page={number}"))
                .await
                .ok(200);
            for (relation, target) in [
                ("first", Some(1)),
                ("prev", (number > 1).then(|| number - 1)),
                ("next", (number < 4).then_some(number + 1)),
                ("last", Some(4)),
            ] {
                let link = answer.link(relation);
                assert_eq!(link.is_some(), target.is_some(), "{number} {relation}");
                let (Some(link), Some(target)) = (link, target) else {
                    continue;
                };
                assert!(link.starts_with(&format!("{base}?")), "{link}");
                let there = app.admin().get(&link).await.ok(200);
                assert_eq!(there.ids(), pages[target - 1], "{link}");
                assert_eq!(there["page"]["total"], 7, "{link}");
            }
        }
        let first = app.admin().get(&path).await.ok(200);
        let cursor = first["page"]["next_cursor"].as_str().expect("a cursor");
        let second = app
            .admin()
            .get(&format!("{path}&cursor={cursor}"))
            .await
            .ok(200);
        let third = app
            .admin()
            .get(&second.link("next").expect("a link"))
            .await
            .ok(200);
        assert_eq!(third.ids(), made[4..6]);
        assert_eq!(second.link("last"), None);
        let fourth = app
            .admin()
            .get(&third.link("next").expect("a link"))
            .await
            .ok(200);
        assert_eq!(
            (fourth.ids(), fourth.link("next")),
            (made[6..].to_vec(), None)
        );
    }
    let empty = app.get(&format!("{LIST}?tag=none")).await.ok(200);
    assert_eq!((empty.link("prev"), empty.link("next")), (None, None));
    let uncounted = app.get(&format!("{LIST}?count=none&limit=2")).await.ok(200);
    assert_eq!(uncounted.link("last"), None);
    let head = app.request(Method::HEAD, &format!("{LIST}?limit=2"));
    assert!(head.send().await.ok(200).link("next").is_some());
}

async fn a_limit_is_from_1_to_100(stage: Stage) {
    let app = stage.app().await;
    days(&app, 2).await;
    for good in ["1", "100"] {
        app.get(&format!("{LIST}?limit={good}")).await.ok(200);
    }
    for base in [LIST, MANAGED, "/v1/sections"] {
        for bad in ["0", "101", "-1", "x", "1.5", "", "99999999999999999999"] {
            assert_eq!(
                refused(&app, &format!("{base}?limit={bad}")).await,
                ["limit"]
            );
        }
        for bad in ["0", "-1", "x", "99999999999999999999"] {
            assert_eq!(refused(&app, &format!("{base}?page={bad}")).await, ["page"]);
        }
        assert_eq!(refused(&app, &format!("{base}?count=all")).await, ["count"]);
    }
}

async fn all_faults_of_a_query_are_told_at_once(stage: Stage) {
    let app = stage.app().await;
    let query = "limit=101&page=0&sort=wat&count=some&featured=maybe&pinned=1&subsections=no\
                 &lang=!&ids=a&published_from=x&published_to=2026-02-30&include=z&wat=1&Tag=x";
    assert_eq!(
        refused(&app, &format!("{LIST}?{query}")).await,
        [
            "Tag",
            "count",
            "featured",
            "ids",
            "include",
            "lang",
            "limit",
            "page",
            "pinned",
            "published_from",
            "published_to",
            "sort",
            "subsections",
            "wat"
        ]
    );
    let managed = "status=wat&created_by=x&sort=hit&limit=0&wat=1";
    assert_eq!(
        refused(&app, &format!("{MANAGED}?{managed}")).await,
        ["created_by", "limit", "sort", "status", "wat"]
    );
    for path in [
        "/v1/archive",
        "/v1/tags",
        "/v1/site",
        "/v1/articles/1/neighbors",
    ] {
        assert_eq!(refused(&app, &format!("{path}?wat=1")).await, ["wat"]);
    }
}

async fn a_cursor_serves_its_own_list_only(stage: Stage) {
    let app = stage.app().await;
    days(&app, 3).await;
    let sorts = [
        "published_at",
        "-published_at",
        "updated_at",
        "title",
        "-title",
    ];
    for base in [LIST, MANAGED] {
        for sort in sorts {
            let first = app
                .admin()
                .get(&format!("{base}?sort={sort}&limit=1"))
                .await
                .ok(200);
            let cursor = first["page"]["next_cursor"].as_str().expect("a cursor");
            for other in sorts.into_iter().filter(|other| *other != sort) {
                let path = format!("{base}?sort={other}&limit=1&cursor={cursor}");
                assert_eq!(refused(&app, &path).await, ["cursor"], "{sort} {other}");
            }
            let half = &cursor[..cursor.len() / 2];
            for bad in [half, "x", "W10", "bnVsbA", "%F0%9F%9A%A2", ""] {
                let path = format!("{base}?sort={sort}&cursor={bad}");
                assert_eq!(refused(&app, &path).await, ["cursor"], "{bad}");
            }
        }
    }
}

/// 300 of these characters, in an order that nothing compresses.
fn scattered(characters: impl IntoIterator<Item = char>) -> String {
    let pool: Vec<char> = characters.into_iter().collect();
    let mut seed: u64 = 7;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).expect("31 bits") % pool.len()
    };
    (0..300).map(|_| pool[next()]).collect()
}

/// Lists with each of these titles twice, walked by title one by one.
async fn walk_titles(app: &TestApp, titles: &[String]) {
    let section = section(app).await;
    let mut made = Vec::new();
    for title in titles {
        for _ in 0..2 {
            made.push(app.admin().article(title, section, json!({})).await);
        }
    }
    for base in [LIST, MANAGED] {
        for sort in ["title", "-title"] {
            let path = format!("{base}?sort={sort}");
            let all = ids(app, &path).await;
            assert_eq!(app.walk(&format!("{path}&limit=1")).await, all);
            let mut sorted = all;
            sorted.sort_unstable();
            assert_eq!(sorted, made);
        }
    }
}

async fn a_long_title_has_a_cursor(stage: Stage) {
    let app = stage.app().await;
    let titles = [
        "渡".repeat(300),
        "Ǟ".repeat(300),
        scattered('\u{4E00}'..='\u{9FFF}'),
        scattered('\u{20000}'..='\u{2A6DF}'),
        scattered('\u{1E00}'..='\u{1EFF}'),
        scattered('\u{1F600}'..='\u{1F64F}'),
    ];
    walk_titles(&app, &titles).await;
}

async fn a_title_whose_letters_sort_as_many_has_a_cursor(stage: Stage) {
    let app = stage.app().await;
    let titles = [
        "ﷺ".repeat(300),
        scattered('\u{FBD3}'..='\u{FDFA}'),
        scattered('\u{3200}'..='\u{33FF}'),
    ];
    walk_titles(&app, &titles).await;
}

async fn no_title_is_too_much_for_an_index(stage: Stage) {
    let app = stage.app().await;
    let section = section(&app).await;
    let length = |letter: &char| title_key(&letter.to_string().repeat(4)).len();
    let ranges = [
        '\u{A0}'..='\u{FF}',
        '\u{1F00}'..='\u{33FF}',
        '\u{FB00}'..='\u{FDFF}',
        '\u{1F100}'..='\u{1F2FF}',
    ];
    let mut letters: Vec<char> = ranges.into_iter().flatten().collect();
    letters.sort_by_cached_key(|letter| std::cmp::Reverse(length(letter)));
    for number in [100, 200, 300, 400, 500] {
        let title = scattered(letters[..number].iter().copied());
        let more = json!({"title": title});
        app.admin().article("晨渡", section, more).await;
    }
}

crate::facts![
    a_walk_sees_every_article_once,
    a_walk_outlives_what_is_added,
    the_envelope_tells_where_the_page_stands,
    a_page_by_cursor_is_counted_on_request,
    links_lead_to_the_other_pages,
    a_limit_is_from_1_to_100,
    all_faults_of_a_query_are_told_at_once,
    a_cursor_serves_its_own_list_only,
    a_long_title_has_a_cursor,
    a_title_whose_letters_sort_as_many_has_a_cursor,
    no_title_is_too_much_for_an_index,
];
