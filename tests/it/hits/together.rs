//! Hits that come all at once, on one node and on two.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{
    EVERY_VIEW, PATIENT, article, balanced, batch, entries, nodes, occurrences, published, results,
    simultaneous, view, windows,
};

async fn simultaneous_hits_all_count(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW, PATIENT]).await;
    let id = article(&app).await;
    let requests = (0..150).map(|n| view(&app, id).json(&json!({"hit_id": format!("n{n}")})));
    let results = simultaneous(requests.collect()).await;
    assert_eq!(occurrences(&results, "counted"), 150);
    assert_eq!(entries(&app, id).await, [0, 150, 0, 0, 0, 0]);
    assert_eq!(windows(&app, id).await, [150; 3]);
}

async fn simultaneous_hits_on_two_nodes_all_count(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    let other = published(&nodes[0], "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let requests = (0..160).map(|n| {
        let article = if n % 3 == 0 { other } else { id };
        view(&nodes[n % 2], article).json(&json!({"hit_id": format!("n{n}")}))
    });
    let results = simultaneous(requests.collect()).await;
    assert_eq!(occurrences(&results, "counted"), 160);
    for node in &nodes {
        assert_eq!(windows(node, id).await, [106; 3]);
        assert_eq!(windows(node, other).await, [54; 3]);
    }
}

async fn simultaneous_hits_with_one_hit_id_count_once(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    for hit_id in ["first", "second", "third"] {
        let hit = json!({"hit_id": hit_id});
        let requests = (0..24).map(|n| view(&nodes[n % 2], id).json(&hit));
        let results = simultaneous(requests.collect()).await;
        assert_eq!(occurrences(&results, "counted"), 1);
        assert_eq!(occurrences(&results, "duplicate"), 23);
    }
    assert_eq!(entries(&nodes[0], id).await, [0, 3, 0, 69, 0, 0]);
}

async fn simultaneous_hits_of_one_visitor_count_once(stage: Stage) {
    let nodes = nodes(&stage, &[PATIENT]).await;
    let id = article(&nodes[0]).await;
    let requests = (0..40).map(|n| view(&nodes[n % 2], id));
    let results = simultaneous(requests.collect()).await;
    assert_eq!(occurrences(&results, "counted"), 1);
    assert_eq!(entries(&nodes[1], id).await, [0, 1, 0, 39, 0, 0]);
}

async fn simultaneous_batches_in_any_order_all_count(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let first = article(&nodes[0]).await;
    let mut ids = vec![first];
    for title in ["乙", "丙", "丁"] {
        ids.push(published(&nodes[0], title, 1, "2020-01-02T00:00:00Z").await);
    }
    let batches = (0..24).map(|n| {
        let mut order = ids.clone();
        order.rotate_left(n % 4);
        if n % 2 == 0 {
            order.reverse();
        }
        let items: Vec<Value> = order
            .iter()
            .map(|id| json!({"article_id": id, "hit_id": format!("b{n}")}))
            .collect();
        let node = &nodes[n % 2];
        async move { batch(node, json!(items)).await }
    });
    for answer in join_all(batches).await {
        assert_eq!(results(&answer), ["counted"; 4]);
    }
    for id in ids {
        assert_eq!(entries(&nodes[0], id).await, [0, 24, 0, 0, 0, 0]);
    }
}

async fn a_correction_among_hits_loses_none(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    nodes[0].token().await;
    let requests = (0..40).map(|n| view(&nodes[n % 2], id));
    let corrections = [500, 600, 700].map(|baseline| {
        let (node, path) = (&nodes[0], &path);
        async move {
            let body = json!({"baseline": baseline, "reason": "旧站"});
            balanced(node.admin().put(path, body).await.ok(200));
        }
    });
    let (results, _) =
        futures_util::future::join(simultaneous(requests.collect()), join_all(corrections)).await;
    assert_eq!(occurrences(&results, "counted"), 40);
    let [baseline, counted, ..] = entries(&nodes[1], id).await;
    assert!([500, 600, 700].contains(&baseline), "{baseline}");
    assert_eq!(counted, 40);
}

crate::facts![
    simultaneous_hits_all_count,
    simultaneous_hits_on_two_nodes_all_count,
    simultaneous_hits_with_one_hit_id_count_once,
    simultaneous_hits_of_one_visitor_count_once,
    simultaneous_batches_in_any_order_all_count,
    a_correction_among_hits_loses_none,
];
