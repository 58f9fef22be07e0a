//! Hits sent by the batch, with times of their own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{
    CHROME, EVERY_VIEW, GOOGLEBOT, article, batch, count, entries, hit_rows, number, published,
    result, results, view, windows,
};

async fn a_batch_is_answered_item_by_item_in_order(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let other = published(&app, "夜渡", 1, "2020-01-02T00:00:00Z").await;
    let answer = batch(
        &app,
        json!([
            {"article_id": other, "hit_id": "a", "at": "2026-01-31T03:00:00Z", "client": "app"},
            {"article_id": 987_654_321, "hit_id": "b"},
            {"article_id": id, "hit_id": "c", "at": "2026-01-31T01:00:00Z"},
            {"article_id": id, "hit_id": "c", "at": "2026-01-31T02:00:00Z"},
            {"article_id": id, "hit_id": "d", "at": "2026-01-31T01:10:00Z"},
            {"article_id": id, "hit_id": "e", "at": "2026-01-31T11:30:00+08:00"},
            {"article_id": id, "hit_id": "f", "at": "2026-01-01T00:00:00Z"},
            {"article_id": id, "hit_id": "g", "at": null, "client": null},
        ]),
    )
    .await;
    let expected: Vec<Value> = [
        (other, "counted"),
        (987_654_321, "not_found"),
        (id, "counted"),
        (id, "duplicate"),
        (id, "duplicate"),
        (id, "counted"),
        (id, "rejected"),
        (id, "counted"),
    ]
    .iter()
    .enumerate()
    .map(|(index, (id, result))| json!({"index": index, "article_id": id, "result": result}))
    .collect();
    assert_eq!(answer["data"], json!(expected));
    assert_eq!(entries(&app, id).await, [0, 3, 0, 2, 0, 1]);
    assert_eq!(entries(&app, other).await, [0, 1, 0, 0, 0, 0]);
}

async fn a_batch_sent_again_counts_nothing(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let items: Vec<Value> = (0..20)
        .map(|n| json!({"article_id": id, "hit_id": format!("n{n}")}))
        .collect();
    let first = batch(&app, json!(items)).await;
    assert_eq!(results(&first), ["counted"; 20]);
    app.advance(600);
    let again = batch(&app, json!(items)).await;
    assert_eq!(results(&again), ["duplicate"; 20]);
    assert_eq!(entries(&app, id).await, [0, 20, 0, 20, 0, 0]);
}

async fn a_batch_may_be_plain_text(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let body = json!({"hits": [{"article_id": id, "hit_id": "t"}]}).to_string();
    let answer = app
        .request(Method::POST, "/v1/hits")
        .body("text/plain;charset=UTF-8", body)
        .send()
        .await
        .ok(200);
    assert_eq!(results(&answer), ["counted"]);
}

async fn a_batch_has_at_most_500_hits(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let items = |number: usize| -> Vec<Value> {
        (0..number)
            .map(|n| json!({"article_id": id, "hit_id": n.to_string()}))
            .collect()
    };
    let before = hit_rows(&app);
    let refused = app
        .post("/v1/hits", json!({"hits": items(501)}))
        .await
        .problem(422, "validation_failed");
    assert_eq!(
        refused.faults(),
        [("/hits".to_owned(), "too_many".to_owned())]
    );
    assert_eq!(hit_rows(&app), before);
    let taken = batch(&app, json!(items(500))).await;
    assert_eq!(results(&taken), vec!["counted"; 500]);
    assert_eq!(number(&count(&app, id).await, "total"), 500);
}

async fn a_batch_of_a_bot_is_the_bots(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let body = json!({"hits": [
        {"article_id": id, "hit_id": "a"},
        {"article_id": id, "hit_id": "b", "at": "2026-01-31T03:00:00Z"},
    ]});
    let answer = app
        .request(Method::POST, "/v1/hits")
        .header("user-agent", GOOGLEBOT)
        .json(&body)
        .send()
        .await
        .ok(200);
    assert_eq!(results(&answer), ["bot", "bot"]);
    assert_eq!(entries(&app, id).await, [0, 0, 0, 0, 2, 0]);
}

async fn times_too_far_off_are_rejected(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    for (index, (at, expected)) in [
        ("2026-01-24T03:59:59.999Z", "rejected"),
        ("2026-01-24T04:00:00Z", "counted"),
        ("2026-01-31T04:05:00Z", "counted"),
        ("2026-01-31T04:05:00.001Z", "rejected"),
        ("2026-01-31T12:05:00+08:00", "counted"),
        ("1970-01-01T00:00:00Z", "rejected"),
        ("0001-06-01T00:00:00Z", "rejected"),
        ("9999-06-01T00:00:00Z", "rejected"),
    ]
    .into_iter()
    .enumerate()
    {
        let hit = json!([{"article_id": id, "hit_id": index.to_string(), "at": at}]);
        assert_eq!(results(&batch(&app, hit).await), [expected], "{at}");
    }
    assert_eq!(entries(&app, id).await, [0, 3, 0, 0, 0, 5]);
}

async fn a_hit_counts_on_its_own_day(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let sent = batch(
        &app,
        json!([
            {"article_id": id, "hit_id": "a", "at": "2026-01-27T15:59:59Z"},
            {"article_id": id, "hit_id": "b", "at": "2026-01-27T16:00:00Z"},
            {"article_id": id, "hit_id": "c", "at": "2026-01-30T15:59:59Z"},
            {"article_id": id, "hit_id": "d"},
        ]),
    )
    .await;
    assert_eq!(results(&sent), ["counted"; 4]);
    let daily = app
        .get(&format!(
            "/v1/hits/daily?article={id}&from=2026-01-27&to=2026-01-31"
        ))
        .await
        .ok(200);
    assert_eq!(daily.each("hits"), [1, 1, 0, 1, 1]);
    assert_eq!(windows(&app, id).await, [1, 4, 4]);
}

async fn what_a_batch_tells_of_the_past_does_not_shut_out_the_present(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    let past = json!([
        {"article_id": id, "hit_id": "a", "at": "2026-01-31T03:59:00Z"},
        {"article_id": id, "hit_id": "b", "at": "2026-01-31T03:29:00Z"},
        {"article_id": id, "hit_id": "c", "at": "2026-01-31T03:29:01Z"},
    ]);
    assert_eq!(
        results(&batch(&app, past).await),
        ["counted", "counted", "duplicate"]
    );
    let mut later = view(&app, id);
    later = later.header("user-agent", CHROME);
    assert_eq!(result(later).await, "counted");
}

crate::facts![
    a_batch_is_answered_item_by_item_in_order,
    a_batch_sent_again_counts_nothing,
    a_batch_may_be_plain_text,
    a_batch_has_at_most_500_hits,
    a_batch_of_a_bot_is_the_bots,
    times_too_far_off_are_rejected,
    a_hit_counts_on_its_own_day,
    what_a_batch_tells_of_the_past_does_not_shut_out_the_present,
];
