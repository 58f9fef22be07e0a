//! Ledgers: what is corrected by hand, and that they balance.

use serde_json::json;

use crate::support::stage::Stage;

use super::{
    CHROME, EVERY_VIEW, GOOGLEBOT, article, balanced, batch, count, entries, entry, hit_rows,
    ledger, noted, number, published, view, views, windows,
};

async fn the_ledger_balances_after_every_event(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let late = json!([{"article_id": id, "hit_id": "l", "at": "2025-01-01T00:00:00Z"}]);
    assert_eq!(entries(&app, id).await, [0; 6]);
    view(&app, id).send().await.ok(200);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 0, 0, 0]);
    view(&app, id).send().await.ok(200);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 1, 0, 0]);
    view(&app, id)
        .header("user-agent", GOOGLEBOT)
        .send()
        .await
        .ok(200);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 1, 1, 0]);
    batch(&app, late).await;
    assert_eq!(entries(&app, id).await, [0, 1, 0, 1, 1, 1]);
    let baseline = json!({"baseline": 700, "reason": "旧站累计"});
    balanced(app.admin().put(&path, baseline).await.ok(200));
    assert_eq!(entries(&app, id).await, [700, 1, 0, 1, 1, 1]);
    let reset = json!({"reason": "重新起算"});
    balanced(
        app.admin()
            .post(&format!("{path}/reset"), reset)
            .await
            .ok(200),
    );
    assert_eq!(number(&ledger(&app, id).await, "total"), 0);
    assert_eq!(number(&ledger(&app, id).await, "received"), 4);
    view(&app, id)
        .header("user-agent", CHROME)
        .send()
        .await
        .ok(200);
    assert_eq!(number(&ledger(&app, id).await, "total"), 1);
    app.admin().delete(&path).await.ok(204);
    let at_last = ledger(&app, id).await;
    assert_eq!(
        (number(&at_last, "total"), number(&at_last, "received")),
        (0, 5)
    );
}

async fn a_baseline_is_set_with_a_reason(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    views(&app, id, 2).await;
    for (baseline, reason) in [(1000, "旧站的计数"), (900, "更正")] {
        let body = json!({"baseline": baseline, "reason": reason});
        let set = balanced(app.admin().put(&path, body).await.ok(200));
        assert_eq!(number(&set, "total"), baseline + 2);
        assert_eq!(number(&count(&app, id).await, "total"), baseline + 2);
    }
    assert_eq!(windows(&app, id).await, [2, 2, 2]);
    assert_eq!(
        noted(&app, id),
        [
            entry("baseline", 1000, 1002, "旧站的计数"),
            entry("baseline", -100, 902, "更正"),
        ]
    );
}

async fn a_baseline_without_a_reason_is_refused(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let before = hit_rows(&app);
    for (body, faults) in [
        (json!({"baseline": 5}), vec!["/reason"]),
        (
            json!({"baseline": 5, "reason": " \u{3000}"}),
            vec!["/reason"],
        ),
        (json!({"baseline": 5, "reason": null}), vec!["/reason"]),
        (json!({"reason": "无"}), vec!["/baseline"]),
        (json!({"baseline": null, "reason": "无"}), vec!["/baseline"]),
        (json!({"baseline": -1, "reason": "无"}), vec!["/baseline"]),
        (json!({}), vec!["/baseline", "/reason"]),
        (json!({"baseline": -1}), vec!["/baseline", "/reason"]),
    ] {
        let refused = app.admin().put(&path, body.clone()).await;
        let refused = refused.problem(422, "validation_failed");
        let told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
        assert_eq!(told, faults, "{body}");
    }
    app.admin()
        .put(
            "/v1/admin/articles/987654321/hits",
            json!({"baseline": 1, "reason": "无"}),
        )
        .await
        .problem(404, "not_found");
    assert_eq!(hit_rows(&app), before);
}

async fn a_reset_goes_back_to_zero_and_keeps_what_was_received(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    let reset = format!("{path}/reset");
    views(&app, id, 3).await;
    app.admin()
        .put(&path, json!({"baseline": 40, "reason": "旧站"}))
        .await
        .ok(200);
    for body in [json!({}), json!({"reason": ""}), json!({"reason": null})] {
        let refused = app.admin().post(&reset, body).await;
        refused.problem(422, "validation_failed");
    }
    app.admin().act(&reset).await.problem(400, "invalid_body");
    assert_eq!(number(&count(&app, id).await, "total"), 43);
    let done = app.admin().post(&reset, json!({"reason": "试点击"})).await;
    let done = balanced(done.ok(200));
    assert_eq!((number(&done, "total"), number(&done, "received")), (0, 3));
    assert_eq!(windows(&app, id).await, [0, 0, 0]);
    let daily = app
        .get("/v1/hits/daily?from=2026-01-31&to=2026-01-31")
        .await;
    assert_eq!(daily.ok(200).each("hits"), [0]);
    views(&app, id, 1).await;
    assert_eq!(number(&count(&app, id).await, "total"), 1);
    assert_eq!(windows(&app, id).await, [1, 1, 1]);
}

async fn deleting_a_count_resets_it(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}/hits");
    views(&app, id, 3).await;
    for _ in 0..2 {
        app.admin().delete(&path).await.ok(204);
        let zero = ledger(&app, id).await;
        assert_eq!((number(&zero, "total"), number(&zero, "received")), (0, 3));
    }
    app.admin()
        .delete("/v1/admin/articles/987654321/hits")
        .await
        .problem(404, "not_found");
}

async fn a_count_outlives_the_trash(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/admin/articles/{id}");
    views(&app, id, 2).await;
    app.admin().delete(&path).await.ok(204);
    assert_eq!(number(&ledger(&app, id).await, "total"), 2);
    app.admin().act(&format!("{path}/restore")).await.ok(200);
    app.admin().act(&format!("{path}/publish")).await.ok(200);
    assert_eq!(number(&count(&app, id).await, "total"), 2);
}

async fn management_lists_every_count(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let section = app.admin().section("港口", json!({})).await;
    let below = app
        .admin()
        .section("渡口", json!({"parent_id": section}))
        .await;
    let apart = app.admin().section("集市", json!({})).await;
    let most = published(&app, "一", section, "2020-01-01T00:00:00Z").await;
    let some = published(&app, "二", below, "2020-01-01T00:00:00Z").await;
    let draft = app.admin().draft("三", section, json!({})).await;
    let trashed = published(&app, "四", apart, "2020-01-01T00:00:00Z").await;
    views(&app, most, 3).await;
    views(&app, some, 1).await;
    views(&app, trashed, 2).await;
    app.admin()
        .delete(&format!("/v1/admin/articles/{trashed}"))
        .await
        .ok(204);
    let list = |query: &str| {
        let path = format!("/v1/admin/hits{query}");
        let app = &app;
        async move { app.admin().get(&path).await.ok(200).each("article_id") }
    };
    assert_eq!(list("").await, [most, trashed, some, draft]);
    assert_eq!(list("?sort=-hits").await, [most, trashed, some, draft]);
    assert_eq!(list("?sort=hits").await, [draft, some, trashed, most]);
    assert_eq!(list("?sort=id").await, [most, some, draft, trashed]);
    assert_eq!(
        list(&format!("?section={section}")).await,
        [most, some, draft]
    );
    assert_eq!(list("?limit=2&page=2").await, [some, draft]);
    let page = app.admin().get("/v1/admin/hits?limit=3").await.ok(200);
    assert_eq!(
        page["page"],
        json!({"limit": 3, "number": 1, "total": 4, "total_pages": 2, "next_cursor": null})
    );
    assert!(
        page.link("next")
            .is_some_and(|next| next.contains("page=2"))
    );
    let first = page["data"][0].clone();
    assert_eq!(first, ledger(&app, most).await.json);
    app.admin()
        .get("/v1/admin/hits?cursor=WyJoaXRzIiwiIiwxXQ")
        .await
        .problem(400, "invalid_request");
}

crate::facts![
    the_ledger_balances_after_every_event,
    a_baseline_is_set_with_a_reason,
    a_baseline_without_a_reason_is_refused,
    a_reset_goes_back_to_zero_and_keeps_what_was_received,
    deleting_a_count_resets_it,
    a_count_outlives_the_trash,
    management_lists_every_count,
];
