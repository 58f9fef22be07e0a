//! How many visitors an article has had, by day.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Request;
use crate::support::stage::Stage;

use super::{
    CHROME, EVERY_VIEW, GOOGLEBOT, PATIENT, article, batch, move_clocks, nodes, occurrences,
    published, result, results, simultaneous, view, views, windows,
};

const PROXY: (&str, &str) = ("LANMU_TRUSTED_PROXIES", "127.0.0.1");

fn of_reader(app: &TestApp, id: i64, reader: usize) -> Request {
    view(app, id).header("user-agent", &format!("Portal/{reader}.1"))
}

async fn read(app: &TestApp, id: i64, reader: usize) {
    assert_eq!(result(of_reader(app, id, reader)).await, "counted");
}

/// Today's visitors, those of 7 and those of 30 days, which every read must tell alike.
async fn visitors(app: &TestApp, id: i64) -> [i64; 3] {
    let of = |count: &Value| {
        ["today", "last_7_days", "last_30_days"]
            .map(|name| count["visitors"][name].as_i64().expect("a number"))
    };
    let count = app.get(&format!("/v1/articles/{id}/hits")).await.ok(200);
    let visitors = of(&count.json);
    let many = app.get(&format!("/v1/hits?article_ids={id}")).await.ok(200);
    assert_eq!(of(&many["data"][0]), visitors);
    let article = app.get(&format!("/v1/articles/{id}?include=hits")).await;
    assert_eq!(of(&article.ok(200)["hits"]), visitors);
    let managed = format!("/v1/admin/articles/{id}/hits");
    assert_eq!(of(&app.admin().get(&managed).await.ok(200).json), visitors);
    let daily = app.get(&format!("/v1/hits/daily?article={id}")).await;
    let daily = daily.ok(200).each("visitors");
    let sum = |days: usize| daily.iter().rev().take(days).sum::<i64>();
    assert_eq!([sum(1), sum(7), sum(30)], visitors, "{daily:?}");
    visitors
}

/// The same before and after folding.
async fn settled(app: &TestApp, id: i64) -> [i64; 3] {
    let before = visitors(app, id).await;
    app.fold().await;
    assert_eq!(visitors(app, id).await, before);
    before
}

async fn a_few_visitors_are_told_exactly(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    assert_eq!(settled(&app, id).await, [0; 3]);
    for reader in 1..=12 {
        for _ in 0..3 {
            read(&app, id, reader).await;
        }
        assert_eq!(
            visitors(&app, id).await,
            [i64::try_from(reader).expect("few"); 3]
        );
        if reader % 5 == 0 {
            app.fold().await;
        }
    }
    assert_eq!(settled(&app, id).await, [12; 3]);
    assert_eq!(windows(&app, id).await, [36; 3]);
    assert_eq!(settled(&app, other).await, [0; 3]);
    // Whoever has been here is new elsewhere.
    read(&app, other, 1).await;
    assert_eq!(settled(&app, other).await, [1; 3]);
}

async fn reloads_raise_no_visitors(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for _ in 0..3 {
        views(&app, id, 20).await;
        assert_eq!(settled(&app, id).await, [1; 3]);
        app.advance(3600);
    }
    assert_eq!(windows(&app, id).await, [60; 3]);
    app.stop().await;
    let later = stage.with(&[EVERY_VIEW]).await;
    later.advance(4 * 3600);
    views(&later, id, 1).await;
    assert_eq!(settled(&later, id).await, [1; 3]);
}

async fn neither_bots_nor_duplicates_are_visitors(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    for (agent, expected) in [
        (CHROME, "counted"),
        (CHROME, "duplicate"),
        (GOOGLEBOT, "bot"),
    ] {
        let request = view(&app, id).header("user-agent", agent);
        assert_eq!(result(request).await, expected);
    }
    let late = json!([{"article_id": id, "hit_id": "l", "at": "2025-01-01T00:00:00Z"}]);
    assert_eq!(results(&batch(&app, late).await), ["rejected"]);
    assert_eq!(settled(&app, id).await, [1; 3]);
}

async fn thousands_of_visitors_are_told_about_right(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    let mut all: Vec<usize> = (0..2000).chain((0..2000).step_by(3)).collect();
    // Some come again, and not in order.
    all.sort_by_key(|reader| (reader % 7, *reader));
    for (index, chunk) in all.chunks(100).enumerate() {
        let requests = (0..).zip(chunk).map(|(n, reader)| {
            let node: usize = (n + index) % 2;
            of_reader(&nodes[node], id, *reader)
        });
        let results = simultaneous(requests.collect()).await;
        assert_eq!(occurrences(&results, "counted"), chunk.len());
        if index % 9 == 8 {
            nodes[(index / 9) % 2].fold().await;
        }
    }
    let told = settled(&nodes[0], id).await;
    assert_eq!(visitors(&nodes[1], id).await, told);
    assert_eq!(told, [told[0]; 3]);
    assert!((1860..=2140).contains(&told[0]), "{told:?}");
    assert_eq!(windows(&nodes[1], id).await, [2667; 3]);
}

async fn nodes_that_fold_in_turns_tell_the_same(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW]).await;
    let id = article(&nodes[0]).await;
    for turn in 0..12_usize {
        // Each reader comes to one node, and later to the other.
        read(&nodes[turn % 2], id, turn).await;
        read(&nodes[(turn + 1) % 2], id, turn / 2).await;
        if turn % 3 == 0 {
            nodes[(turn / 3) % 2].fold().await;
        }
        let expected = [i64::try_from(turn + 1).expect("few"); 3];
        for node in &nodes {
            assert_eq!(visitors(node, id).await, expected, "turn {turn}");
        }
    }
    assert_eq!(settled(&nodes[1], id).await, [12; 3]);
    assert_eq!(visitors(&nodes[0], id).await, [12; 3]);
}

async fn a_visitor_of_two_days_is_two(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW]).await;
    let [a, b] = &nodes;
    let id = article(a).await;
    for (clock, expected) in [
        ("2026-01-31T15:59:59Z", [1, 1, 1]),
        ("2026-01-31T16:00:00Z", [1, 2, 2]),
        ("2026-02-06T15:00:00Z", [1, 3, 3]),
        ("2026-02-07T15:00:00Z", [1, 3, 4]),
        ("2026-03-01T15:00:00Z", [1, 1, 5]),
        ("2026-03-02T15:00:00Z", [1, 2, 5]),
    ] {
        move_clocks(&nodes, clock);
        read(a, id, 1).await;
        read(b, id, 1).await;
        assert_eq!(settled(b, id).await, expected, "{clock}");
        assert_eq!(visitors(a, id).await, expected, "{clock}");
    }
}

async fn visitors_of_a_batch_are_of_its_days(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, PROXY]).await;
    let id = article(&app).await;
    for phone in 1..=3 {
        let hit = |n: i64, at: &str| {
            let hit_id = format!("{phone}-{n}");
            json!({"article_id": id, "hit_id": hit_id, "at": at, "client": "app"})
        };
        let items = json!({"hits": [
            hit(1, "2026-01-28T03:00:00Z"),
            hit(2, "2026-01-28T05:00:00Z"),
            hit(3, "2026-01-30T15:59:59Z"),
            hit(4, "2026-01-30T16:00:00Z"),
            hit(5, "2026-01-30T17:00:00Z"),
        ]});
        let sent = app
            .request(reqwest::Method::POST, "/v1/hits")
            .header("x-forwarded-for", &format!("203.0.113.{phone}"))
            .json(&items)
            .send()
            .await
            .ok(200);
        assert_eq!(results(&sent), ["counted"; 5]);
        // The same phone, now.
        let now = view(&app, id).header("x-forwarded-for", &format!("203.0.113.{phone}"));
        assert_eq!(result(now).await, "counted");
        app.fold().await;
    }
    let path = format!("/v1/hits/daily?article={id}&from=2026-01-27&to=2026-01-31");
    let daily = app.get(&path).await.ok(200);
    assert_eq!(daily.each("visitors"), [0, 3, 0, 3, 3]);
    assert_eq!(daily.each("hits"), [0, 6, 0, 3, 9]);
    assert_eq!(settled(&app, id).await, [3, 9, 9]);
}

async fn a_reset_forgets_visitors(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW]).await;
    let id = article(&nodes[0]).await;
    for round in 0..2 {
        for node in &nodes {
            for reader in 0..4 {
                read(node, id, reader).await;
            }
        }
        assert_eq!(visitors(&nodes[round], id).await, [4; 3], "round {round}");
        let path = format!("/v1/admin/articles/{id}/hits");
        nodes[0].admin().delete(&path).await.ok(204);
        assert_eq!(visitors(&nodes[1], id).await, [0; 3]);
        // Who was there before is there again.
        read(&nodes[round], id, 2).await;
        assert_eq!(settled(&nodes[0], id).await, [1; 3], "round {round}");
    }
}

async fn a_series_of_many_articles_tells_no_visitors(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    read(&app, id, 1).await;
    for folded in [false, true] {
        if folded {
            app.fold().await;
        }
        for query in ["section=1&from=2026-01-30", "from=2026-01-30"] {
            let daily = app.get(&format!("/v1/hits/daily?{query}")).await.ok(200);
            assert_eq!(
                daily["data"],
                json!([
                    {"day": "2026-01-30", "hits": 0, "visitors": null},
                    {"day": "2026-01-31", "hits": 1, "visitors": null},
                ])
            );
        }
    }
}

crate::facts![
    a_few_visitors_are_told_exactly,
    reloads_raise_no_visitors,
    neither_bots_nor_duplicates_are_visitors,
    thousands_of_visitors_are_told_about_right,
    nodes_that_fold_in_turns_tell_the_same,
    a_visitor_of_two_days_is_two,
    visitors_of_a_batch_are_of_its_days,
    a_reset_forgets_visitors,
    a_series_of_many_articles_tells_no_visitors,
];
