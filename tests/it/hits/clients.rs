//! Where views were made: counted apart, together what was counted.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::stage::Stage;

use super::{
    CHROME, EVERY_VIEW, FIREFOX, GOOGLEBOT, article, batch, ledger, nodes, number, published,
    result, results, view,
};

const NAMES: [&str; 5] = ["web", "h5", "app", "mini", "other"];

fn of_value(clients: &Value) -> [i64; 5] {
    NAMES.map(|name| clients[name].as_i64().expect("a number"))
}

/// Where the article's views were made, which must be all that was counted.
async fn clients(app: &TestApp, id: i64) -> [i64; 5] {
    let ledger = ledger(app, id).await;
    let clients = of_value(&ledger["clients"]);
    let sum = clients.iter().sum::<i64>();
    assert_eq!(number(&ledger, "counted"), sum, "{ledger}");
    clients
}

async fn single_hits_are_counted_by_client(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    assert_eq!(clients(&app, id).await, [0; 5]);
    for (number, name) in (1..).zip(NAMES) {
        for _ in 0..number {
            let request = view(&app, id).json(&json!({"client": name}));
            assert_eq!(result(request).await, "counted");
        }
    }
    assert_eq!(clients(&app, id).await, [1, 2, 3, 4, 5]);
    // What says nothing is other.
    for request in [
        view(&app, id),
        view(&app, id).json(&json!({})),
        view(&app, id).json(&json!({"client": null})),
        view(&app, id).body("text/plain", r#"{"hit_id": "t"}"#),
    ] {
        assert_eq!(result(request).await, "counted");
    }
    assert_eq!(clients(&app, id).await, [1, 2, 3, 4, 9]);
}

async fn batches_are_counted_by_client(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let mut items = Vec::new();
    for (index, name) in NAMES.into_iter().enumerate() {
        for n in 0..=index {
            // Of several days and hours, and of now.
            let at = match n {
                0 => Value::Null,
                n => json!(format!("2026-01-{:02}T0{n}:30:00Z", 24 + n)),
            };
            let hit_id = format!("{name}-{n}");
            items.push(json!({"article_id": id, "hit_id": hit_id, "client": name, "at": at}));
        }
    }
    items.push(json!({"article_id": id, "hit_id": "none"}));
    items.push(json!({"article_id": other, "hit_id": "x", "client": "mini"}));
    let sent = batch(&app, json!(items)).await;
    assert_eq!(results(&sent), ["counted"; 17]);
    assert_eq!(clients(&app, id).await, [1, 2, 3, 4, 6]);
    assert_eq!(clients(&app, other).await, [0, 0, 0, 1, 0]);
    let again = batch(&app, json!(items)).await;
    assert_eq!(results(&again), ["duplicate"; 17]);
    assert_eq!(clients(&app, id).await, [1, 2, 3, 4, 6]);
    let list = app.admin().get("/v1/admin/hits?sort=id").await.ok(200);
    let listed = [0, 1].map(|index| of_value(&list["data"][index]["clients"]));
    assert_eq!(listed, [[1, 2, 3, 4, 6], [0, 0, 0, 1, 0]]);
}

async fn what_does_not_count_is_of_no_client(stage: Stage) {
    let app = stage.with(&[]).await;
    let id = article(&app).await;
    let web = json!({"client": "web"});
    for (agent, expected) in [
        (CHROME, "counted"),
        (CHROME, "duplicate"),
        (GOOGLEBOT, "bot"),
        (FIREFOX, "counted"),
    ] {
        let request = view(&app, id).header("user-agent", agent).json(&web);
        assert_eq!(result(request).await, expected);
    }
    let late = json!([{
        "article_id": id, "hit_id": "l", "client": "app", "at": "2025-01-01T00:00:00Z",
    }]);
    assert_eq!(results(&batch(&app, late).await), ["rejected"]);
    assert_eq!(clients(&app, id).await, [2, 0, 0, 0, 0]);
}

async fn a_reset_leaves_clients_and_what_was_counted(stage: Stage) {
    let nodes = nodes(&stage, &[EVERY_VIEW]).await;
    let id = article(&nodes[0]).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let hit = |index: usize, client: &str| {
        let request = view(&nodes[index], id).json(&json!({"client": client}));
        async move { assert_eq!(result(request).await, "counted") }
    };
    hit(0, "web").await;
    hit(1, "app").await;
    nodes[1].fold().await;
    hit(0, "web").await;
    // One of them stands in the log when the count goes back.
    let reset = json!({"reason": "重新起算"});
    let done = nodes[0].admin().post(&format!("{path}/reset"), reset).await;
    let done = done.ok(200);
    assert_eq!(of_value(&done["clients"]), [2, 0, 1, 0, 0]);
    assert_eq!((number(&done, "total"), number(&done, "counted")), (0, 3));
    hit(1, "mini").await;
    let baseline = json!({"baseline": 40, "reason": "旧站"});
    let set = nodes[1].admin().put(&path, baseline).await.ok(200);
    assert_eq!(of_value(&set["clients"]), [2, 0, 1, 1, 0]);
    assert_eq!(number(&set, "total"), 41);
    for node in &nodes {
        assert_eq!(clients(node, id).await, [2, 0, 1, 1, 0]);
    }
}

async fn readers_are_not_told_of_clients(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let request = view(&app, id).json(&json!({"client": "mini"}));
    assert_eq!(result(request).await, "counted");
    for path in [
        format!("/v1/articles/{id}/hits"),
        format!("/v1/articles/{id}?include=hits"),
        format!("/v1/hits?article_ids={id}"),
        "/v1/hits/top".to_owned(),
    ] {
        let read = app.get(&path).await.ok(200);
        assert!(!read.text().contains("mini"), "{path}: {read}");
    }
}

crate::facts![
    single_hits_are_counted_by_client,
    batches_are_counted_by_client,
    what_does_not_count_is_of_no_client,
    a_reset_leaves_clients_and_what_was_counted,
    readers_are_not_told_of_clients,
];
