//! One view per visitor, article and window: whatever the number of reloads, the node, the reference.

use std::rc::Rc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Request;
use crate::support::stage::Stage;

use super::{
    CHROME, EVERY_VIEW, FIREFOX, PATIENT, article, batch, entries, move_clocks, nodes, number,
    occurrences, result, results, simultaneous, view, windows,
};

const WINDOW: (&str, &str) = ("LANMU_HIT_WINDOW", "30");
const PROXY: (&str, &str) = ("LANMU_TRUSTED_PROXIES", "127.0.0.1");
/// How many requests are under way at once.
const AT_ONCE: usize = 100;

/// What became of so many hits, many of them at once.
async fn crowd(number: usize, request: impl Fn(usize) -> Request) -> Vec<String> {
    let mut results = Vec::new();
    for first in (0..number).step_by(AT_ONCE) {
        let requests = (first..number.min(first + AT_ONCE)).map(&request);
        results.extend(simultaneous(requests.collect()).await);
    }
    results
}

async fn a_thousand_reloads_count_once_in_each_window(stage: Stage) {
    let app = stage.with(&[WINDOW, PATIENT]).await;
    let id = article(&app).await;
    for (window, reloads) in [(1, 500), (2, 20), (3, 20)] {
        let results = crowd(reloads, |_| view(&app, id)).await;
        assert_eq!(occurrences(&results, "counted"), 1, "window {window}");
        assert_eq!(occurrences(&results, "duplicate"), reloads - 1);
        // Nothing of it depends on where the hits stand.
        app.fold().await;
        app.advance(30 * 60 - 1);
        let results = crowd(reloads, |_| view(&app, id)).await;
        assert_eq!(
            occurrences(&results, "duplicate"),
            reloads,
            "window {window}"
        );
        app.advance(1);
    }
    assert_eq!(entries(&app, id).await, [0, 3, 0, 1077, 0, 0]);
    assert_eq!(windows(&app, id).await, [3; 3]);
}

async fn a_thousand_visitors_behind_one_address_all_count(stage: Stage) {
    let app = stage.with(&[WINDOW, PATIENT]).await;
    let id = article(&app).await;
    let of = |n: usize| view(&app, id).header("user-agent", &format!("Portal/{n}.0"));
    let results = crowd(1000, of).await;
    assert_eq!(occurrences(&results, "counted"), 1000);
    let results = crowd(100, of).await;
    assert_eq!(occurrences(&results, "duplicate"), 100);
    assert_eq!(entries(&app, id).await, [0, 1000, 0, 100, 0, 0]);
}

async fn a_household_is_one_visitor_on_every_node(stage: Stage) {
    let nodes = nodes(&stage, &[WINDOW, PROXY]).await;
    let id = article(&nodes[0]).await;
    for (index, (forwarded, agent, expected)) in [
        ("2001:db8:7:1::1", CHROME, "counted"),
        ("2001:DB8:7:1:0:0:0:2", CHROME, "duplicate"),
        ("2001:db8:7:1:ffff:ffff:ffff:ffff", CHROME, "duplicate"),
        ("2001:db8:7:1::3", FIREFOX, "counted"),
        ("2001:db8:7:2::1", CHROME, "counted"),
        ("2001:db8:7:0:ffff::1", CHROME, "counted"),
        ("203.0.113.5", CHROME, "counted"),
        ("::ffff:203.0.113.5", CHROME, "duplicate"),
        ("203.0.113.6", CHROME, "counted"),
        ("2001:db8:7:1::4", FIREFOX, "duplicate"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = view(&nodes[index % 2], id)
            .header("x-forwarded-for", forwarded)
            .header("user-agent", agent);
        assert_eq!(result(request).await, expected, "{forwarded} {agent}");
    }
    assert_eq!(entries(&nodes[1], id).await, [0, 6, 0, 4, 0, 0]);
}

async fn a_visitor_of_one_node_is_known_to_the_other(stage: Stage) {
    let nodes = nodes(&stage, &[WINDOW]).await;
    let [a, b] = &nodes;
    let id = article(a).await;
    assert_eq!(result(view(a, id)).await, "counted");
    assert_eq!(result(view(b, id)).await, "duplicate");
    b.fold().await;
    assert_eq!(result(view(b, id)).await, "duplicate");
    move_clocks(&nodes, "2026-01-31T04:30:00Z");
    assert_eq!(result(view(b, id)).await, "counted");
    assert_eq!(result(view(a, id)).await, "duplicate");
    move_clocks(&nodes, "2026-01-31T05:00:00Z");
    // What a node remembers may be older than what the database has.
    assert_eq!(result(view(b, id)).await, "counted");
    move_clocks(&nodes, "2026-01-31T05:10:00Z");
    assert_eq!(result(view(a, id)).await, "duplicate");
    assert_eq!(entries(a, id).await, [0, 3, 0, 4, 0, 0]);
}

async fn a_visitor_is_known_after_midnight_on_the_other_node(stage: Stage) {
    let nodes = nodes(&stage, &[WINDOW]).await;
    let [a, b] = &nodes;
    let id = article(a).await;
    move_clocks(&nodes, "2026-01-31T15:45:00Z");
    assert_eq!(result(view(a, id)).await, "counted");
    move_clocks(&nodes, "2026-01-31T16:14:59Z");
    assert_eq!(result(view(b, id)).await, "duplicate");
    move_clocks(&nodes, "2026-01-31T16:15:00Z");
    assert_eq!(result(view(b, id)).await, "counted");
    assert_eq!(result(view(a, id)).await, "duplicate");
    assert_eq!(windows(a, id).await, [1, 2, 2]);
}

async fn a_visitor_is_known_to_a_node_that_starts_later(stage: Stage) {
    let first = stage.with(&[WINDOW]).await;
    let id = article(&first).await;
    assert_eq!(result(view(&first, id)).await, "counted");
    first.stop().await;
    let second = stage.with(&[WINDOW]).await;
    assert_eq!(result(view(&second, id)).await, "duplicate");
    second.advance(1800);
    assert_eq!(result(view(&second, id)).await, "counted");
}

async fn a_slug_and_an_id_lead_to_one_window(stage: Stage) {
    let nodes = nodes(&stage, &[WINDOW]).await;
    let id = article(&nodes[0]).await;
    let path = format!("/v1/admin/articles/{id}");
    for slug in ["dawn-ferry", "morning-ferry"] {
        let renamed = nodes[0].admin().patch(&path, json!({"slug": slug})).await;
        renamed.ok(200);
    }
    let references = [id.to_string(), "morning-ferry".into(), "dawn-ferry".into()];
    for round in 0..3 {
        for (index, reference) in references.iter().cycle().skip(round).take(3).enumerate() {
            let path = format!("/v1/articles/{reference}/hits");
            let request = nodes[(index + round) % 2].request(Method::POST, &path);
            let expected = if index == 0 { "counted" } else { "duplicate" };
            assert_eq!(result(request).await, expected, "{reference}, {round}");
        }
        nodes.iter().for_each(|node| node.advance(1800));
    }
    assert_eq!(entries(&nodes[0], id).await, [0, 3, 0, 6, 0, 0]);
}

async fn many_visitors_at_once_count_once_each(stage: Stage) {
    let nodes = nodes(&stage, &[WINDOW, PATIENT]).await;
    let id = article(&nodes[0]).await;
    for round in 1..=2 {
        let of = |n: usize| {
            let agent = format!("Portal/{}.{round}", n % 40);
            view(&nodes[(n / 40) % 2], id).header("user-agent", &agent)
        };
        let results = crowd(160, of).await;
        assert_eq!(occurrences(&results, "counted"), 40);
        assert_eq!(occurrences(&results, "duplicate"), 120);
        nodes[round % 2].fold().await;
    }
    assert_eq!(entries(&nodes[0], id).await, [0, 80, 0, 240, 0, 0]);
}

async fn a_batch_of_now_is_windowed_with_single_hits(stage: Stage) {
    let app = stage.with(&[WINDOW]).await;
    let id = article(&app).await;
    assert_eq!(result(view(&app, id)).await, "counted");
    let items: Vec<Value> = (0..3)
        .map(|n| json!({"article_id": id, "hit_id": format!("b{n}")}))
        .collect();
    let sent = batch(&app, json!(items)).await;
    assert_eq!(results(&sent), ["duplicate"; 3]);
    app.advance(1800);
    let items: Vec<Value> = (0..3)
        .map(|n| json!({"article_id": id, "hit_id": format!("c{n}")}))
        .collect();
    let sent = batch(&app, json!(items)).await;
    assert_eq!(results(&sent), ["counted", "duplicate", "duplicate"]);
    assert_eq!(result(view(&app, id)).await, "duplicate");
}

/// What a page sends when it is left, from another origin.
fn beacon(app: &TestApp, path: &str, body: &Value) -> Request {
    app.request(Method::POST, path)
        .header("origin", "https://m.example.com")
        .header("sec-fetch-mode", "no-cors")
        .header("user-agent", CHROME)
        .body("text/plain;charset=UTF-8", body.to_string())
}

async fn a_beacon_counts_without_being_asked_about_before(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let one = format!("/v1/articles/{id}/hits");
    let sent = beacon(&app, &one, &json!({"client": "h5", "hit_id": "b1"}));
    let sent = sent.send().await.ok(200);
    assert_eq!(sent["result"], "counted");
    assert_eq!(sent.header("access-control-allow-origin"), Some("*"));
    let items = json!({"hits": [{"article_id": id, "hit_id": "b2", "client": "mini"}]});
    let sent = beacon(&app, "/v1/hits", &items).send().await.ok(200);
    assert_eq!(results(&sent), ["counted"]);
    assert_eq!(entries(&app, id).await, [0, 2, 0, 0, 0, 0]);
}

/// Every read that has to do with the article, and what a browser asks before it sends a hit.
async fn read_everything(app: &Rc<TestApp>, id: i64) {
    for path in [
        format!("/v1/articles/{id}"),
        format!("/v1/articles/{id}?include=hits"),
        format!("/v1/articles/{id}/hits"),
        format!("/v1/articles?ids={id}&sort=-hits"),
        format!("/v1/hits?article_ids={id}"),
        "/v1/hits/top?window=all".to_owned(),
        format!("/v1/hits/daily?article={id}"),
        format!("/v1/hits/hourly?article={id}"),
        format!("/v1/hits/monthly?article={id}"),
        "/v1/sections/1/hits".to_owned(),
        "/v1/changes".to_owned(),
        "/v1/site".to_owned(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            for prefetch in [false, true] {
                let request = app.request(method.clone(), &path);
                let request = match prefetch {
                    true => request.header("sec-purpose", "prefetch;prerender"),
                    false => request.header("user-agent", CHROME),
                };
                request.send().await.ok(200);
            }
        }
    }
    let asked = app
        .request(Method::OPTIONS, &format!("/v1/articles/{id}/hits"))
        .header("origin", "https://m.example.com")
        .header("access-control-request-method", "POST");
    let status = asked.send().await.status;
    assert!((200..300).contains(&status), "{status}");
}

async fn no_read_counts(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    read_everything(&app, id).await;
    assert_eq!(entries(&app, id).await, [0; 6]);
    assert_eq!(result(view(&app, id)).await, "counted");
    read_everything(&app, id).await;
    let of_site = app.get("/v1/site").await.ok(200);
    assert_eq!(number(&of_site, "hit_count"), 1);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 0, 0, 0]);
}

async fn a_batch_that_is_prefetched_counts_nothing(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let headers = [
        ("purpose", "prefetch"),
        ("sec-purpose", "prefetch;anonymous-client-ip"),
        ("sec-purpose", "prerender"),
        ("x-moz", "prefetch"),
        ("x-purpose", "preview"),
        ("purpose", "Preview"),
    ];
    for (index, (name, value)) in headers.into_iter().enumerate() {
        let items = json!({"hits": [{"article_id": id, "hit_id": format!("p{index}")}]});
        let request = app.request(Method::POST, "/v1/hits").header(name, value);
        let sent = request.json(&items).send().await.ok(200);
        assert_eq!(results(&sent), ["bot"], "{name}: {value}");
    }
    // The same hit is still there to be counted when somebody looks.
    let items = json!([{"article_id": id, "hit_id": "p0"}]);
    assert_eq!(results(&batch(&app, items).await), ["counted"]);
    assert_eq!(entries(&app, id).await, [0, 1, 0, 0, 6, 0]);
}

crate::facts![
    a_thousand_reloads_count_once_in_each_window,
    a_thousand_visitors_behind_one_address_all_count,
    a_household_is_one_visitor_on_every_node,
    a_visitor_of_one_node_is_known_to_the_other,
    a_visitor_is_known_after_midnight_on_the_other_node,
    a_visitor_is_known_to_a_node_that_starts_later,
    a_slug_and_an_id_lead_to_one_window,
    many_visitors_at_once_count_once_each,
    a_batch_of_now_is_windowed_with_single_hits,
    a_beacon_counts_without_being_asked_about_before,
    no_read_counts,
    a_batch_that_is_prefetched_counts_nothing,
];
