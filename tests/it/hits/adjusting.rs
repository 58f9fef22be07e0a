//! Counts adjusted by hand.

use diesel::prelude::*;
use lanmu::db::schema::hit_totals;
use reqwest::Method;
use serde_json::json;

use crate::support::databases;
use crate::support::stage::Stage;

use super::{
    EVERY_VIEW, article, balanced, count, entries, entry, hit_rows, ledger, noted, number, views,
    windows,
};

async fn an_adjustment_adds_and_takes_off(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits/adjust");
    views(&app, id, 3).await;
    for (delta, reason, total) in [(40, "补录丢失的浏览", 43), (-42, "误计", 1)] {
        let request = app.admin().request(Method::POST, &path).await;
        let request = request.json(&json!({"delta": delta, "reason": reason}));
        let trace = format!("adjust{delta}");
        let done = request.header("x-request-id", &trace).send().await.ok(200);
        assert_eq!(number(&balanced(done), "total"), total);
        let told = app.told(&trace).await;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["event"], "hits.adjusted");
        assert_eq!(told[0]["resource"]["id"], id);
        let changed = json!({"member": "total", "before": total - delta, "after": total});
        let why = json!({"member": "reason", "before": null, "after": reason});
        let changes = told[0]["changes"].as_array().expect("a list");
        for change in [changed, why] {
            assert!(changes.contains(&change), "{changes:?}");
        }
        assert_eq!(number(&count(&app, id).await, "total"), total);
        let section = app.get("/v1/sections/1/hits").await.ok(200);
        assert_eq!(number(&section, "total"), total);
    }
    assert_eq!(entries(&app, id).await, [0, 3, -2, 0, 0, 0]);
    let section = app.get("/v1/sections/1/hits").await.ok(200);
    assert_eq!(number(&section, "total"), 1);
    // It is of no day.
    assert_eq!(windows(&app, id).await, [3, 3, 3]);
    assert_eq!(
        noted(&app, id),
        [
            entry("adjust", 40, 43, "补录丢失的浏览"),
            entry("adjust", -42, 1, "误计"),
        ]
    );
}

async fn no_total_goes_below_zero_or_beyond_exact_numbers(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits/adjust");
    let adjust = async |delta: i64| {
        let body = json!({"delta": delta, "reason": "更正"});
        app.admin().post(&path, body).await
    };
    views(&app, id, 2).await;
    let before = hit_rows(&app);
    for _ in 0..2 {
        let refused = adjust(-3).await.problem(422, "validation_failed");
        let fault = ("/delta".to_owned(), "out_of_range".to_owned());
        assert_eq!(refused.faults(), [fault]);
        assert!(refused.text().contains("it is 2"), "{refused}");
    }
    assert_eq!(hit_rows(&app), before);
    adjust(-2).await.ok(200);
    assert_eq!(number(&ledger(&app, id).await, "total"), 0);
    // Many large ones were made before.
    let most = 9_007_199_254_740_991_i64;
    diesel::update(hit_totals::table.find(id))
        .set((
            hit_totals::baseline.eq(most - 1),
            hit_totals::total.eq(most - 1),
        ))
        .execute(&mut app.connect())
        .expect("the row");
    adjust(2).await.problem(422, "validation_failed");
    assert_eq!(number(&adjust(1).await.ok(200), "total"), most);
}

async fn a_bad_adjustment_is_refused(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits/adjust");
    let before = hit_rows(&app);
    let most = 1_000_000_000_000_i64;
    for (body, faults) in [
        (json!({}), vec!["/delta", "/reason"]),
        (json!({"delta": 0, "reason": "无"}), vec!["/delta"]),
        (json!({"delta": most + 1, "reason": "无"}), vec!["/delta"]),
        (json!({"delta": -most - 1, "reason": "无"}), vec!["/delta"]),
        (json!({"delta": 1, "reason": " "}), vec!["/reason"]),
        (json!({"delta": null, "reason": "无"}), vec!["/delta"]),
    ] {
        let refused = app.admin().post(&path, body.clone()).await;
        let refused = refused.problem(422, "validation_failed");
        let told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
        assert_eq!(told, faults, "{body}");
    }
    let body = json!({"delta": 1, "reason": "无"});
    app.admin()
        .post("/v1/admin/articles/987654321/hits/adjust", body)
        .await
        .problem(404, "not_found");
    assert_eq!(hit_rows(&app), before);
    let body = json!({"delta": most, "reason": "无"});
    app.admin().post(&path, body).await.ok(200);
}

async fn an_adjustment_sent_again_is_made_once(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits/adjust");
    let adjust = async |key: &str, delta: i64| {
        let request = app.admin().request(Method::POST, &path).await;
        let request = request.json(&json!({"delta": delta, "reason": "补录"}));
        request.header("idempotency-key", key).send().await
    };
    let first = adjust("k", 5).await.ok(200);
    let rows = databases::rows(&mut app.connect());
    assert_eq!(adjust("k", 5).await.ok(200).body, first.body);
    assert_eq!(databases::rows(&mut app.connect()), rows);
    adjust("k", 6).await.problem(422, "idempotency_key_reused");
    assert_eq!(number(&adjust("l", 5).await.ok(200), "total"), 10);
    assert_eq!(noted(&app, id).len(), 2);
}

crate::facts![
    an_adjustment_adds_and_takes_off,
    no_total_goes_below_zero_or_beyond_exact_numbers,
    a_bad_adjustment_is_refused,
    an_adjustment_sent_again_is_made_once,
];
