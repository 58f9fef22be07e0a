//! The list of accounts.

use serde_json::json;

use crate::support::people::USERS;
use crate::support::stage::Stage;

use super::{create, patch};

async fn accounts_are_listed_by_id(stage: Stage) {
    let app = stage.app().await;
    let mut ids = vec![1];
    for number in 0..6 {
        let body = json!({"email": format!("{number}@example.com"), "role": "viewer"});
        let made = create(&app, body).await.ok(201);
        ids.push(made["id"].as_i64().expect("an id"));
    }
    let all = app.admin().get(USERS).await.ok(200);
    assert_eq!(all.ids(), ids);
    assert_eq!(
        all["page"],
        json!({"limit": 20, "number": 1, "total": 7, "total_pages": 1, "next_cursor": null})
    );
    let second = app.admin().get(&format!("{USERS}?limit=3&page=2")).await;
    let second = second.ok(200);
    assert_eq!(second.ids(), ids[3..6]);
    let link = second.header("link").expect("links");
    for rel in ["first", "prev", "next", "last"] {
        assert!(link.contains(&format!("rel=\"{rel}\"")), "{link}");
    }
    for limit in 1..8 {
        assert_eq!(app.walk(&format!("{USERS}?limit={limit}")).await, ids);
    }
    let first = app.admin().get(&format!("{USERS}?limit=2")).await.ok(200);
    let cursor = first["page"]["next_cursor"].as_str().expect("a cursor");
    let query = format!("{USERS}?limit=100&cursor={cursor}");
    let body = json!({"email": "late@example.com", "role": "viewer"});
    let late = create(&app, body).await.ok(201)["id"].as_i64();
    app.admin()
        .delete(&format!("{USERS}/{}", ids[2]))
        .await
        .ok(204);
    let rest = app.admin().get(&query).await.ok(200);
    let kept: Vec<i64> = ids[3..].iter().copied().chain(late).collect();
    assert_eq!(rest.ids(), kept);
    assert_eq!(rest["page"]["total"], json!(null));
}

async fn accounts_are_filtered(stage: Stage) {
    let app = stage.app().await;
    let mut ids = Vec::new();
    for (email, role) in [
        ("a@example.com", "admin"),
        ("b@example.com", "editor"),
        ("c@example.com", "editor"),
        ("d@example.com", "author"),
        ("e@example.com", "viewer"),
    ] {
        let made = create(&app, json!({"email": email, "role": role})).await;
        ids.push(made.ok(201)["id"].as_i64().expect("an id"));
    }
    patch(&app, ids[1], json!({"disabled": true})).await.ok(200);
    patch(&app, ids[4], json!({"disabled": true})).await.ok(200);
    for (filter, expected) in [
        ("role=admin", vec![1, ids[0]]),
        ("role=editor", vec![ids[1], ids[2]]),
        ("role=author", vec![ids[3]]),
        ("role=viewer", vec![ids[4]]),
        ("disabled=true", vec![ids[1], ids[4]]),
        ("disabled=false", vec![1, ids[0], ids[2], ids[3]]),
        ("role=editor&disabled=true", vec![ids[1]]),
        ("role=admin&disabled=true", vec![]),
        ("email=C@EXAMPLE.COM", vec![ids[2]]),
        ("email=%20c@example.com", vec![ids[2]]),
        ("email=example.com", vec![]),
        ("email=c@example.com&role=viewer", vec![]),
    ] {
        let found = app.admin().get(&format!("{USERS}?{filter}")).await.ok(200);
        assert_eq!(found.ids(), expected, "{filter}");
        assert_eq!(found["page"]["total"], expected.len(), "{filter}");
        let walked = app.walk(&format!("{USERS}?{filter}&limit=1")).await;
        assert_eq!(walked, expected, "{filter}");
    }
}

async fn wrong_filters_are_refused_all_at_once(stage: Stage) {
    let app = stage.app().await;
    let query = "role=boss&disabled=perhaps&email=&limit=0&page=0&sort=id&wat=1";
    let answer = app.admin().get(&format!("{USERS}?{query}")).await;
    let answer = answer.problem(400, "invalid_request");
    let mut places: Vec<String> = answer.faults().into_iter().map(|(at, _)| at).collect();
    places.sort();
    assert_eq!(
        places,
        ["disabled", "email", "limit", "page", "role", "sort", "wat"]
    );
    for query in ["role=Admin", "cursor=x", "page=1&cursor=x", "limit=101"] {
        let answer = app.admin().get(&format!("{USERS}?{query}")).await;
        answer.problem(400, "invalid_request");
    }
}

crate::facts![
    accounts_are_listed_by_id,
    accounts_are_filtered,
    wrong_filters_are_refused_all_at_once,
];
