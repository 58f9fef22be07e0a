//! Web addresses and their QR codes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::stage::Stage;

use super::{patch, read, section};

async fn a_qr_code_leads_to_the_web_address(stage: Stage) {
    let app = stage.app().await;
    let home = section(&app).await;
    let id = app
        .admin()
        .article("晨渡", home, json!({"slug": "ferry"}))
        .await;
    for reference in [id.to_string(), "ferry".to_owned()] {
        let answer = app
            .get(&format!("/v1/articles/{reference}/qr.svg"))
            .await
            .ok(200);
        assert_eq!(answer.header("content-type"), Some("image/svg+xml"));
        assert!(answer.text().contains("<svg"));
    }
}

async fn without_a_web_address_there_is_no_qr_code(stage: Stage) {
    let app = stage.with(&[("LANMU_SITE_URL", "")]).await;
    let home = section(&app).await;
    let id = app.admin().article("晨渡", home, json!({})).await;
    let article = app
        .request(Method::GET, &format!("/v1/articles/{id}"))
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .send()
        .await
        .ok(200);
    assert_eq!(article["links"]["web"], Value::Null);
    assert_eq!(article["links"]["qr"], format!("/v1/articles/{id}/qr.svg"));
    app.get(&format!("/v1/articles/{id}/qr.svg"))
        .await
        .problem(404, "not_found");
    assert_eq!(app.get("/v1/site").await["home_url"], Value::Null);
}

async fn a_web_address_follows_its_template(stage: Stage) {
    let app = stage
        .with(&[(
            "LANMU_ARTICLE_URL",
            "https://m.example.com/a/{id}/{slug}.html?from=lanmu",
        )])
        .await;
    let home = section(&app).await;
    let id = app.admin().article("晨渡", home, json!({})).await;
    let web = read(&app, id).await["links"]["web"].clone();
    assert_eq!(
        web,
        format!("https://m.example.com/a/{id}/chen-du.html?from=lanmu")
    );
    let draw = async || {
        app.get(&format!("/v1/articles/{id}/qr.svg"))
            .await
            .ok(200)
            .text()
    };
    let before = draw().await;
    patch(&app, id, json!({"slug": "dawn"})).await.ok(200);
    let web = read(&app, id).await["links"]["web"].clone();
    assert_eq!(
        web,
        format!("https://m.example.com/a/{id}/dawn.html?from=lanmu")
    );
    assert_ne!(draw().await, before);
}

crate::facts![
    a_qr_code_leads_to_the_web_address,
    without_a_web_address_there_is_no_qr_code,
    a_web_address_follows_its_template,
];
