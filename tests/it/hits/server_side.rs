//! Views that servers of the site's own record.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::databases;
use crate::support::people::SECRET;
use crate::support::stage::Stage;

use super::{GOOGLEBOT, article, entries, hit_rows, ledger, published, results};

const PATH: &str = "/v1/admin/hits";

/// A batch of the admin's, by a client that calls itself a bot.
async fn send(app: &TestApp, hits: &Value) -> Answer {
    let request = app.admin().request(Method::POST, PATH).await;
    let request = request.json(&json!({"hits": hits}));
    request.header("user-agent", GOOGLEBOT).send().await
}

async fn visitors_are_told_apart_by_name(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let hit = |hit_id: &str, visitor: Value, at: Value| {
        json!({
            "article_id": id, "hit_id": hit_id, "client": "mini", "visitor": visitor, "at": at,
        })
    };
    let now = || Value::Null;
    let then = |minute: u8| json!(format!("2026-01-31T03:{minute:02}:00Z"));
    let batch = json!([
        hit("1", json!("openid-1"), now()),
        hit("2", json!("openid-1"), now()),
        hit("3", json!("openid-2"), now()),
        hit("4", now(), now()),
        hit("5", now(), now()),
        hit("6", now(), then(0)),
        hit("7", now(), then(0)),
        hit("8", json!("openid-3"), then(0)),
        hit("9", json!("openid-3"), then(10)),
        hit("a", json!("openid-4"), then(10)),
    ]);
    let answer = send(&app, &batch).await.ok(200);
    let expected = [
        "counted",
        "duplicate",
        "counted",
        "counted",
        "counted",
        "counted",
        "counted",
        "counted",
        "duplicate",
        "counted",
    ];
    assert_eq!(results(&answer), expected);
    assert_eq!(entries(&app, id).await, [0, 8, 0, 2, 0, 0]);
    let told = ledger(&app, id).await;
    assert_eq!(told["clients"]["mini"], 8);
    assert_eq!(told["visitors"]["today"], 4);
    // Sent again it counts nothing; who comes again within the window, neither.
    let again = send(&app, &batch).await.ok(200);
    assert_eq!(results(&again), ["duplicate"; 10]);
    app.advance(29 * 60);
    let later = json!([hit("b", json!("openid-2"), now())]);
    assert_eq!(results(&send(&app, &later).await.ok(200)), ["duplicate"]);
    app.advance(60);
    let later = json!([hit("c", json!("openid-2"), now())]);
    assert_eq!(results(&send(&app, &later).await.ok(200)), ["counted"]);
    for (table, rows) in hit_rows(&app) {
        assert!(rows.iter().all(|row| !row.contains("openid")), "{table}");
    }
}

async fn no_address_has_a_share_of_it(stage: Stage) {
    let app = stage.with(&[("LANMU_RATE_HITS", "1")]).await;
    let id = article(&app).await;
    let hits: Vec<Value> = (0..500)
        .map(|n| json!({"article_id": id, "hit_id": n.to_string()}))
        .collect();
    let answer = send(&app, &json!(hits)).await.ok(200);
    assert_eq!(results(&answer), ["counted"; 500]);
    let more = [hits, vec![json!({"article_id": id, "hit_id": "x"})]].concat();
    let refused = send(&app, &json!(more)).await;
    let refused = refused.problem(422, "validation_failed");
    let fault = ("/hits".to_owned(), "too_many".to_owned());
    assert_eq!(refused.faults(), [fault]);
}

async fn who_is_bound_records_for_its_sections(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = admin.section("港口", json!({})).await;
    let below = admin.section("码头", json!({"parent_id": home})).await;
    let beside = admin.section("集市", json!({})).await;
    let long_ago = "2020-01-01T00:00:00Z";
    let own = published(&app, "一", home, long_ago).await;
    let lower = published(&app, "二", below, long_ago).await;
    let other = published(&app, "三", beside, long_ago).await;
    let draft = admin.draft("四", home, json!({})).await;
    let hits: Vec<Value> = [other, own, draft, 987_654_321, lower, 0, -1]
        .iter()
        .map(|id| json!({"article_id": id, "hit_id": "a"}))
        .collect();
    let (_, key) = app
        .api_key(&["hits:write"], json!({"sections": [home]}))
        .await;
    let request = app.with(&key, Method::POST, PATH);
    let answer = request.json(&json!({"hits": hits})).send().await.ok(200);
    let expected = [
        (other, "not_found"),
        (own, "counted"),
        (draft, "not_found"),
        (987_654_321, "not_found"),
        (lower, "counted"),
        (0, "not_found"),
        (-1, "not_found"),
    ];
    let expected: Vec<Value> = (0..)
        .zip(expected)
        .map(|(n, (id, result))| json!({"index": n, "article_id": id, "result": result}))
        .collect();
    assert_eq!(answer["data"], json!(expected));
    for (id, counted) in [(own, 1), (lower, 1), (other, 0), (draft, 0)] {
        assert_eq!(entries(&app, id).await, [0, counted, 0, 0, 0, 0]);
    }
    // What it reads gives no part in it.
    let (_, reading) = app.api_key(&["hits:read"], json!({})).await;
    let request = app.with(&reading, Method::POST, PATH);
    let request = request.json(&json!({"hits": hits}));
    request.send().await.problem(403, "forbidden");
    app.account("v@example.com", "viewer", json!({})).await;
    let viewer = app.sign_in("v@example.com", SECRET).await.access;
    let request = app.with(&viewer, Method::POST, PATH);
    let request = request.json(&json!({"hits": hits}));
    request.send().await.problem(403, "forbidden");
}

async fn a_keyed_batch_counts_once(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let (_, key) = app.api_key(&["hits:write"], json!({})).await;
    let post = async |token: &str, body: &Value| {
        let request = app.with(token, Method::POST, PATH).json(body);
        request.header("idempotency-key", "k").send().await
    };
    // What is faulty is not kept.
    let faulty = json!({"hits": [{"article_id": id, "hit_id": "a", "visitor": " "}]});
    let refused = post(&key, &faulty).await.problem(422, "validation_failed");
    let fault = ("/hits/0/visitor".to_owned(), "required".to_owned());
    assert_eq!(refused.faults(), [fault]);
    let body = json!({"hits": [
        {"article_id": id, "hit_id": "a"}, {"article_id": id, "hit_id": "b"},
    ]});
    let first = post(&key, &body).await.ok(200);
    assert_eq!(results(&first), ["counted"; 2]);
    let rows = databases::rows(&mut app.connect());
    assert_eq!(post(&key, &body).await.ok(200).body, first.body);
    assert_eq!(databases::rows(&mut app.connect()), rows);
    let other = json!({"hits": [{"article_id": id, "hit_id": "c"}]});
    post(&key, &other)
        .await
        .problem(422, "idempotency_key_reused");
    // Another caller's key is another.
    let token = app.token().await;
    assert_eq!(results(&post(&token, &other).await.ok(200)), ["counted"]);
    assert_eq!(entries(&app, id).await, [0, 3, 0, 0, 0, 0]);
}

crate::facts![
    visitors_are_told_apart_by_name,
    no_address_has_a_share_of_it,
    who_is_bound_records_for_its_sections,
    a_keyed_batch_counts_once,
];
