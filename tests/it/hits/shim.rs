//! A count as a script, for old static pages.

use reqwest::Method;
use serde_json::json;

use crate::support::stage::Stage;

use super::{EVERY_VIEW, article, count, hit_rows, views};

async fn the_script_calls_the_page_with_the_count(stage: Stage) {
    let app = stage.with(&[EVERY_VIEW]).await;
    let id = article(&app).await;
    let path = format!("/v1/articles/{id}/hits.js?callback=");
    views(&app, id, 2).await;
    let before = hit_rows(&app);
    let json = count(&app, id).await.text();
    let mut tags = Vec::new();
    for name in ["show", "$", "jQuery.fn.hits", "a.b.c.d", &"a".repeat(64)] {
        let script = app.get(&format!("{path}{name}")).await.ok(200);
        assert_eq!(script.text(), format!("/**/{name}({json});"));
        for (header, value) in [
            ("content-type", "application/javascript; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "max-age=0, must-revalidate"),
            ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(script.header(header), Some(value));
        }
        tags.push(script.header("etag").expect("a tag").to_owned());
    }
    // Showing is not counting.
    assert_eq!(hit_rows(&app), before);
    let again = async |tag: &str| {
        let request = app.request(Method::GET, &format!("{path}show"));
        request.header("if-none-match", tag).send().await
    };
    again(&tags[0]).await.ok(304);
    again(&tags[1]).await.ok(200);
    app.fold().await;
    again(&tags[0]).await.ok(304);
    views(&app, id, 1).await;
    let script = again(&tags[0]).await.ok(200).text();
    assert!(script.contains("\"total\":3,"), "{script}");
}

async fn nothing_but_names_is_called(stage: Stage) {
    let app = stage.app().await;
    let id = article(&app).await;
    let path = format!("/v1/articles/{id}/hits.js");
    let long = format!("callback={}", "a".repeat(65));
    for query in [
        "",
        "callback=",
        "callback=alert(1)//",
        "callback=alert%281%29",
        "callback=%3C/script%3E%3Cscript%3Ealert(1)",
        "callback=show%0aalert",
        "callback=show%E2%80%A8alert",
        "callback=show;alert",
        "callback=a%5B0%5D",
        "callback=a%3Dalert",
        "callback=%60alert%60",
        "callback=%E7%82%B9",
        "callback=a%5Cu0041",
        "callback=1a",
        "callback=.a",
        "callback=a.",
        "callback=a..b",
        "callback=a.b.c.d.e",
        "callback=eval",
        "callback=this",
        "callback=window.delete",
        "callback=a&callback=b",
        &long,
    ] {
        let answer = app.get(&format!("{path}?{query}")).await;
        let answer = answer.problem(400, "invalid_request");
        let faults = answer.faults();
        let is_told = !faults.is_empty() && faults.iter().all(|fault| fault.0 == "callback");
        assert!(is_told, "{query}: {answer}");
        assert!(!answer.text().contains("alert"), "{answer}");
    }
}

async fn the_script_is_of_public_articles_at_their_address(stage: Stage) {
    let app = stage.app().await;
    let section = app.admin().section("港口", json!({})).await;
    let more = json!({"slug": "dawn"});
    let id = app.admin().article("晨渡", section, more).await;
    let draft = app.admin().draft("稿", section, json!({})).await;
    for missing in [draft.to_string(), "987654321".to_owned(), "none".to_owned()] {
        let path = format!("/v1/articles/{missing}/hits.js?callback=show");
        let answer = app.get(&path).await.problem(404, "not_found");
        let cache = answer.header("cache-control");
        assert_eq!(cache, Some("max-age=0, must-revalidate"));
    }
    let path = format!("/v1/admin/articles/{id}");
    let moved = json!({"slug": "dusk"});
    app.admin().patch(&path, moved).await.ok(200);
    let place = app
        .leads_to("/v1/articles/dawn/hits.js?callback=show")
        .await;
    assert_eq!(place, "/v1/articles/dusk/hits.js?callback=show");
    app.get(&place).await.ok(200);
}

crate::facts![
    the_script_calls_the_page_with_the_count,
    nothing_but_names_is_called,
    the_script_is_of_public_articles_at_their_address,
];
