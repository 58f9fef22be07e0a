//! Sums, series and rankings against a list of all hits, whatever happens to articles and sections.
//!
//! `LANMU_TEST_OPERATIONS` says how many operations are done (200 by default), `LANMU_TEST_SEED` from
//! which seed.

use serde_json::json;

use crate::support::numbers::{Numbers, seed, setting};
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::compare::compare;
use super::model::{Model, day};
use super::{EVERY_VIEW, PATIENT, article, ledger, nodes, number, published, view, views};

const OPERATIONS: u64 = 200;

async fn sums_and_rankings_are_those_of_a_list_of_all_hits(stage: Stage) {
    let settings = [
        EVERY_VIEW,
        PATIENT,
        ("LANMU_RATE_LIMIT", "off"),
        ("LANMU_HITS_DAYS", "40"),
    ];
    let mut model = Model::new(nodes(&stage, &settings).await);
    for (name, parent) in [
        ("海", None),
        ("湾", Some(0)),
        ("泊位", Some(1)),
        ("陆", None),
        ("集市", Some(3)),
        ("航道", Some(0)),
    ] {
        let parent = parent.map(|index: usize| model.sections[index].id);
        model.section_made(name, parent).await;
    }
    let seed = seed();
    let numbers = Numbers::new(seed);
    for _ in 0..10 {
        let node = model.node(&numbers);
        model.article_made(&node, &numbers).await;
    }
    for operation in 0..setting("LANMU_TEST_OPERATIONS", OPERATIONS) {
        model.operate(&numbers).await;
        if operation % 4 == 3 {
            compare(&model, &numbers).await;
        }
    }
    // Once more with all of it folded, and on a quiet day.
    model.nodes[0].fold().await;
    compare(&model, &numbers).await;
    model.nodes.iter().for_each(|node| node.advance(86_400));
    compare(&model, &numbers).await;
    assert!(
        model.hits.len() > 50,
        "{} hits, seed {seed}",
        model.hits.len()
    );
}

async fn a_deleted_article_leaves_the_sums_and_keeps_its_ledger(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW]).await;
    let [app, other] = &nodes;
    let id = article(app).await;
    let kept = published(app, "夜渡", 1, "2020-01-01T00:00:00Z").await;
    let path = format!("/v1/admin/articles/{id}");
    views(app, id, 3).await;
    app.fold().await;
    views(other, id, 2).await;
    views(other, kept, 1).await;
    let told = ledger(app, kept).await;
    views(app, id, 1).await;
    app.admin().delete(&path).await.ok(204);
    let permanently = format!("{path}?permanent=true");
    app.admin().delete(&permanently).await.ok(204);
    app.account("w@example.com", "editor", json!({"sections": [1]}))
        .await;
    let editor = app.sign_in("w@example.com", SECRET).await;
    for folded in [false, true] {
        if folded {
            other.fold().await;
        }
        for node in &nodes {
            let site = node.get("/v1/site").await.ok(200);
            assert_eq!(number(&site, "hit_count"), 1);
            let section = node.get("/v1/sections/1/hits").await.ok(200);
            let names = ["total", "today", "last_7_days", "last_30_days"];
            assert_eq!(names.map(|name| number(&section, name)), [1; 4]);
            let today = format!("/v1/hits/daily?from={}", day(node.now()));
            assert_eq!(node.get(&today).await.ok(200).each("hits"), [1]);
            let hourly = node.get("/v1/hits/hourly?hours=1").await.ok(200);
            assert_eq!(hourly.each("hits"), [1]);
            let top = node.get("/v1/hits/top?window=all").await.ok(200);
            assert_eq!(top.each("hits"), [1]);
            let of_deleted = node.admin().get(&format!("{path}/hits")).await.ok(200);
            let of_deleted = ["total", "counted", "today"].map(|name| number(&of_deleted, name));
            assert_eq!(of_deleted, [6; 3], "folded: {folded}");
            let editors = node.get_with(&editor.access, &format!("{path}/hits")).await;
            editors.problem(404, "not_found");
            view(node, id).send().await.problem(404, "not_found");
        }
    }
    assert_eq!(ledger(other, kept).await.json, told.json);
}

crate::facts![
    sums_and_rankings_are_those_of_a_list_of_all_hits,
    a_deleted_article_leaves_the_sums_and_keeps_its_ledger,
];
