//! Requests per minute, by account and by API key, from wherever they come.

use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::client::Answer;
use crate::support::stage::Stage;

use super::{PROXY, limited, told};

const ARTICLES: &str = "/v1/admin/articles";

/// `GET` of the articles with this token, each time from another address.
async fn read(app: &TestApp, token: &str, number: usize) -> Answer {
    app.request(Method::GET, ARTICLES)
        .header("authorization", &format!("Bearer {token}"))
        .header("x-forwarded-for", &format!("203.0.113.{number}"))
        .send()
        .await
}

async fn key(app: &TestApp) -> String {
    let body = json!({"name": "灯塔", "scopes": ["content:read"]});
    let answer = app.admin().post("/v1/admin/api-keys", body).await.ok(201);
    answer["key"].as_str().expect("a key").to_owned()
}

async fn a_caller_has_a_bucket_of_its_own_wherever_it_calls_from(stage: Stage) {
    let app = stage.with(&[PROXY, ("LANMU_RATE_READS", "4")]).await;
    let keys = [key(&app).await, key(&app).await];
    let policy = Some("\"reads\";q=4;w=60");
    for (key, token) in keys.iter().enumerate() {
        for left in [3, 2, 1, 0] {
            let answer = read(&app, token, 10 * key + left).await.ok(200);
            let state = format!("\"reads\";r={left};t=15");
            assert_eq!(told(&answer), (Some(state.as_str()), policy));
        }
        let answer = limited(read(&app, token, 10 * key + 9).await, "15");
        assert_eq!(told(&answer), (Some("\"reads\";r=0;t=15"), policy));
    }
    let account = app.token().await;
    for number in 0..4 {
        read(&app, &account, 100 + number).await.ok(200);
    }
    limited(read(&app, &account, 109).await, "15");
    app.advance(15);
    read(&app, &keys[0], 120).await.ok(200);
    read(&app, &account, 121).await.ok(200);
}

async fn a_caller_is_limited_by_its_address_too(stage: Stage) {
    let app = stage.with(&[PROXY, ("LANMU_RATE_READS", "3")]).await;
    let keys = [key(&app).await, key(&app).await];
    for token in [&keys[0], &keys[1], &keys[0]] {
        read(&app, token, 7).await.ok(200);
    }
    limited(read(&app, &keys[1], 7).await, "20");
    read(&app, &keys[1], 8).await.ok(200);
}

crate::facts![
    a_caller_has_a_bucket_of_its_own_wherever_it_calls_from,
    a_caller_is_limited_by_its_address_too,
];
