//! Baselines imported for many articles.

use diesel::connection::SimpleConnection;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::databases::{self, Kind};
use crate::support::stage::Stage;

use super::{EVERY_VIEW, article, count, entries, entry, hit_rows, noted, number, results, views};

const PATH: &str = "/v1/admin/hits/baselines";

async fn import(app: &TestApp, items: Value) -> Answer {
    let body = json!({"reason": "旧门户", "items": items});
    app.admin().put(PATH, body).await
}

/// What the answer adds up to, without the zeros.
fn sums(answer: &Answer) -> Vec<(&'static str, i64)> {
    [
        "set",
        "unchanged",
        "not_found",
        "ambiguous",
        "duplicate",
        "below_zero",
    ]
    .into_iter()
    .map(|name| (name, number(answer, name)))
    .filter(|(_, number)| *number > 0)
    .collect()
}

async fn articles_are_found_by_any_of_their_names(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let mut ids = Vec::new();
    for (title, more) in [
        ("一", json!({})),
        ("二", json!({"slug": "second"})),
        ("三", json!({"slug": "third"})),
        ("四", json!({"external_id": "cms-4"})),
        (
            "五",
            json!({"legacy_urls": ["/a.asp?id=5", " http://old.example/五 "]}),
        ),
    ] {
        ids.push(admin.article(title, section, more).await);
    }
    let moved = json!({"slug": "drei"});
    let path = format!("/v1/admin/articles/{}", ids[2]);
    admin.patch(&path, moved).await.ok(200);
    views(&app, ids[0], 2).await;
    let items = json!([
        {"id": ids[0], "baseline": 100},
        {"slug": " second", "baseline": 200},
        {"slug": "third", "baseline": 300},
        {"external_id": "cms-4", "baseline": 400},
        {"legacy_url": "http://old.example/五 ", "baseline": 500},
    ]);
    let request = app.admin().request(Method::PUT, PATH).await;
    let body = json!({"reason": "旧门户", "items": items});
    let request = request.json(&body).header("x-request-id", "import");
    let answer = request.send().await.ok(200);
    let expected: Vec<Value> = (0..)
        .zip(&ids)
        .zip([102, 200, 300, 400, 500])
        .map(|((n, id), total)| {
            json!({"index": n, "article_id": id, "result": "set", "total": total})
        })
        .collect();
    assert_eq!(answer["data"], json!(expected));
    assert_eq!(sums(&answer), [("set", 5)]);
    assert_eq!(number(&count(&app, ids[0]).await, "total"), 102);
    assert_eq!(entries(&app, ids[0]).await, [100, 2, 0, 0, 0, 0]);
    let of_section = app.get("/v1/sections/1/hits").await.ok(200);
    assert_eq!(number(&of_section, "total"), 1502);
    assert_eq!(noted(&app, ids[0]), [entry("baseline", 100, 102, "旧门户")]);
    let told = app.told("import").await;
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|told| told["event"] == "hits.baseline_set"));
    // Sent again it changes nothing; what is new is set.
    let rows = databases::rows(&mut app.connect());
    let again = import(&app, items).await.ok(200);
    assert_eq!(sums(&again), [("unchanged", 5)]);
    assert_eq!(again["data"][0]["total"], 102);
    assert_eq!(databases::rows(&mut app.connect()), rows);
    let more = json!([{"id": ids[0], "baseline": 90}, {"id": ids[1], "baseline": 200}]);
    let more = import(&app, more).await.ok(200);
    assert_eq!(sums(&more), [("set", 1), ("unchanged", 1)]);
    assert_eq!(number(&count(&app, ids[0]).await, "total"), 92);
}

async fn what_cannot_be_set_leaves_the_others_alone(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    let shared = json!({"legacy_urls": ["/list.html"]});
    let first = admin.article("一", section, shared.clone()).await;
    let second = admin.draft("二", section, shared).await;
    let correct = async |id: i64, what: &str, body: Value| {
        let path = format!("/v1/admin/articles/{id}/hits{what}");
        app.admin().post(&path, body).await.ok(200);
    };
    import(&app, json!([{"id": second, "baseline": 50}]))
        .await
        .ok(200);
    correct(second, "/adjust", json!({"delta": -40, "reason": "误计"})).await;
    let answer = import(
        &app,
        json!([
            {"id": 987_654_321, "baseline": 1},
            {"slug": "nowhere", "baseline": 1},
            {"external_id": "nowhere", "baseline": 1},
            {"legacy_url": "/list.htm", "baseline": 1},
            {"legacy_url": "/list.html", "baseline": 1},
            {"id": second, "baseline": 39},
            {"id": first, "baseline": 7},
            {"id": first, "baseline": 8},
            {"id": second, "baseline": 41},
        ]),
    )
    .await
    .ok(200);
    let expected = [
        "not_found",
        "not_found",
        "not_found",
        "not_found",
        "ambiguous",
        "below_zero",
        "set",
        "duplicate",
        "duplicate",
    ];
    assert_eq!(results(&answer), expected);
    let told = |index: usize| {
        let item = &answer["data"][index];
        (item["article_id"].clone(), item["total"].clone())
    };
    assert_eq!(told(4), (Value::Null, Value::Null));
    assert_eq!(told(5), (json!(second), Value::Null));
    assert_eq!(told(6), (json!(first), json!(7)));
    assert_eq!(told(7), (json!(first), Value::Null));
    assert_eq!(entries(&app, second).await, [50, 0, -40, 0, 0, 0]);
    assert_eq!(entries(&app, first).await, [7, 0, 0, 0, 0, 0]);
}

async fn a_bad_import_is_refused_whole(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let before = hit_rows(&app);
    let good = json!({"id": id, "baseline": 1});
    for (item, faults) in [
        (json!({"baseline": 1}), vec!["/items/1"]),
        (json!({"id": null, "baseline": 1}), vec!["/items/1"]),
        (json!({"id": 1}), vec!["/items/1/baseline"]),
        (
            json!({"id": 0, "baseline": -1}),
            vec!["/items/1/baseline", "/items/1/id"],
        ),
        (
            json!({"id": 1, "slug": "a", "baseline": 1}),
            vec!["/items/1/slug"],
        ),
        (
            json!({"slug": "a", "external_id": "a", "legacy_url": "a", "baseline": 1}),
            vec!["/items/1/external_id", "/items/1/legacy_url"],
        ),
        (json!({"slug": "Ä", "baseline": 1}), vec!["/items/1/slug"]),
        (
            json!({"external_id": "a b", "baseline": 1}),
            vec!["/items/1/external_id"],
        ),
        (
            json!({"legacy_url": " ", "baseline": 1}),
            vec!["/items/1/legacy_url"],
        ),
        (
            json!({"id": 1, "baseline": 1_000_000_000_001_i64}),
            vec!["/items/1/baseline"],
        ),
    ] {
        let refused = import(&app, json!([good, item])).await;
        let refused = refused.problem(422, "validation_failed");
        let mut told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
        told.sort();
        assert_eq!(told, faults, "{item}");
    }
    for (body, faults) in [
        (json!({}), vec!["/items", "/reason"]),
        (json!({"reason": "x", "items": []}), vec!["/items"]),
        (
            json!({"reason": "x", "items": vec![good.clone(); 1001]}),
            vec!["/items"],
        ),
        (json!({"items": [good]}), vec!["/reason"]),
    ] {
        let refused = app.admin().put(PATH, body).await;
        let refused = refused.problem(422, "validation_failed");
        let mut told: Vec<String> = refused.faults().into_iter().map(|fault| fault.0).collect();
        told.sort();
        assert_eq!(told, faults);
    }
    assert_eq!(hit_rows(&app), before);
}

async fn who_is_bound_imports_for_its_sections(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let home = admin.section("港口", json!({})).await;
    let beside = admin.section("集市", json!({})).await;
    let shared = json!({"legacy_urls": ["/list.html"]});
    let own = admin.article("一", home, shared.clone()).await;
    let other = admin.article("二", beside, shared).await;
    let (_, key) = app
        .api_key(&["hits:write"], json!({"sections": [home]}))
        .await;
    let body = json!({"reason": "旧门户", "items": [
        {"id": other, "baseline": 5},
        // Of several it knows but one.
        {"legacy_url": "/list.html", "baseline": 6},
    ]});
    let request = app.with(&key, Method::PUT, PATH).json(&body);
    let answer = request.send().await.ok(200);
    assert_eq!(
        answer["data"],
        json!([
            {"index": 0, "article_id": null, "result": "not_found", "total": null},
            {"index": 1, "article_id": own, "result": "set", "total": 6},
        ])
    );
    assert_eq!(entries(&app, other).await, [0; 6]);
    let (_, reading) = app.api_key(&["hits:read"], json!({})).await;
    let request = app.with(&reading, Method::PUT, PATH).json(&body);
    request.send().await.problem(403, "forbidden");
}

async fn old_addresses_are_those_that_the_article_has_now(stage: Stage) {
    let app = stage.app().await;
    let admin = app.admin();
    let section = admin.section("港口", json!({})).await;
    // They differ at the end alone, beyond what is indexed.
    let long = |end: &str| format!("/{}{end}", "渡".repeat(1900));
    let urls = json!({"legacy_urls": [long("a"), "/old/1"]});
    let first = admin.article("一", section, urls).await;
    let urls = json!({"legacy_urls": [long("b")]});
    let second = admin.article("二", section, urls).await;
    let found = async |url: String| {
        let items = json!([{"legacy_url": url, "baseline": 0}]);
        let answer = import(&app, items).await.ok(200);
        answer["data"][0]["article_id"].as_i64()
    };
    assert_eq!(found(long("a")).await, Some(first));
    assert_eq!(found(long("b")).await, Some(second));
    assert_eq!(found(long("")).await, None);
    assert_eq!(found("/OLD/1".to_owned()).await, None);
    // Those of before the table was made are put into it.
    let up = match stage.kind() {
        Kind::Sqlite => {
            include_str!("../../../migrations/sqlite/2026-11-26-000005_legacy_urls/up.sql")
        }
        Kind::Postgres => {
            include_str!("../../../migrations/postgres/2026-11-26-000005_legacy_urls/up.sql")
        }
    };
    let before = databases::rows(&mut app.connect());
    let insert = up
        .find("INSERT")
        .map(|at| &up[at..])
        .expect("it fills the table");
    app.connect()
        .batch_execute(&format!("DELETE FROM article_legacy_urls; {insert}"))
        .expect("it is filled");
    assert_eq!(databases::rows(&mut app.connect()), before);
    let path = format!("/v1/admin/articles/{first}");
    let change = json!({"legacy_urls": ["/old/2"]});
    admin.patch(&path, change).await.ok(200);
    assert_eq!(found("/old/1".to_owned()).await, None);
    assert_eq!(found("/old/2".to_owned()).await, Some(first));
    // A revision brings its own back.
    admin
        .act(&format!("{path}/revisions/1/restore"))
        .await
        .ok(200);
    assert_eq!(found("/old/1".to_owned()).await, Some(first));
    admin.delete(&path).await.ok(204);
    assert_eq!(found("/old/1".to_owned()).await, Some(first));
    let gone = format!("{path}?permanent=true");
    admin.delete(&gone).await.ok(204);
    assert_eq!(found("/old/1".to_owned()).await, None);
}

crate::facts![
    articles_are_found_by_any_of_their_names,
    what_cannot_be_set_leaves_the_others_alone,
    a_bad_import_is_refused_whole,
    who_is_bound_imports_for_its_sections,
    old_addresses_are_those_that_the_article_has_now,
];
