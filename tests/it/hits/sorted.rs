//! Rankings on days after the last view was folded in, and of more articles than are looked at in one go.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::numbers::{Numbers, seed};
use crate::support::stage::Stage;

use super::compare::{compare_list, compare_ranking};
use super::model::{Model, Place};
use super::{EVERY_VIEW, PATIENT, batch, move_clocks, nodes, results, view};

const QUIET: (&str, &str) = ("LANMU_RATE_LIMIT", "off");

async fn tidy(app: &TestApp) {
    lanmu::hits::tidy(&app.app).await.expect("it is tidied");
}

async fn compare(model: &Model, node: usize, limit: usize) {
    let app = &model.nodes[node];
    for place in [Place::Site, Place::Section(1), Place::Section(2)] {
        compare_ranking(app, model, place, limit).await;
        compare_list(app, model, place, false, 7).await;
    }
}

/// A model whose twelve articles have views of the last 35 days, folded in now and then.
async fn viewed(stage: &Stage, numbers: &Numbers) -> Model {
    let mut model = Model::new(nodes(stage, &[EVERY_VIEW, QUIET, PATIENT]).await);
    move_clocks(&model.nodes, "2026-01-31T15:00:00Z");
    model.section_made("海", None).await;
    model.section_made("湾", Some(1)).await;
    while model.articles.len() < 12 {
        let node = std::rc::Rc::clone(&model.nodes[0]);
        model.article_made(&node, numbers).await;
    }
    for article in &mut model.articles {
        if article.expires_at.is_some() || !article.released {
            let path = format!("/v1/admin/articles/{}/publish", article.id);
            let body = json!({"published_at": "2026-01-01T00:00:00Z", "expires_at": null});
            let made = model.nodes[0].admin().post(&path, body).await.ok(200);
            article.released = made["status"] == "published";
            article.published_at =
                Some("2026-01-01T00:00:00Z").and_then(lanmu::db::Timestamp::parse);
            article.expires_at = None;
        }
    }
    let ids: Vec<i64> = model.articles.iter().map(|article| article.id).collect();
    for day in 0..35 {
        for _ in 0..numbers.below(6) {
            let (id, node) = (numbers.pick(&ids), day % 2);
            if model.is_public(id) {
                let hit = view(&model.nodes[node], id).send().await.ok(200);
                assert_eq!(hit["result"], "counted");
                model.count(id, model.now());
            }
        }
        if numbers.below(3) == 0 {
            model.nodes[day % 2].fold().await;
        }
        model.nodes.iter().for_each(|node| node.advance(86_400));
    }
    model
}

async fn rankings_follow_the_day_by_themselves(stage: Stage) {
    let numbers = Numbers::new(seed());
    let model = viewed(&stage, &numbers).await;
    assert!(model.hits.len() > 20);
    // Nothing is folded in any more, nor tidied.
    model.nodes[0].fold().await;
    for day in 0..11 {
        compare(&model, day % 2, 1 + day % 4).await;
        let days = 1 + i64::try_from(day / 2).expect("few");
        model
            .nodes
            .iter()
            .for_each(|node| node.advance(days * 86_400));
    }
    compare(&model, 0, 100).await;
}

async fn rankings_are_the_same_when_they_are_tidied(stage: Stage) {
    let numbers = Numbers::new(seed() + 1);
    let model = viewed(&stage, &numbers).await;
    for day in 0..9 {
        compare(&model, 0, 3).await;
        tidy(&model.nodes[day % 2]).await;
        compare(&model, 1, 2 + day % 3).await;
        if day == 3 {
            model.nodes[1].fold().await;
        }
        let days = 1 + i64::try_from(day).expect("few");
        model
            .nodes
            .iter()
            .for_each(|node| node.advance(days * 86_400));
    }
}

async fn ids_of(app: &TestApp, path: &str) -> Vec<i64> {
    let top = app.get(path).await.ok(200);
    let items = top["data"].as_array().expect("a list").iter();
    items
        .map(|item| item["article"]["id"].as_i64().expect("an id"))
        .collect()
}

async fn a_ranking_goes_past_many_rows_of_other_days(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, QUIET, PATIENT]).await;
    let section = app.admin().section("港口", json!({})).await;
    let below = app
        .admin()
        .section("泊位", json!({"parent_id": section}))
        .await;
    let admin = app.admin();
    let mut ids = Vec::new();
    for first in (0..506).step_by(22) {
        let made = (first..first + 22).map(|n: usize| {
            let title = format!("第{n}班");
            let admin = &admin;
            async move { admin.article(&title, section, json!({})).await }
        });
        ids.extend(join_all(made).await);
    }
    let mut few = Vec::new();
    for title in ["早潮", "午潮", "晚潮"] {
        few.push(app.admin().article(title, below, json!({})).await);
    }
    ids.sort_unstable();
    for round in 0..2 {
        for chunk in ids.chunks(500) {
            let items: Vec<Value> = chunk
                .iter()
                .map(|id| json!({"article_id": id, "hit_id": format!("r{round}")}))
                .collect();
            let sent = batch(&app, json!(items)).await;
            assert!(results(&sent).iter().all(|result| *result == "counted"));
        }
    }
    // More articles than one transaction folds in.
    assert_eq!(app.fold().await, 506);
    let many: Vec<i64> = ids.iter().rev().take(100).copied().collect();
    assert_eq!(
        ids_of(&app, "/v1/hits/top?window=today&limit=100").await,
        many
    );

    app.set_clock("2026-02-01T04:00:00Z");
    for id in &few {
        view(&app, *id).send().await.ok(200);
    }
    let latest: Vec<i64> = few.iter().rev().copied().collect();
    let section = format!("&section={below}");
    for folded in [false, true] {
        if folded {
            assert_eq!(app.fold().await, 3);
        }
        let today = "/v1/hits/top?window=today&limit=3";
        assert_eq!(ids_of(&app, today).await, latest, "folded: {folded}");
        let one = ids_of(&app, "/v1/hits/top?window=today&limit=1").await;
        assert_eq!(one, latest[..1]);
        assert_eq!(ids_of(&app, &format!("{today}{section}")).await, latest);
        let week = ids_of(&app, "/v1/hits/top?window=last_7_days&limit=100").await;
        assert_eq!(week, many);
    }
    app.set_clock("2026-02-07T04:00:00Z");
    for tidied in [false, true] {
        if tidied {
            tidy(&app).await;
        }
        for query in ["limit=2", "limit=3", "limit=4"] {
            let path = format!("/v1/hits/top?window=last_7_days&{query}");
            let limit: usize = query[6..].parse().expect("a number");
            let expected = &latest[..limit.min(3)];
            assert_eq!(
                ids_of(&app, &path).await,
                expected,
                "{query} tidied: {tidied}"
            );
        }
        // Behind those with a view come the others, the later made first.
        let list = app
            .get("/v1/articles?sort=-last_7_days&limit=10")
            .await
            .ok(200);
        let others = ids.iter().rev().copied();
        let expected: Vec<i64> = latest.iter().copied().chain(others).take(10).collect();
        assert_eq!(list.ids(), expected);
        let list = app
            .get("/v1/articles?sort=-last_7_days&limit=100&page=6")
            .await;
        assert_eq!(
            list.ok(200).ids(),
            ids[..9].iter().rev().copied().collect::<Vec<_>>()
        );
        let list = app
            .get("/v1/articles?sort=last_7_days&limit=5")
            .await
            .ok(200);
        assert_eq!(list.ids(), ids[..5]);
    }
}

crate::facts![
    rankings_follow_the_day_by_themselves,
    rankings_are_the_same_when_they_are_tidied,
    a_ranking_goes_past_many_rows_of_other_days,
];
