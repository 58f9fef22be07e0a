//! What API keys do, and where they are taken from.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::NOON;
use crate::support::databases;
use crate::support::stage::Stage;

use super::{ARTICLES, Site, draft, external, id_of, key, one};

async fn a_key_that_writes_changes_drafts_but_nothing_public(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let home = json!([site.home]);
    let writes = key(&site.app, &["content:write"], home.clone()).await;
    let publishes = key(&site.app, &["content:write", "content:publish"], home).await;
    let (title, dated) = (json!({"title": "夜渡"}), json!({"published_at": NOON}));
    let id = admin.draft("晨渡", site.home, json!({})).await;
    writes.patch(&one(id), title.clone()).await.ok(200);
    let published = format!("{}/publish", one(id));
    for answer in [
        writes.patch(&one(id), dated).await,
        writes.post(&published, Value::Null).await,
        writes.get(&one(id)).await,
    ] {
        answer.problem(403, "forbidden");
    }
    let only = key(&site.app, &["content:publish"], json!([site.home])).await;
    only.post(&published, Value::Null).await.ok(200);
    only.patch(&one(id), title.clone())
        .await
        .problem(403, "forbidden");
    for answer in [
        writes.patch(&one(id), title.clone()).await,
        writes.delete(&one(id)).await,
    ] {
        answer.problem(403, "forbidden");
    }
    publishes.patch(&one(id), title).await.ok(200);
    publishes.delete(&one(id)).await.ok(204);
    let purge = format!("{}?permanent=true", one(id));
    writes.delete(&purge).await.problem(403, "forbidden");
    publishes.delete(&purge).await.ok(204);
}

async fn what_a_key_makes_was_made_by_no_account(stage: Stage) {
    let site = Site::new(&stage).await;
    let writes = key(&site.app, &["content:write"], Value::Null).await;
    let made = writes
        .post(ARTICLES, draft("晨渡", site.home))
        .await
        .ok(201);
    let pushed = writes
        .put(&external("cms-1"), draft("午渡", site.home))
        .await;
    for article in [made, pushed.ok(201)] {
        assert_eq!(article["created_by"], Value::Null);
    }
}

async fn a_key_pushes_within_its_sections_only(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let scopes = ["content:write", "content:publish"];
    let pushes = key(&site.app, &scopes, json!([site.home])).await;
    let mut body = draft("晨渡", site.home);
    body["publish"] = json!({});
    let made = pushes.put(&external("cms-1"), body.clone()).await.ok(201);
    let again = pushes.put(&external("cms-1"), body.clone()).await.ok(200);
    assert_eq!(id_of(&made), id_of(&again));
    let more = |id: &str| json!({"external_id": id});
    admin.article("渔讯", site.beside, more("beside")).await;
    admin.draft("渔讯", site.beside, more("draft")).await;
    admin.article("内参", site.hidden, more("hidden")).await;
    let before = databases::rows(&mut site.app.connect());
    for (id, status) in [("beside", 403), ("draft", 409), ("hidden", 409)] {
        pushes.put(&external(id), body.clone()).await.ok(status);
    }
    for (section, status) in [(site.beside, 403), (site.hidden, 422), (987_654_321, 422)] {
        for id in ["cms-1", "cms-2"] {
            pushes
                .put(&external(id), draft("夜渡", section))
                .await
                .ok(status);
        }
    }
    assert!(databases::rows(&mut site.app.connect()) == before);
}

async fn a_key_that_only_writes_does_not_move_the_date(stage: Stage) {
    let site = Site::new(&stage).await;
    let admin = site.app.admin();
    let pushes = key(&site.app, &["content:write"], json!([site.home])).await;
    let made = pushes
        .put(&external("cms-1"), draft("晨渡", site.home))
        .await;
    let path = one(id_of(&made.ok(201)));
    let published = admin.act(&format!("{path}/publish")).await.ok(200);
    let date = published["published_at"].clone();
    admin.act(&format!("{path}/unpublish")).await.ok(200);
    let mut body = draft("夜渡", site.home);
    body["published_at"] = json!("2026-01-30T04:00:00Z");
    let moved = pushes.put(&external("cms-1"), body).await;
    moved.problem(403, "forbidden");
    let kept = pushes
        .put(&external("cms-1"), draft("夜渡", site.home))
        .await;
    assert_eq!(kept.ok(200)["published_at"], date);
}

async fn a_key_is_taken_from_one_header_only(stage: Stage) {
    let site = Site::new(&stage).await;
    let holder = key(&site.app, &["content:read"], Value::Null).await;
    let token = holder.token.clone();
    holder.get(ARTICLES).await.ok(200);
    let ask = |path: &str| site.app.request(Method::GET, path);
    let mut requests = vec![ask(&format!("{ARTICLES}/{token}"))];
    for name in [
        "key",
        "api_key",
        "apikey",
        "access_token",
        "token",
        "authorization",
    ] {
        requests.push(ask(&format!("{ARTICLES}?{name}={token}")));
        requests.push(ask(ARTICLES).header("cookie", &format!("{name}={token}")));
    }
    for name in [
        "x-api-key",
        "api-key",
        "x-auth-token",
        "proxy-authorization",
        "x-authorization",
    ] {
        requests.push(ask(ARTICLES).header(name, &token));
        requests.push(ask(ARTICLES).header(name, &format!("Bearer {token}")));
    }
    for value in [
        token.clone(),
        format!("Basic {token}"),
        format!("ApiKey {token}"),
        format!("Bearer {token}x"),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {}", &token["lanmu_".len()..]),
    ] {
        requests.push(ask(ARTICLES).header("authorization", &value));
    }
    for request in requests {
        request.send().await.problem(401, "unauthorized");
    }
    // Nor does an answer give it away.
    let answer = holder.get(&format!("{ARTICLES}?key={token}")).await;
    assert!(
        !answer
            .problem(400, "invalid_request")
            .text()
            .contains(&token)
    );
}

crate::facts![
    a_key_that_writes_changes_drafts_but_nothing_public,
    what_a_key_makes_was_made_by_no_account,
    a_key_pushes_within_its_sections_only,
    a_key_that_only_writes_does_not_move_the_date,
    a_key_is_taken_from_one_header_only,
];
